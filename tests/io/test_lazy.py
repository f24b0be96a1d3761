"""Names of a package are imported at their first use, and kept."""

import sys
from pathlib import Path
from typing import Any

import pytest

PACKAGE = """
from archwright.io.lazy import lazy_names

__getattr__ = lazy_names(__name__, {"value": "inner", "lacking": "inner"}, {"whole": "inner"})
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    (tmp_path / "lazily").mkdir()
    (tmp_path / "lazily" / "__init__.py").write_text(PACKAGE)
    (tmp_path / "lazily" / "inner.py").write_text("value = object()\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in ("lazily", "lazily.inner"):
        monkeypatch.setitem(sys.modules, name, None)  # so that they are taken out afterwards
        del sys.modules[name]
    return __import__("lazily")


def test_a_name_is_imported_at_its_first_use_and_kept(package: Any) -> None:
    assert "lazily.inner" not in sys.modules
    value = package.value
    assert sys.modules["lazily.inner"].value is value
    assert vars(package)["value"] is value


def test_a_name_may_stand_for_a_module(package: Any) -> None:
    assert package.whole is sys.modules["lazily.inner"]


def test_another_name_is_an_attribute_error(package: Any) -> None:
    with pytest.raises(AttributeError, match=r"^module 'lazily' has no attribute 'valeu'$"):
        _ = package.valeu
    with pytest.raises(AttributeError, match=r"^module 'lazily.inner' has no attribute 'lacking'"):
        _ = package.lacking
