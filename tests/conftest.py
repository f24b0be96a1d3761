import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

# Before anything imports torch: the workers share the cores, so each takes one, and nothing
# may go to the network.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ["OMP_NUM_THREADS"] = "1"
    os.environ["MKL_NUM_THREADS"] = "1"
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ.setdefault("MPLBACKEND", "Agg")

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from lightning_fabric import Fabric

# "ci" draws the same examples in every run, so that a red gate is red for everyone; the other one
# looks for new examples: HYPOTHESIS_PROFILE=explore.
settings.register_profile("ci", derandomize=True, deadline=None, print_blob=True)
settings.register_profile("explore", deadline=None, max_examples=1000, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    """Run PyTorch in one thread: the bytes of a run depend on their number."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def fabric() -> "Fabric":
    from archwright.engine.device import make_fabric

    return make_fabric("cpu", "32-true")
