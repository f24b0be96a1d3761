from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch

from archwright.engine.device import make_fabric

from ..engine.helpers import PLAIN, UNEVEN

if TYPE_CHECKING:
    from lightning_fabric import Fabric


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def fabric() -> "Fabric":
    return make_fabric("cpu", "32-true")


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
