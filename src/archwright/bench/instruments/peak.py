"""Peak of memory."""

import ctypes
import gc
from collections.abc import Callable
from pathlib import Path

import torch

_PROCESS = Path("/proc/self")
_MMAP_THRESHOLD = -3
"""M_MMAP_THRESHOLD of malloc.h: from how many bytes on an allocation is a mapping of its own."""
_PAGES = 2**16

Peak = tuple[int | None, str]
"""Bytes; or None, and why they could not be measured."""


def peak_growth(step: Callable[[], object], device: torch.device) -> Peak:
    """Return the largest growth of the memory in use during `step`, in bytes.

    On a GPU, memory allocated by PyTorch; on the CPU, resident memory (see `map_tensors`).
    """
    gc.collect()
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        step()
        return torch.cuda.max_memory_allocated(device) - before, ""
    if device.type != "cpu":
        return None, f"{device.type} reports no peak"
    try:
        _forget_peak()
        before = _resident("VmRSS")
    except (OSError, AttributeError, KeyError) as error:
        return None, f"this system reports no peak that can be reset ({type(error).__name__})"
    step()
    return max(_resident("VmHWM") - before, 0), ""


def map_tensors() -> None:
    """Make every larger tensor a mapping of its own (glibc), for the rest of the process.

    Called before any allocation, this keeps the allocator's fragments, which depend on earlier
    work, out of the resident memory. It is slow: do not measure time afterwards.
    """
    if hasattr(libc := ctypes.CDLL(None), "mallopt"):
        libc.mallopt(_MMAP_THRESHOLD, _PAGES)


def _forget_peak() -> None:
    """Give free memory back (glibc), and reset the peak to the resident memory (Linux)."""
    ctypes.CDLL(None).malloc_trim(0)
    (_PROCESS / "clear_refs").write_text("5")


def _resident(field: str) -> int:
    lines = (_PROCESS / "status").read_text().splitlines()
    fields = dict(line.split(":", 1) for line in lines)
    return int(fields[field].split()[0]) * 1024
