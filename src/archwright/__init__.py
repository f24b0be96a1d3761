"""archwright: an architecture is a graph, and every method here is a transformation of it.

Names are loaded when they are first used, so that `import archwright` and the command line's help
stay quick: PyTorch is not imported before something needs it.
"""

from typing import TYPE_CHECKING

from archwright._version import __version__ as __version__
from archwright.io.lazy import lazy_names

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
    "EvaluateConfig": "deployment.config",
    "ExportConfig": "deployment.config",
    "EvaluateResult": "deployment.evaluate",
    "evaluate": "deployment.evaluate",
    "ExportResult": "deployment.export",
    "export": "deployment.export",
    "ArchwrightError": "errors",
    "ConfigError": "errors",
    "DataError": "errors",
    "DivergedError": "errors",
    "GenotypeError": "errors",
    "GraphError": "errors",
    "RunError": "errors",
    "Architecture": "graph",
    "SearchConfig": "nas.config",
    "SearchResult": "nas.loop.result",
    "search": "nas.loop.search",
    "BuildConfig": "pipeline.config",
    "BuildResult": "pipeline.result",
    "build": "pipeline.run",
    "PruneConfig": "pruning.config",
    "PruneResult": "pruning.result",
    "prune": "pruning.run",
    "write_report": "report",
    "Blocks": "spaces",
    "CellSpec": "spaces",
    "EdgeSpec": "spaces",
    "Site": "spaces",
    "Size": "spaces",
    "Space": "spaces",
    "Staged": "spaces",
    "TwoInput": "spaces",
    "dense_cell": "spaces",
    "get_space": "spaces",
    "read_architecture": "spaces",
    "write_architecture": "spaces",
    "lookup": "tables.nasbench201",
    "TrainConfig": "training.config",
    "TrainResult": "training.run",
    "train": "training.run",
}
_MODULES = {"graph": "graph", "ops": "spaces.operations"}

__all__ = ["__version__", *_HOME, *_MODULES]  # pyright: ignore[reportUnsupportedDunderAll]


__getattr__ = lazy_names(__name__, _HOME, _MODULES)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
