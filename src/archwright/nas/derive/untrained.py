"""Null distribution of every search: architectures derived from an untrained alpha."""

from collections.abc import Iterable, Iterator

import torch

from archwright.graph import Architecture, Network
from archwright.nas.method import Method
from archwright.nas.monitor.statistics import Weights
from archwright.nas.parameters.alpha import weights_by_decision
from archwright.nas.parameters.ranking import candidate_trees, hierarchical_scores
from archwright.nas.recipe import Derivation
from archwright.spaces import Size, Space
from archwright.spaces.discretise import discretise


def untrained_weights(
    method: Method, network: Network, deviation: float, seeds: Iterable[int]
) -> Iterator[Weights]:
    """Yield the expected weights of `method` at its initial alpha on `network`, seed by seed.

    `deviation` is that of the initial logits. The network is not executed; seeds are those of
    torch's generator, whose state is restored.
    """
    with torch.random.fork_rng(devices=()):
        alpha = method.alpha(network, deviation)
        decisions = network.decisions()
        for seed in seeds:
            torch.manual_seed(seed)
            alpha.reset_parameters(deviation)
            yield weights_by_decision(method, alpha(), decisions)


def untrained_architectures(
    method: Method,
    space: Space,
    size: Size,
    network: Network,
    seeds: Iterable[int],
    *,
    derivation: Derivation = "flat",
    ranks_none: bool | None = None,
) -> Iterator[Architecture]:
    """Yield architectures that `method` derives on the supernet `network` from initial alphas.

    The derivation is the search's own, without budgets; `ranks_none` says whether `none` can be
    selected by its own weight (None: as the method has it).
    """
    ranks_none = method.ranks_none if ranks_none is None else ranks_none
    deviation = method.recipe(space.name).alpha_init
    trees = candidate_trees(network)
    for weights in untrained_weights(method, network, deviation, seeds):
        ranked = hierarchical_scores(trees, weights) if derivation == "nested" else weights
        yield discretise(space, size, ranked, null=ranks_none)
