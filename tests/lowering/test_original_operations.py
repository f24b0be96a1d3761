"""The naive lowering runs what the code runs that it stands for."""

from collections import Counter
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from typing_extensions import override

from archwright.lowering import GraphModule, Mixture, logits_table
from archwright.spaces import Size, get_space


def test_the_operations_are_those_of_the_original_darts_code() -> None:
    """Its supernet of 8 cells, counted in its own code; widths and sizes make no difference."""
    size = Size(channels=4, cells=8, image_size=16)
    module = GraphModule(get_space("darts").supernet(size))
    calls: Counter[str] = Counter()

    class Counting(TorchDispatchMode):
        @override
        def __torch_dispatch__(
            self, func: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> object:
            calls[func._schema.name.removeprefix("aten::")] += 1
            return func(*args, **(kwargs or {}))

    mixture = Mixture.from_logits(logits_table(module.decisions))
    with Counting():
        module(torch.randn(2, 3, 16, 16), mixture)
    assert calls["convolution"] == 672 + 723  # depthwise, others
    assert calls["native_batch_norm"] == 929
    assert calls["relu"] == 704
    assert calls["max_pool2d_with_indices"] + calls["avg_pool2d"] == 2 * 14 * 8
    assert sum(calls.values()) < 8172  # and no more than it has in all
