"""Counts of a running network: operator calls, kernel launches, multiply-accumulates."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode
from typing_extensions import override

_LAUNCH = ("cudaLaunch", "cuLaunch", "hipLaunch", "hipExtLaunch")


class _CallCounter(TorchDispatchMode):
    """Counter of calls of ATen operators, those of backward included."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    @override
    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> object:
        self.calls += func.namespace == "aten"
        return func(*args, **(kwargs or {}))


def aten_ops(forward: Callable[[], Tensor]) -> tuple[int, int]:
    """Count calls of ATen operators in `forward`, and in all with the backward pass of its loss."""
    with _CallCounter() as counter:
        loss = forward()
        before = counter.calls
        loss.backward()
    return before, counter.calls


def forward_macs(forward: Callable[[], object]) -> int:
    """Count the multiply-accumulates of convolutions and matrix products in `forward`."""
    # without gradients: the counter would hold all that they keep, in a cycle
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        forward()
    return counter.get_total_flops() // 2


def launches(step: Callable[[], object], device: torch.device) -> int | None:
    """Count the kernels that `step` launches on a GPU; None on other devices."""
    if device.type != "cuda":
        return None
    from torch.profiler import ProfilerActivity, profile

    with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as profiler:
        step()
        torch.cuda.synchronize(device)
    counted = (event.count for event in profiler.key_averages() if event.key.startswith(_LAUNCH))
    return sum(counted)
