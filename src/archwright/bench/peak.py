"""How far memory grows at its highest point."""

import ctypes
import gc
from collections.abc import Callable
from pathlib import Path

import torch

_PROCESS = Path("/proc/self")


def peak_growth(step: Callable[[], object], device: torch.device) -> tuple[int | None, str]:
    """Bytes by which `step` raises the memory in use, at most; or None, and why not.

    On a GPU what PyTorch has allocated; on the CPU what is resident, after the allocator has given
    back what is free.
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
        step()
        return max(_resident("VmHWM") - before, 0), ""
    except (OSError, AttributeError, KeyError) as error:
        return None, f"this system reports no peak that can be reset ({type(error).__name__})"


def _forget_peak() -> None:
    """Give free memory back (GNU's allocator), and let the peak be what is resident now (Linux)."""
    ctypes.CDLL(None).malloc_trim(0)
    (_PROCESS / "clear_refs").write_text("5")


def _resident(field: str) -> int:
    lines = (_PROCESS / "status").read_text().splitlines()
    fields = dict(line.split(":", 1) for line in lines)
    return int(fields[field].split()[0]) * 1024
