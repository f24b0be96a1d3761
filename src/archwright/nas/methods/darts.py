"""DARTS (Liu et al., ICLR 2019).

Weights are the softmax of alpha (eq. 2). They are trained on one half of the training images,
alpha on the other half, in alternating steps: by the gradient at the present weights (first order,
eq. 7 with xi = 0), or at the weights after one more training step (second order, eq. 7).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from typing_extensions import override

from archwright.nas.method import Method, Progress
from archwright.nas.recipe import Recipe, Unroll

if TYPE_CHECKING:
    from torch import Tensor

    from archwright.lowering import Mixture

PROXY: Mapping[str, Any] = {
    **{"channels": 8, "cells": 3, "image_size": 16, "limit": 20_000},
    **{"epochs": 5, "batch_size": 64, "lr": 0.1, "alpha_lr": 3e-2, "alpha_start": 1},
}
"""Settings of minutes on two cores, chosen on CIFAR-10 with seeds 100 to 104 (docs/protocol.md)."""


@dataclass(frozen=True, kw_only=True)
class Darts(Method):
    """Softmax mixture of all candidates."""

    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {"paper": {}, "proxy": PROXY}

    @override
    def recipe(self, space: str) -> Recipe:
        # D-X-Y/AutoDL-Projects, configs/nas-benchmark/algos; elsewhere quark0/darts,
        # cnn/train_search.py
        benchmark = space == "nasbench201"
        return Recipe(
            epochs=50,
            batch_size=64,
            lr=0.025,
            lr_min=0.001,
            momentum=0.9,
            nesterov=benchmark,
            weight_decay=5e-4 if benchmark else 3e-4,
            clip=5.0,
            warmup_epochs=0.0,
            alpha_lr=3e-4,
            alpha_betas=(0.5, 0.999),
            alpha_weight_decay=1e-3,
            alpha_init=1e-3,
            alpha_start=0,
            alpha_first=not benchmark,
        )

    @override
    def mixture(self, logits: "Tensor", progress: Progress) -> "Mixture":
        from archwright.lowering import Mixture

        return Mixture.from_logits(logits)


@dataclass(frozen=True, kw_only=True)
class SecondOrderDarts(Darts):
    """DARTS with the gradient of alpha through one step of the weights."""

    unroll: Unroll = "finite"
    """Second-order term: finite (finite differences) or exact (differentiating twice)."""

    @property
    @override
    def unrolling(self) -> Unroll:
        return self.unroll
