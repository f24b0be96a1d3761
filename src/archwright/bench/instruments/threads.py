"""Model of the CPU, and number of threads."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import torch

_CPUINFO = Path("/proc/cpuinfo")
_NAMED = ("model name", "cpu family", "model")


def processor() -> str:
    """Return the CPU by name, family and model (Linux), or "" where the system does not say."""
    try:
        lines = _CPUINFO.read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    pairs = (line.partition(":")[::2] for line in reversed(lines))
    said = {name.strip(): value.strip() for name, value in pairs}
    if any(name not in said for name in _NAMED):
        return ""
    name, family, model = (said[name] for name in _NAMED)
    return f"{name} (family {family}, model {model})"


@contextmanager
def threads(count: int | None) -> Generator[None]:
    """Compute with `count` threads inside; None: with as many as before."""
    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)
