from collections.abc import Iterator
from pathlib import Path

import pytest

from archwright import tasks
from archwright.io.plugins import plugins
from archwright.tasks import Task, get_task

TOY = Path(__file__).with_name("labelling.py")


@pytest.fixture(scope="session")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An installed package that adds the toy task: one file, and one line of its metadata."""
    folder = tmp_path_factory.mktemp("site")
    (folder / "toy_labelling.py").write_text(TOY.read_text())
    about = folder / "toy_labelling-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: toy-labelling\nVersion: 1.0\n")
    line = "pixel-labelling = toy_labelling:PixelLabelling"
    (about / "entry_points.txt").write_text(f"[{tasks.GROUP}]\n{line}\n")
    return folder


@pytest.fixture
def fresh_registry() -> Iterator[None]:
    """Forget the tasks that were found, before and after."""
    found = (plugins, get_task)
    for cached in found:
        cached.cache_clear()
    yield
    for cached in found:
        cached.cache_clear()


@pytest.fixture
def installed(package: Path, monkeypatch: pytest.MonkeyPatch, fresh_registry: None) -> None:
    monkeypatch.syspath_prepend(str(package))


@pytest.fixture
def labelling(installed: None) -> Task:
    return get_task("pixel-labelling")
