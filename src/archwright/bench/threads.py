"""How many threads a bench computes with."""

from collections.abc import Generator
from contextlib import contextmanager

import torch


@contextmanager
def threads(count: int | None) -> Generator[None]:
    """Compute with so many threads inside; None: with as many as before."""
    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)
