"""Supernet of the original DARTS code, for `archwright bench supernet --beside`.

That code is not part of this repository. Get it from https://github.com/quark0/darts, and name its
folder `cnn` in $ORIGINAL_DARTS.
"""

import os
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from archwright.errors import ConfigError
from archwright.spaces import Size

VARIABLE = "ORIGINAL_DARTS"


def supernet(size: Size, device: torch.device) -> tuple[nn.Module, Sequence[Tensor]]:
    """Build their supernet at a size, with its alphas; only the device that they choose is another.

    Raises:
        ConfigError: the code is not where the variable says.
    """
    folder = Path(os.environ.get(VARIABLE, ""))
    if not (folder / "model_search.py").is_file():
        raise ConfigError(
            f"${VARIABLE} must name the folder cnn of https://github.com/quark0/darts, "
            f"and {folder} holds no model_search.py"
        )
    with _importing(folder), _instead_of_cuda(device):
        network: Any = import_module("model_search").Network(
            size.channels, size.classes, size.cells, nn.CrossEntropyLoss()
        )
    return network.to(device), network.arch_parameters()


@contextmanager
def _importing(folder: Path) -> Generator[None]:
    """Inside, modules of a folder are found first."""
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))


@contextmanager
def _instead_of_cuda(device: torch.device) -> Generator[None]:
    """Inside, `tensor.cuda()`, which their code calls, goes to `device`."""
    before: Any = Tensor.cuda
    moved: Any = lambda tensor: tensor.to(device)  # noqa: E731
    Tensor.cuda = moved
    try:
        yield
    finally:
        Tensor.cuda = before
