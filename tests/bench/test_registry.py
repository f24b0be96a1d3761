"""The registry of studies: what is in it is a folder, a command and, if it has one, a table."""

import ast
from dataclasses import is_dataclass
from importlib import import_module
from pathlib import Path

import pytest

import archwright.bench
import docs_tables
from archwright.bench import registry
from archwright.bench.registry import STUDIES, load_study
from archwright.cli.commands.bench import command
from docs_tables.registry import all_blocks

FOLDER = Path(str(archwright.bench.__file__)).parent
SHARED = {"engine", "instruments"}

TOY = '''
from dataclasses import dataclass

from archwright.bench.engine.study import Study


@dataclass(frozen=True, kw_only=True)
class ToyConfig:
    """Measure nothing."""


STUDY = Study(config=ToyConfig, run=lambda config: 7, show=lambda config, results, console: results)
'''


def test_every_folder_is_a_study_or_shared() -> None:
    folders = {path.name for path in FOLDER.iterdir() if (path / "__init__.py").exists()}
    assert folders == {*STUDIES, *SHARED}


@pytest.mark.parametrize("name", STUDIES)
def test_a_study_is_a_command_and_a_question(name: str) -> None:
    assert is_dataclass(load_study(name).config)
    assert command.parts[name].config is load_study(name).config
    text = str(import_module(f"archwright.bench.{name}").__doc__)
    assert text.startswith("Study: ")
    assert text.endswith("?")


@pytest.mark.parametrize("folder", sorted(SHARED))
def test_what_is_shared_imports_no_study(folder: str) -> None:
    for path in (FOLDER / folder).glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom):
                parts = str(node.module).split(".")
                assert parts[:2] != ["archwright", "bench"] or parts[2] in SHARED, path


def test_folders_stay_small() -> None:
    for folder in (*STUDIES, *SHARED):
        assert len(list((FOLDER / folder).glob("*.py"))) <= 14, folder


def test_a_study_is_added_by_its_folder_and_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bench" / "toy").mkdir(parents=True)
    (tmp_path / "bench" / "toy" / "study.py").write_text(TOY)
    (tmp_path / "docs").mkdir()
    table = 'BLOCKS = {"results.md": {"toy": lambda folder: "a table"}}\n'
    (tmp_path / "docs" / "toy.py").write_text(table)
    paths = [*archwright.bench.__path__, str(tmp_path / "bench")]
    monkeypatch.setattr(archwright.bench, "__path__", paths)
    monkeypatch.setattr(docs_tables, "__path__", [*docs_tables.__path__, str(tmp_path / "docs")])
    added = (*STUDIES, "toy")
    monkeypatch.setattr(registry, "STUDIES", added)
    monkeypatch.setattr("docs_tables.registry.STUDIES", added)
    monkeypatch.setattr("archwright.cli.commands.bench.STUDIES", added)
    from archwright.cli.commands.bench import commands

    toy = commands()["toy"]
    assert toy.name == "bench toy"
    assert toy.show(toy.run(toy.config()), None) == 7  # pyright: ignore[reportArgumentType]
    pages = all_blocks().values()
    (made,) = [blocks["toy"] for blocks in pages if "toy" in blocks]
    assert made(tmp_path) == "a table"
