"""What a user may rely on: the names of `archwright`, and an import that costs nothing."""

import ast
import importlib
import importlib.metadata
import importlib.util
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import archwright

# Frozen: a change here is a change of what users see, and has a line in CHANGELOG.md.
PUBLIC = [
    "Architecture",
    "ArchwrightError",
    "Blocks",
    "BuildConfig",
    "BuildResult",
    "CellSpec",
    "ConfigError",
    "DataError",
    "DivergedError",
    "EdgeSpec",
    "EvaluateConfig",
    "EvaluateResult",
    "ExportConfig",
    "ExportResult",
    "GenotypeError",
    "GraphError",
    "PruneConfig",
    "PruneResult",
    "RunError",
    "SearchConfig",
    "SearchResult",
    "Site",
    "Size",
    "Space",
    "Staged",
    "TrainConfig",
    "TrainResult",
    "TwoInput",
    "__version__",
    "build",
    "dense_cell",
    "evaluate",
    "export",
    "get_space",
    "graph",
    "lookup",
    "ops",
    "prune",
    "read_architecture",
    "search",
    "train",
    "write_architecture",
    "write_report",
]


def test_the_public_names_are_these() -> None:
    assert sorted(archwright.__all__) == PUBLIC


@pytest.mark.parametrize("name", PUBLIC)
def test_a_public_name_is_there(name: str) -> None:
    assert getattr(archwright, name) is not None
    assert name in dir(archwright)


def test_every_error_is_of_the_one_family() -> None:
    errors = [getattr(archwright, name) for name in PUBLIC if name.endswith("Error")]
    assert all(issubclass(error, archwright.ArchwrightError) for error in errors)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'archwright' has no attribute 'Serach'"):
        _ = archwright.Serach


def test_verbs_are_functions_and_configurations_do_not_wait_for_torch() -> None:
    code = (
        "import archwright as aw, archwright.nas.config, archwright.training.config, sys;"
        "import archwright.backends.registry, archwright.engine.options;"
        "assert 'torch' not in sys.modules;"
        "from archwright import search, train, prune, export, build, evaluate;"
        "import types;"
        "verbs = (search, train, prune, export, build, evaluate);"
        "assert all(isinstance(verb, types.FunctionType) for verb in verbs)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_type_checkers_see_what_is_loaded() -> None:
    tree = ast.parse(Path(archwright.__file__).read_text(encoding="utf-8"))
    block = next(node for node in tree.body if isinstance(node, ast.If))
    typed = {
        alias.asname: f"{node.module}.{alias.name}"
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    typed["ops"] = typed.pop("_operations")  # an import of another name would not be public
    loaded = {name: f"archwright.{home}.{name}" for name, home in archwright._HOME.items()}
    assert typed == {**loaded, **{n: f"archwright.{m}" for n, m in archwright._MODULES.items()}}


def test_the_version_is_that_of_the_distribution() -> None:
    assert archwright.__version__ == importlib.metadata.version("archwright")


def _packages() -> list[str]:
    found = pkgutil.iter_modules(archwright.__path__, "archwright.")
    return [module.name for module in found if not module.name.endswith("__main__")]


@pytest.mark.parametrize("name", _packages())
def test_what_a_package_promises_is_there(name: str) -> None:
    module = importlib.import_module(name)
    promised = getattr(module, "__all__", [])
    assert [public for public in promised if not hasattr(module, public)] == []
    assert len(promised) == len(set(promised))


@pytest.mark.parametrize(
    "name",
    ["archwright", "archwright.cli"]
    + [f"archwright.tables.{name}" for name in ("nasbench201", "accuracies", "latencies")],
)
def test_importing_does_not_import_torch(name: str) -> None:
    if importlib.util.find_spec(name) is None:
        pytest.skip(f"{name} does not exist yet")
    code = f"import sys, {name}; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
