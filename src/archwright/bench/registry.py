"""Registry of studies: each is a folder here, whose module `study` defines `STUDY`.

The command line `archwright bench NAME` is made from it, and so are the tables of the documentation
(outside of the package).
"""

from importlib import import_module

from archwright.bench.engine.study import Study

STUDIES = (
    "supernet",
    "nasbench201",
    "rank",
    "darts",
    "budgets",
    "pruning",
    "predictor",
    "profile",
)


def load_study(name: str) -> Study:
    """Return the study of that name."""
    return import_module(f"archwright.bench.{name}.study").STUDY
