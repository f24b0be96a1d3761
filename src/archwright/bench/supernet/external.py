"""Supernet of other code, which is measured in turns with ours."""

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from archwright.bench.supernet.interleaved import BenchmarkedNetwork
from archwright.bench.supernet.variants import external_variant
from archwright.errors import ArchwrightError, ConfigError
from archwright.spaces import Size


def load_external_network(
    path: Path, size: Size, seed: int, device: torch.device
) -> BenchmarkedNetwork:
    """Build the supernet of a Python file at a size, on a device, by its function `supernet`.

    The function returns a module that maps images [B, C, H, W] to class scores [B, classes], and
    the tensors that a search learns beside its weights.

    Raises:
        ConfigError: there is no such file, or it cannot be used (it says why).
    """
    if not path.is_file():
        raise ConfigError(f"--beside {path}: there is no such file")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise ConfigError(f"--beside {path} is no Python file")
    code = importlib.util.module_from_spec(spec)
    torch.manual_seed(seed)
    try:
        spec.loader.exec_module(code)
        made: Any = code.supernet(size, device)
    except ArchwrightError:
        raise
    except (Exception, SystemExit) as error:  # a user's file may fail in any way
        raise ConfigError(
            f"--beside {path} cannot be used: {type(error).__name__}: {error}"
        ) from error
    if not _is_pair(made):
        raise ConfigError(
            f"--beside {path}: supernet(size, device) must give a module and a list of the tensors "
            f"that are searched"
        )
    module, searched = cast("tuple[nn.Module, Sequence[Tensor]]", made)
    return BenchmarkedNetwork(
        variant=external_variant(path),
        module=module.train(),
        scores=module,
        searched=tuple(searched),
    )


def _is_pair(made: object) -> bool:
    if not isinstance(made, tuple) or len(cast("tuple[Any, ...]", made)) != 2:
        return False
    module, searched = cast("tuple[Any, Any]", made)
    return isinstance(module, nn.Module) and all(isinstance(one, Tensor) for one in searched)
