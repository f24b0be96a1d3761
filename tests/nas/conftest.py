from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ..engine.helpers import PLAIN, UNEVEN

if TYPE_CHECKING:
    pass


@pytest.fixture
def uneven(tmp_path: Path) -> str:
    """A file that declares a space whose decisions differ in size."""
    path = tmp_path / "uneven.py"
    path.write_text(UNEVEN)
    return str(path)


@pytest.fixture
def plain(tmp_path: Path) -> str:
    """A file that declares a space without batch norms."""
    path = tmp_path / "plain.py"
    path.write_text(PLAIN)
    return str(path)
