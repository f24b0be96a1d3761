"""Entry points of other packages join a registry, and two of the same name are refused."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from archwright.errors import ConfigError
from archwright.io.plugins import load_plugin, plugins, with_plugins

GROUP = "archwright.toys"


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty folder of installed packages."""
    monkeypatch.syspath_prepend(str(tmp_path))
    plugins.cache_clear()
    yield tmp_path
    plugins.cache_clear()


def install(site: Path, package: str, line: str) -> None:
    about = site / f"{package}-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(f"[{GROUP}]\n{line}\n")


def test_own_objects_come_before_plugins_in_order_of_names(site: Path) -> None:
    install(site, "one", "b = one:B\na = one:A")
    assert list(with_plugins(GROUP, {"z": "own:Z"}).items()) == [
        ("z", "own:Z"),
        ("a", "one:A"),
        ("b", "one:B"),
    ]


def test_a_plugin_with_the_name_of_an_own_object_is_refused(site: Path) -> None:
    install(site, "one", "a = one:A")
    line = r"^archwright\.toys has two entries 'a', own:A and one:A: uninstall the package of one"
    with pytest.raises(ConfigError, match=line):
        with_plugins(GROUP, {"a": "own:A"})


def test_plugins_of_one_name_are_refused_unless_they_are_the_same(site: Path) -> None:
    install(site, "one", "a = one:A")
    install(site, "same", "a = one:A")
    assert plugins(GROUP) == {"a": "one:A"}
    plugins.cache_clear()
    install(site, "two", "a = two:A")
    with pytest.raises(ConfigError, match=r"has two entries 'a', one:A and two:A: uninstall"):
        plugins(GROUP)


def test_a_plugin_that_cannot_be_imported_is_named() -> None:
    line = r"^json:nothing cannot be loaded \(AttributeError: .*\): repair or uninstall the package"
    with pytest.raises(ConfigError, match=line):
        load_plugin("json:nothing")
    assert load_plugin("json:dumps")([]) == "[]"
