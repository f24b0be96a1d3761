"""The house keeps its shape: imports go one way, files stay small, no device is written in."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

SRC = Path(__file__).parents[1] / "src" / "archwright"

# Each may import what stands before it, and the leaves, which import nothing of archwright.
LEAVES = ("_version", "errors", "io")
ORDER = (
    *("graph", "tasks", "spaces", "lowering", "tables", "data", "cost", "backends", "profiling"),
    *("engine", "nas", "training", "pruning", "deployment", "report", "pipeline", "bench", "cli"),
    "__main__",
)
# A search that could read an accuracy would be a look-up.
# Modules that hold accuracies: no search may reach them.
ACCURACIES = ("archwright.tables.accuracies", "archwright.tables.nasbench_macro")
READER = "archwright.tables.columns"
# The first three pull in torchvision, which does not load beside the CPU build of torch; the others
# are installed for development alone (tests, bench/).
FORBIDDEN_DISTRIBUTIONS = {"torchvision", "timm", "kornia", "matplotlib", "networkx"}
MAX_LINES = 400


def imported(path: Path, module: str) -> Iterator[tuple[int, str]]:
    """Line and absolute name of every import in a file, wherever it stands in it.

    `from a import b` gives `a.b`: whether b is a module or a name of a is the caller's question.
    """
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"), str(path))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parents = package.split(".")
                base = ".".join([*parents[: len(parents) - node.level + 1], *base.split(".")])
            base = base.rstrip(".")
            yield from ((node.lineno, f"{base}.{alias.name}") for alias in node.names)


def sources(root: Path) -> Iterator[tuple[Path, str]]:
    for path in sorted(root.rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        parts = parts[:-1] if parts[-1] == "__init__" else parts
        yield path, ".".join(("archwright", *parts))


def violations(root: Path) -> list[str]:
    """Every import under `root` (a folder `archwright`) that goes the wrong way, one line each."""
    found: list[str] = []
    for path, module in sources(root):
        if module == "archwright":  # the facade only points at the others
            continue
        room = module.split(".")[1]
        where = path.relative_to(root.parent)
        if room not in (*ORDER, *LEAVES):
            found.append(f"{where}: '{room}' has no place in ORDER (tests/test_architecture.py)")
            continue
        for line, name in imported(path, module):
            top, _, rest = name.partition(".")
            if top != "archwright" or rest == "__version__":
                continue
            target = rest.split(".")[0]
            if reason := _wrong(room, target):
                found.append(f"{where}:{line}: '{room}' imports '{target}': {reason}")
    return found


def _wrong(room: str, target: str) -> str:
    if target not in (*ORDER, *LEAVES):
        return "import a name from the package that defines it, not from the facade"
    if room in LEAVES:
        own = target in LEAVES and LEAVES.index(target) <= LEAVES.index(room)
        return "" if own else "a leaf imports nothing of archwright's packages"
    if target in LEAVES:
        return ""
    if ORDER.index(target) > ORDER.index(room):
        return f"'{target}' stands below '{room}'"
    return ""


def test_imports_go_one_way() -> None:
    found = violations(SRC)
    assert not found, "\n" + "\n".join(found)


@pytest.mark.parametrize(
    ("where", "text", "message"),
    [
        ("graph/cell.py", "import archwright.nas.loop", "'nas' stands below 'graph'"),
        ("graph/cell.py", "from archwright import lowering", "'lowering' stands below 'graph'"),
        ("graph/cell.py", "from ..lowering import fused", "'lowering' stands below 'graph'"),
        ("graph/cell.py", "from .. import lowering", "'lowering' stands below 'graph'"),
        ("graph/__init__.py", "from ..lowering import fused", "'lowering' stands below 'graph'"),
        (
            "graph/cell.py",
            "def f():\n    from archwright.cli import main",
            "'cli' stands below 'graph'",
        ),
        (
            "graph/cell.py",
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import archwright.cost",
            "'cost' stands below 'graph'",
        ),
        (
            "cost/a.py",
            "import archwright.graph, archwright.training",
            "'training' stands below 'cost'",
        ),
        ("errors.py", "from archwright import graph", "a leaf imports nothing"),
        ("training/fit.py", "from archwright import ConfigError", "not from the facade"),
        ("training/fit.py", "import archwright", "not from the facade"),
        ("helpers/a.py", "import os", "'helpers' has no place in ORDER"),
        ("cli.py", "import archwright.__main__", "'__main__' stands below 'cli'"),
    ],
)
def test_a_wrong_import_is_found(tmp_path: Path, where: str, text: str, message: str) -> None:
    path = tmp_path / "archwright" / where
    path.parent.mkdir(parents=True)
    path.write_text(text)
    (found,) = violations(tmp_path / "archwright")
    assert found.startswith(f"archwright/{where}")
    assert message in found


@pytest.mark.parametrize(
    ("where", "text"),
    [
        ("__init__.py", "from archwright.cli import main"),
        ("nas/loop.py", "from archwright import graph, errors\nfrom archwright.cost import macs"),
        ("nas/loop.py", "from . import step\nfrom .step import go\nfrom ..errors import X"),
        ("nas/__init__.py", "from .loop import search"),
        ("bench/a.py", "from archwright.tables import nasbench201\nimport archwright.nas"),
        (
            "graph/cell.py",
            "from archwright._version import __version__\nimport torch, archwright_extra",
        ),
        ("graph/ops/conv.py", "from ..cell import Cell\nfrom ...errors import X"),
        ("cli.py", "from archwright.report import page"),
        ("__main__.py", "from archwright.cli import main"),
    ],
)
def test_a_right_import_is_left_alone(tmp_path: Path, where: str, text: str) -> None:
    path = tmp_path / "archwright" / where
    path.parent.mkdir(parents=True)
    path.write_text(text)
    assert violations(tmp_path / "archwright") == []


def reachable(root: Path, start: str) -> dict[str, tuple[str, ...]]:
    """Every module that importing `start`, a package or a module, may bring in, and the way to it.

    Imports inside functions count, and names of modules in strings, which may be loaded by name.
    The facade `archwright` does not: it loads nothing by itself, and no package may import it.
    """
    paths = {module: path for path, module in sources(root)}
    ways: dict[str, tuple[str, ...]] = {
        name: (name,) for name in paths if f"{name}.".startswith(f"{start}.")
    }
    waiting = list(ways)
    while waiting:
        module = waiting.pop()
        names = [name for _, name in imported(paths[module], module)]
        names += named_in_strings(paths[module])
        for name in names:
            parts = name.split(".")
            for length in range(2, len(parts) + 1):
                target = ".".join(parts[:length])
                if target in paths and target not in ways:
                    ways[target] = (*ways[module], target)
                    waiting.append(target)
    return ways


def named_in_strings(path: Path) -> list[str]:
    found = (
        re.fullmatch(r"(archwright(?:\.\w+)+)(?::\w+)?", node.value)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"), str(path)))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    )
    return [match[1] for match in found if match]


def test_no_search_can_reach_an_accuracy() -> None:
    found = reachable(SRC, "archwright.nas")
    assert "archwright.tables.latencies" in found, "the walk does not follow a search's imports"
    for module in ACCURACIES:
        assert module not in found, " -> ".join(found[module])
    readers = [m for path, m in sources(SRC) for _, n in imported(path, m) if n.startswith(READER)]
    assert {m.rpartition(".")[0] for m in readers} == {"archwright.tables"}


@pytest.mark.parametrize(
    "text",
    [
        "from archwright.tables.accuracies import accuracy",
        "def f():\n    from ..tables import accuracies",
        "import archwright.tables.nasbench201",
        "from archwright.tables import nasbench201",
        "from importlib import import_module\nimport_module('archwright.tables.accuracies')",
    ],
)
@pytest.mark.parametrize("where", ["nas/loop.py", "cost/model.py", "cost/__init__.py"])
def test_an_import_of_an_import_is_followed(tmp_path: Path, where: str, text: str) -> None:
    root = tmp_path / "archwright"
    files = {
        "nas/loop.py": "from archwright.cost import model",
        "cost/model.py": "",
        "cost/__init__.py": "",
        "tables/__init__.py": "",
        "tables/accuracies.py": "",
        "tables/nasbench201.py": "from .accuracies import accuracy",
    }
    for name, content in {**files, where: f"{files[where]}\n{text}"}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)
    assert ACCURACIES[0] in reachable(root, "archwright.nas")
    (root / where).write_text(files[where])
    assert ACCURACIES[0] not in reachable(root, "archwright.nas")


def test_no_forbidden_distribution_is_imported() -> None:
    found = [
        f"{path.relative_to(SRC)}:{line}: {name}"
        for path, module in sources(SRC)
        for line, name in imported(path, module)
        if name.split(".")[0] in FORBIDDEN_DISTRIBUTIONS
    ]
    assert not found, "\n" + "\n".join(found)


def test_no_device_is_written_into_the_code() -> None:
    found = [
        f"{path.relative_to(SRC)}:{number}: {line.strip()}"
        for path, _ in sources(SRC)
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if re.search(r"\.cuda\(", line)
    ]
    assert not found, "\n" + "\n".join(found)


def test_files_stay_small() -> None:
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path, _ in sources(SRC)}
    assert lengths, f"no sources under {SRC}"
    found = [f"{path.relative_to(SRC)}: {n} lines" for path, n in lengths.items() if n > MAX_LINES]
    assert not found, f"over {MAX_LINES} lines, split by what it is about:\n" + "\n".join(found)
