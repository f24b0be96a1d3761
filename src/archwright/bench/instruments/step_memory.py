"""Memory that a step of a search takes."""

from statistics import mean

import torch
from torch import Tensor

from archwright.cost import saved_bytes
from archwright.nas.config import SearchConfig
from archwright.nas.loop.run import build_run
from archwright.nas.method import Progress

_DRAWS = 8
"""Mixtures that are drawn of a method that runs only a sample."""


def step_bytes(config: SearchConfig) -> int | None:
    """Return the bytes that autograd keeps for backward in a step of a search.

    As in the bench of supernets, a step is one forward pass with its loss, with gradients to all
    weights and to alpha; each storage counts once, weights are left out. If a method runs only a
    sample, the result is the mean over a fixed set of draws. None: it trains nothing.
    """
    run = build_run(config)
    method, recipe, fabric = run.method, run.recipe, run.fabric
    if not method.trains:
        return None
    size, device = run.size, fabric.device
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        bilevel = run.build_bilevel()
        torch.manual_seed(0)
        images = torch.randn(recipe.batch_size, *size.image, device=device)
        targets = bilevel.task.random_targets(images, size.classes)

        def forward() -> Tensor:
            logits = bilevel.alpha()
            mixture = method.mixture(logits.candidates, Progress(0, recipe.epochs, 0.0))
            sampled.append(mixture.sample is not None)
            if logits.edge_weights is not None:
                mixture = mixture.times(logits.edge_weights)
            with fabric.autocast():
                scores, _ = bilevel.network(images, mixture)
                return bilevel.task.loss(scores, targets)

        sampled: list[bool] = []
        resident = [*bilevel.network.parameters(), *bilevel.network.buffers()]
        resident += [*bilevel.alpha.parameters(), *bilevel.alpha.buffers()]
        counted = [saved_bytes(forward, resident)]
        if sampled[0]:
            counted += [saved_bytes(forward, resident) for _ in range(_DRAWS - 1)]
    return round(mean(counted))
