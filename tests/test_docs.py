"""The documentation against the code: commands parse, names exist, pictures are current."""

import ast
import importlib
import importlib.util
import math
import pkgutil
import re
import shlex
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

import archwright
from archwright.cli.command import Command, Group
from archwright.cli.flags import flags_of
from archwright.cli.main import COMMANDS
from archwright.cli.parse import parse

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
SOURCES = [*PAGES, *sorted((ROOT / "examples").glob("*.py")), *sorted((ROOT / "scripts").glob("*"))]
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$|((?:^    [^\n]*\n|^\n)+)", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"(?<!`)`([^`\n]+(?:\n[^`\n]+)?)`(?!`)")
COMMAND = re.compile(r"^(?:\.venv/bin/)?archwright +(\S.*)$")


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def blocks(path: Path, language: str = "") -> Iterator[str]:
    """The code blocks of a page, fenced ones of the language, else also indented ones."""
    for found in BLOCK.finditer(path.read_text(encoding="utf-8")):
        if found[3] is not None and not language:
            yield found[3]
        elif found[2] is not None and found[1] == language:
            yield found[2]


def spans(path: Path) -> Iterator[str]:
    text = BLOCK.sub("\n", path.read_text(encoding="utf-8"))
    for found in SPAN.finditer(text):
        yield " ".join(found[1].split())


def command_lines(path: Path) -> Iterator[str]:
    """The `archwright` lines of a file's blocks, each on one line and without its comment."""
    texts = [path.read_text(encoding="utf-8")] if path.suffix == ".py" else blocks(path)
    for text in texts:
        joined = re.sub(r'\w+="(archwright[^"]+)"', lambda m: " ".join(m[1].split()), text)
        for line in re.sub(r"\\\n\s*", "", joined).splitlines():
            found = COMMAND.match(line.strip())
            if found:
                yield re.sub(r"\s+# .*$", "", found[1])


def command_of(words: list[str]) -> tuple[Command | None, list[str]]:
    """The command that words begin with, and the words behind it; none of a group alone."""
    assert words[0] in COMMANDS, words[0]
    found: Command | Group = import_module(f"archwright.cli.commands.{words[0]}").command
    if isinstance(found, Command):
        return found, words[1:]
    return (found.parts[words[1]], words[2:]) if len(words) > 1 else (None, [])


LINES = [(name(path), line) for path in SOURCES if path.is_file() for line in command_lines(path)]


@pytest.mark.parametrize(("page", "line"), LINES)
def test_a_command_parses(page: str, line: str) -> None:
    words = shlex.split(line)
    if {"--help", "--version"} & set(words):
        return
    command, rest = command_of(words)
    assert command is not None
    parse(command, rest)


def test_commands_are_found() -> None:
    assert len(LINES) > 30
    assert {page for page, _ in LINES} >= {"README.md", "docs/start.md", "examples/my_space.py"}


@pytest.mark.parametrize("path", PAGES, ids=name)
def test_a_command_in_a_sentence_has_these_flags(path: Path) -> None:
    for span in spans(path):
        found = COMMAND.match(span)
        if found is None or found[1].startswith("-"):
            continue
        command, rest = command_of(found[1].split())
        spellings = {s for flag in flags_of(command) for s in flag.spellings} if command else set()
        off = {spelling.replace("--", "--no-", 1) for spelling in spellings}
        flags = {word for word in rest if word.startswith("--")}
        assert flags <= spellings | off | {"--json", "--help"}, span


@pytest.mark.parametrize("path", PAGES, ids=name)
def test_python_in_a_page_uses_names_that_exist(path: Path) -> None:
    for code in blocks(path, "python"):
        tree = ast.parse(code)
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and str(node.module).startswith("archwright"):
                module = importlib.import_module(str(node.module))
                missing = [alias.name for alias in node.names if not hasattr(module, alias.name)]
                assert missing == [], node.module
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                assert node.value.id != "aw" or node.attr in archwright.__all__, node.attr


def test_the_space_of_the_guide_is_a_space() -> None:
    (code,) = blocks(ROOT / "docs" / "guides" / "space.md", "python")
    found: dict[str, Any] = {}
    exec(compile(code, "space.md", "exec"), found)
    assert isinstance(found["space"], archwright.Space)
    assert found["space"].supernet(archwright.Size(channels=8, cells=1)).decisions()


def test_the_method_of_the_guide_is_a_method() -> None:
    (code,) = blocks(ROOT / "docs" / "guides" / "method.md", "python")
    found: dict[str, Any] = {"__name__": "guide"}
    exec(compile(code, "method.md", "exec"), found)
    method = found["EntropyDarts"](entropy=2.0)
    last = found["Progress"](epoch=4, epochs=5, fraction=1.0)
    uniform = method.penalty(torch.zeros(3, 5), last)
    assert uniform.item() == pytest.approx(2.0 * math.log(5), rel=1e-5)


@pytest.mark.parametrize("path", PAGES, ids=name)
def test_a_file_that_a_page_names_exists(path: Path) -> None:
    folders = (ROOT, ROOT / "src" / "archwright")
    text = path.read_text(encoding="utf-8")
    named = {span for span in spans(path) if re.fullmatch(r"[\w./-]*/[\w.-]+\.py", span)}
    named |= set(re.findall(r"(?:python|bin/python) +([\w/]+\.py)", text))
    missing = [file for file in named if not any((folder / file).is_file() for folder in folders)]
    assert missing == []


@pytest.mark.parametrize("path", PAGES, ids=name)
def test_make_has_the_targets_that_a_page_names(path: Path) -> None:
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    lines = [line.strip() for block in blocks(path) for line in block.splitlines()]
    named = {word for text in (*spans(path), *lines) for word in re.findall(r"^make (\w+)", text)}
    assert named <= targets


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md"])
def test_the_links_of_a_page_outside_the_site_lead_somewhere(page: str) -> None:
    targets = re.findall(r"\]\(([^)#\s]+)", (ROOT / page).read_text(encoding="utf-8"))
    local = [target for target in targets if "://" not in target]
    assert [target for target in local if not (ROOT / target).exists()] == []


def test_every_package_and_public_name_is_in_the_reference() -> None:
    pages = {path.stem: path.read_text("utf-8") for path in (ROOT / "docs" / "api").glob("*.md")}
    listed = set(re.findall(r"^::: ([\w.]+)$", "\n".join(pages.values()), re.MULTILINE))
    packages = {module.name for module in pkgutil.iter_modules(archwright.__path__)}
    expected = packages - {"__main__", "_version", "bench", "cli"}
    assert {f"archwright.{package}" for package in expected} - listed == set()
    public = {one for one in archwright.__all__ if not one.endswith("Error")}  # a page of their own
    public -= {"__version__", "graph", "ops"}
    assert {f"archwright.{one}" for one in public} - listed == set()


def _script(script_name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        f"scripts_{script_name}", ROOT / "scripts" / f"{script_name}.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_pictures_are_those_of_the_code(tmp_path: Path) -> None:
    script = _script("draw_docs")
    script.draw(tmp_path)
    drawn = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    kept = {path.name: path.read_bytes() for path in script.IMAGES.glob("concept-*.svg")}
    assert drawn.keys() == kept.keys()
    stale = [picture for picture, content in drawn.items() if kept[picture] != content]
    assert stale == [], "run scripts/draw_docs.py"


def test_the_site_loads_nothing_from_the_network() -> None:
    settings = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    assert "font: false" in settings
    assert "http" not in settings


def test_a_warning_of_the_site_is_an_error() -> None:
    assert "strict: true" in (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    line = re.search(
        r"^\t.*mkdocs build(.*)$", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE
    )
    assert line is not None
    assert not re.search(r"-q|--quiet", line[1]), "then mkdocs does not count warnings"
