"""archwright: an architecture is a graph, and every method here is a transformation of it.

Names are loaded when they are first used, so that `import archwright` and the command line's help
stay quick: PyTorch is not imported before something needs it.
"""

from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from archwright import ir as ir
    from archwright.builder.config import BuildConfig as BuildConfig
    from archwright.builder.result import BuildResult as BuildResult
    from archwright.builder.run import build as build
    from archwright.deploy.config import EvaluateConfig as EvaluateConfig
    from archwright.deploy.config import ExportConfig as ExportConfig
    from archwright.deploy.evaluate import EvaluateResult as EvaluateResult
    from archwright.deploy.evaluate import evaluate as evaluate
    from archwright.deploy.export import ExportResult as ExportResult
    from archwright.deploy.export import export as export
    from archwright.errors import ArchwrightError as ArchwrightError
    from archwright.errors import ConfigError as ConfigError
    from archwright.errors import DataError as DataError
    from archwright.errors import DivergedError as DivergedError
    from archwright.errors import GenotypeError as GenotypeError
    from archwright.errors import GraphError as GraphError
    from archwright.errors import RunError as RunError
    from archwright.ir import Architecture as Architecture
    from archwright.prune.config import PruneConfig as PruneConfig
    from archwright.prune.result import PruneResult as PruneResult
    from archwright.prune.run import prune as prune
    from archwright.report import write_report as write_report
    from archwright.search.config import SearchConfig as SearchConfig
    from archwright.search.outcome import SearchResult as SearchResult
    from archwright.search.run import search as search
    from archwright.spaces import Blocks as Blocks
    from archwright.spaces import CellSpec as CellSpec
    from archwright.spaces import EdgeSpec as EdgeSpec
    from archwright.spaces import Site as Site
    from archwright.spaces import Size as Size
    from archwright.spaces import Space as Space
    from archwright.spaces import Staged as Staged
    from archwright.spaces import TwoInput as TwoInput
    from archwright.spaces import dense_cell as dense_cell
    from archwright.spaces import get_space as get_space
    from archwright.spaces import operations as _operations
    from archwright.spaces import read_architecture as read_architecture
    from archwright.spaces import write_architecture as write_architecture
    from archwright.tables.nasbench201 import lookup as lookup
    from archwright.train.config import TrainConfig as TrainConfig
    from archwright.train.run import TrainResult as TrainResult
    from archwright.train.run import train as train

    ops = _operations

__version__ = "0.1.0"

# A public name and the module that defines it; a module stands for itself. A new name goes here and
# into the block above; tests/test_public_surface.py holds the two, and its own list, to each other.
_HOME = {
    "BuildConfig": "archwright.builder.config",
    "BuildResult": "archwright.builder.result",
    "build": "archwright.builder.run",
    "EvaluateConfig": "archwright.deploy.config",
    "ExportConfig": "archwright.deploy.config",
    "EvaluateResult": "archwright.deploy.evaluate",
    "evaluate": "archwright.deploy.evaluate",
    "ExportResult": "archwright.deploy.export",
    "ArchwrightError": "archwright.errors",
    "ConfigError": "archwright.errors",
    "DataError": "archwright.errors",
    "DivergedError": "archwright.errors",
    "GenotypeError": "archwright.errors",
    "GraphError": "archwright.errors",
    "RunError": "archwright.errors",
    "Architecture": "archwright.ir",
    "PruneConfig": "archwright.prune.config",
    "PruneResult": "archwright.prune.result",
    "write_report": "archwright.report",
    "SearchConfig": "archwright.search.config",
    "SearchResult": "archwright.search.outcome",
    "Blocks": "archwright.spaces",
    "CellSpec": "archwright.spaces",
    "EdgeSpec": "archwright.spaces",
    "Site": "archwright.spaces",
    "Size": "archwright.spaces",
    "Space": "archwright.spaces",
    "Staged": "archwright.spaces",
    "TwoInput": "archwright.spaces",
    "dense_cell": "archwright.spaces",
    "get_space": "archwright.spaces",
    "read_architecture": "archwright.spaces",
    "write_architecture": "archwright.spaces",
    "lookup": "archwright.tables.nasbench201",
    "TrainConfig": "archwright.train.config",
    "TrainResult": "archwright.train.run",
}
_MODULES = {"ir": "archwright.ir", "ops": "archwright.spaces.operations"}
_VERBS = {
    "search": "archwright.search.run",
    "train": "archwright.train.run",
    "prune": "archwright.prune.run",
    "export": "archwright.deploy.export",
}

__all__ = ["__version__", *_HOME, *_MODULES, *_VERBS]  # pyright: ignore[reportUnsupportedDunderAll]


class _Verb(ModuleType):
    """A package that can be called: `archwright.search` is one, and `search(config)` searches.

    A function of that name would be replaced by the package as soon as a module in it is imported.
    """

    def __call__(self, config: Any) -> Any:
        verb = self.__name__.rpartition(".")[2]
        return getattr(import_module(_VERBS[verb]), verb)(config)


for _verb in _VERBS:
    import_module(f"archwright.{_verb}").__class__ = _Verb


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        value = import_module(_MODULES[name])
    elif name in _HOME:
        value = getattr(import_module(_HOME[name]), name)
    else:
        raise AttributeError(f"module 'archwright' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
