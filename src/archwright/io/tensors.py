"""Weights on disk: a safetensors file with a checksum of its content."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from archwright.errors import RunError

_CHECKSUM = "sha256"
"""Field of the file's header."""


def pack_tensors(tensors: Mapping[str, Tensor]) -> bytes:
    """Return the content of a file that `read_tensors` reads."""
    kept = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    return save(kept, metadata={_CHECKSUM: checksum(kept)})


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Read the tensors that `pack_tensors` wrote, on the CPU.

    Raises:
        RunError: the file is missing, damaged, or carries no checksum.
    """
    try:
        with safe_open(path, "pt") as file:
            said = (file.metadata() or {}).get(_CHECKSUM)
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise RunError(f"{path} is damaged ({error}): restore it, or make the run again") from None
    if said is None:
        raise RunError(
            f"{path} carries no checksum, so it is not as a run left it: restore it, or make the "
            f"run again"
        )
    if said != checksum(tensors):
        raise RunError(
            f"{path} is damaged (its checksum is another): restore it, or make the run again"
        )
    return tensors


def checksum(tensors: Mapping[str, Tensor]) -> str:
    """Return the SHA-256, in hexadecimal, of names, types, shapes and values, in order of names."""
    whole = hashlib.sha256()
    for name in sorted(tensors):
        value = tensors[name].detach().cpu().contiguous()
        whole.update(f"{name} {value.dtype} {list(value.shape)}\n".encode())
        whole.update(value.reshape(-1).view(torch.uint8).numpy().tobytes())
    return whole.hexdigest()
