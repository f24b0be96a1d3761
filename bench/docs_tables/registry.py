"""Registry of the tables of the documentation: those of each study, and others."""

from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from archwright.bench.registry import STUDIES
from docs_tables.markdown import DOCS

_OTHERS = ("peers", "ablations", "readme_table")
"""Modules here that belong to no study."""


def all_blocks() -> dict[Path, dict[str, Callable[[Path], str]]]:
    """Return by page and marker what makes each table, of the module here that a study may have."""
    found: dict[Path, dict[str, Callable[[Path], str]]] = {}
    for name in (*STUDIES, *_OTHERS):
        if find_spec(f"docs_tables.{name}") is not None:
            for page, blocks in import_module(f"docs_tables.{name}").BLOCKS.items():
                found.setdefault((DOCS / page).resolve(), {}).update(blocks)
    return found
