"""archwright: an architecture is a graph, and every method here is a transformation of it.

Names are loaded when they are first used, so that `import archwright` and the command line's help
stay quick: PyTorch is not imported before something needs it.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from archwright._version import __version__ as __version__

if TYPE_CHECKING:
    from archwright import graph as graph
    from archwright.deployment.config import EvaluateConfig as EvaluateConfig
    from archwright.deployment.config import ExportConfig as ExportConfig
    from archwright.deployment.evaluate import EvaluateResult as EvaluateResult
    from archwright.deployment.evaluate import evaluate as evaluate
    from archwright.deployment.export import ExportResult as ExportResult
    from archwright.deployment.export import export as export
    from archwright.errors import ArchwrightError as ArchwrightError
    from archwright.errors import ConfigError as ConfigError
    from archwright.errors import DataError as DataError
    from archwright.errors import DivergedError as DivergedError
    from archwright.errors import GenotypeError as GenotypeError
    from archwright.errors import GraphError as GraphError
    from archwright.errors import RunError as RunError
    from archwright.graph import Architecture as Architecture
    from archwright.nas.config import SearchConfig as SearchConfig
    from archwright.nas.loop.result import SearchResult as SearchResult
    from archwright.nas.loop.search import search as search
    from archwright.pipeline.config import BuildConfig as BuildConfig
    from archwright.pipeline.result import BuildResult as BuildResult
    from archwright.pipeline.run import build as build
    from archwright.pruning.config import PruneConfig as PruneConfig
    from archwright.pruning.result import PruneResult as PruneResult
    from archwright.pruning.run import prune as prune
    from archwright.report import write_report as write_report
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
    from archwright.training.config import TrainConfig as TrainConfig
    from archwright.training.run import TrainResult as TrainResult
    from archwright.training.run import train as train

    ops = _operations

# A public name and the module that defines it; a module stands for itself. A new name goes here and
# into the block above; tests/test_public_surface.py holds the two, and its own list, to each other.
_HOME = {
    "EvaluateConfig": "archwright.deployment.config",
    "ExportConfig": "archwright.deployment.config",
    "EvaluateResult": "archwright.deployment.evaluate",
    "evaluate": "archwright.deployment.evaluate",
    "ExportResult": "archwright.deployment.export",
    "export": "archwright.deployment.export",
    "ArchwrightError": "archwright.errors",
    "ConfigError": "archwright.errors",
    "DataError": "archwright.errors",
    "DivergedError": "archwright.errors",
    "GenotypeError": "archwright.errors",
    "GraphError": "archwright.errors",
    "RunError": "archwright.errors",
    "Architecture": "archwright.graph",
    "SearchConfig": "archwright.nas.config",
    "SearchResult": "archwright.nas.loop.result",
    "search": "archwright.nas.loop.search",
    "BuildConfig": "archwright.pipeline.config",
    "BuildResult": "archwright.pipeline.result",
    "build": "archwright.pipeline.run",
    "PruneConfig": "archwright.pruning.config",
    "PruneResult": "archwright.pruning.result",
    "prune": "archwright.pruning.run",
    "write_report": "archwright.report",
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
    "TrainConfig": "archwright.training.config",
    "TrainResult": "archwright.training.run",
    "train": "archwright.training.run",
}
_MODULES = {"graph": "archwright.graph", "ops": "archwright.spaces.operations"}

__all__ = ["__version__", *_HOME, *_MODULES]  # pyright: ignore[reportUnsupportedDunderAll]


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
