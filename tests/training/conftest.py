from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
import torch

from archwright.engine.device import make_fabric

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
