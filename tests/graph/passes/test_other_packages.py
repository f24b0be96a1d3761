"""Passes of other installed packages are found by their entry points."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from archwright.errors import ConfigError, GraphError
from archwright.graph.passes import contract
from archwright.graph.passes.contract import PASSES, all_passes, run_passes
from archwright.io.plugins import plugins

from .simplification.edges import depthwise, edge, network

TOY = """
from dataclasses import dataclass
from archwright.graph import ReLU, chain
from archwright.graph.passes.contract import SAME_SHAPES, Pass, register
from archwright.graph.traverse import map_edges


@register
@dataclass(frozen=True)
class Rectification(Pass):
    name = "rectification"
    kind = "structural"
    keeps = (SAME_SHAPES,)
    idempotent = False

    def apply(self, network, report):
        return map_edges(network, lambda body, shape: chain(body, ReLU()))
"""
MODULE = "toy_passes"

Install = Callable[[str], None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Install a package with a pass under an entry point that the test chooses."""
    (tmp_path / f"{MODULE}.py").write_text(TOY)
    info = tmp_path / "toy-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: toy\nVersion: 1\n")

    def installed(line: str) -> None:
        (info / "entry_points.txt").write_text(f"[{contract.PLUGINS}]\n{line}\n")
        monkeypatch.syspath_prepend(str(tmp_path))
        monkeypatch.setattr(contract, "PASSES", dict(PASSES))
        plugins.cache_clear()

    yield installed
    sys.modules.pop(MODULE, None)
    plugins.cache_clear()


def test_a_pass_of_another_package_is_found_and_held_to_its_contract(install: Install) -> None:
    own = set(all_passes())
    install(f"rectification = {MODULE}:Rectification")
    found = all_passes()
    assert set(found) == own | {"rectification"}
    assert found["rectification"].__module__ == MODULE
    before = network(edge(depthwise(3), depthwise(5)))
    assert run_passes(before, [found["rectification"]()], verify=True).changed


@pytest.mark.parametrize(
    ("line", "error", "text"),
    [
        (f"rectifying = {MODULE}:Rectification", GraphError, r"'rectifying' that its entry point"),
        (f"rectification = {MODULE}:Pass", GraphError, r"toy_passes:Pass does not register the"),
        (f"rectification = {MODULE}:Gone", ConfigError, r"cannot be loaded \(AttributeError: mod"),
        ("rectification = toys:Gone", ConfigError, r"toys:Gone cannot be loaded \(ModuleNotFound"),
    ],
)
def test_a_broken_package_is_named(
    install: Install, line: str, error: type[Exception], text: str
) -> None:
    install(line)
    with pytest.raises(error, match=text):
        all_passes()
