"""Docstrings start with a verb or a noun, not with a clause that the reader has to solve."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "src" / "archwright"
BANNED = ("What ", "Who ", "That ", "So many ", "How ")
"""Packages, and modules of the package itself, whose docstrings are still to be rewritten."""

Documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def public(node: Documented, place: str) -> Iterator[tuple[str, str]]:
    """The docstring of a public object and of the public objects in it, each with its place."""
    text = ast.get_docstring(node)
    if text is not None:
        yield place, text
    for child in node.body:
        if isinstance(child, Documented) and not child.name.startswith("_"):
            yield from public(child, f"{place}.{child.name}")


def banned(source: str, place: str) -> list[str]:
    """The places of a module whose docstrings begin with a banned opener."""
    found = public(ast.parse(source), place)
    return [f"{where}: {text.splitlines()[0]}" for where, text in found if text.startswith(BANNED)]


def modules() -> dict[str, list[Path]]:
    """The modules of each part: a package, or a module of archwright itself."""
    parts: dict[str, list[Path]] = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts.setdefault(path.relative_to(PACKAGE).parts[0].removesuffix(".py"), []).append(path)
    return parts


@pytest.mark.parametrize("part", sorted(modules()))
def test_docstrings_begin_with_a_verb_or_a_noun(part: str) -> None:
    found = [
        line
        for path in modules()[part]
        for line in banned(path.read_text("utf-8"), str(path.relative_to(PACKAGE)))
    ]
    assert found == []


def test_a_banned_opener_is_found() -> None:
    source = (
        '"""What it is."""\nclass A:\n    """Value."""\n    def b(self):\n        """How so."""\n'
    )
    assert banned(source, "m") == ["m: What it is.", "m.A.b: How so."]
    assert banned('def _c():\n    """Who knows."""\n', "m") == []
