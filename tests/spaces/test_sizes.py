"""Every space at many sizes: costs that agree with torch, heads that fit, errors that say why."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.flop_counter import FlopCounterMode

from archwright.cost import graph_cost
from archwright.errors import ConfigError
from archwright.graph import Architecture, Conv, Network, Shape, walk_network
from archwright.lowering import GraphModule
from archwright.spaces import Blocks, Size, Space, Staged, dense_cell, get_space, read_architecture
from archwright.spaces.discretise import random_architecture

from ..strategies import ALL_SPACES, any_space, architectures, mixture_of, tiny


def measure(network: Network) -> tuple[int, int]:
    """Weights and multiply-accumulates on one image, by torch's own counting."""
    with torch.device("meta"):
        module = GraphModule(network).eval()
        image = torch.empty(1, *network.image)
    mixture = mixture_of(module) if module.decisions else None
    if mixture is not None:
        mixture = replace(mixture, weights=mixture.weights.to("meta").float())
    with FlopCounterMode(display=False) as counter:
        logits, _ = module(image, mixture)
    assert logits.shape == (1, walk_network(network)[network.output].channels)
    return sum(p.numel() for p in module.parameters()), counter.get_total_flops() // 2


@pytest.mark.parametrize("name", ALL_SPACES)
@settings(max_examples=12)
@given(data=st.data())
def test_costs_agree_with_torch(name: str, data: st.DataObject) -> None:
    space = any_space(name)
    size = replace(
        tiny(name),
        classes=data.draw(st.integers(2, 20)),
        image_size=data.draw(st.sampled_from((8, 28, 32, 33))),
        image_channels=data.draw(st.sampled_from((1, 3))),
    )
    network = space.discrete(data.draw(architectures(space, size)), size)
    cost = graph_cost(network)
    assert (cost.params, cost.macs) == measure(network)
    alive = graph_cost(network, live=True)
    assert alive.params <= cost.params
    assert alive.macs <= cost.macs


@pytest.mark.parametrize("name", ALL_SPACES)
def test_the_cost_of_a_supernet_is_that_of_all_candidates(name: str) -> None:
    supernet = any_space(name).supernet(tiny(name))
    cost = graph_cost(supernet)
    assert (cost.params, cost.macs) == measure(supernet)


@pytest.mark.parametrize("name", ["darts", "spos"])
def test_costs_agree_on_large_images(name: str) -> None:
    space = get_space(name)
    size = replace(tiny(name), image_size=224, classes=1000)
    network = space.discrete(drawn(space, size), size)
    assert graph_cost(network).macs == measure(network)[1]
    last = walk_network(network)[network.steps[-2].name]
    assert (last.height, last.width) == (7, 7)


def drawn(space: Space, size: Size) -> Architecture:
    return random_architecture(space, size, np.random.default_rng(0))


@pytest.mark.parametrize("name", ALL_SPACES)
@settings(max_examples=10)
@given(data=st.data())
def test_spaces_come_in_many_sizes(name: str, data: st.DataObject) -> None:
    space = any_space(name)
    size = Size(
        channels=8 * data.draw(st.integers(1, 3)),
        cells=data.draw(st.integers(4, 8)),
        classes=data.draw(st.integers(1, 9)),
        image_size=data.draw(st.integers(1, 40)),
    )
    network = space.discrete(data.draw(architectures(space, size)), size)
    assert walk_network(network)[network.output] == Shape(size.classes, 1, 1)
    assert space.supernet(size).decisions() == space.decisions(size)
    searched = {decision.name for decision in space.decisions(size)}
    assert searched >= set(data.draw(architectures(space, size)).answers())


@pytest.mark.parametrize("name", ALL_SPACES)
@pytest.mark.parametrize("image_size", [8, 16, 28, 33, 64])
def test_an_auxiliary_head_fits_or_says_why(name: str, image_size: int) -> None:
    space = any_space(name)
    size = replace(tiny(name), image_size=image_size)
    architecture = drawn(space, size)
    after = space.skeleton.auxiliary_after(size)
    side = walk_network(space.discrete(architecture, size))[after].height
    if side == 1:
        with pytest.raises(
            ConfigError, match=f"^no auxiliary head fits on 1x1 pixels after {after}"
        ):
            space.discrete(architecture, size, auxiliary=True)
        return
    network = space.discrete(architecture, size, auxiliary=True)
    shapes = walk_network(network)
    assert shapes["auxiliary"] == shapes[network.output]
    assert network.output == "head"


@pytest.mark.parametrize("stages", [(2,), (1, 2)])
def test_an_auxiliary_head_fits_on_a_single_stage(stages: tuple[int, ...]) -> None:
    staged = Staged(dense_cell(1), multipliers=stages)
    blocks = Blocks(depths=(2,) * len(stages), multipliers=stages, stem=1, head=1)
    size = Size(channels=8, cells=4, image_size=16)
    for skeleton in (staged, blocks):
        name = "cell" if skeleton is staged else "block"
        after = skeleton.auxiliary_after(size)
        number = int(after.removeprefix(name))
        assert 0 <= number < size.cells * len(stages)


@given(st.lists(st.integers(1, 9), min_size=1, max_size=5), st.integers(1, 60))
def test_blocks_are_spread_in_proportion(depths: list[int], blocks: int) -> None:
    skeleton = Blocks(depths=tuple(depths), multipliers=(1.0,) * len(depths), stem=1, head=1)
    if blocks < len(depths):
        with pytest.raises(ConfigError, match=f"cells={blocks} is too few: this space has"):
            skeleton.stages(blocks)
        return
    stages = skeleton.stages(blocks)
    assert sum(stages) == blocks
    assert min(stages) >= 1
    assert skeleton.stages(sum(depths)) == tuple(depths)
    assert skeleton.stages(3 * sum(depths)) == tuple(3 * depth for depth in depths)
    shares = [blocks * depth / sum(depths) for depth in depths]
    if min(shares) >= 1:
        assert all(abs(s - share) < 1 for s, share in zip(stages, shares, strict=True))


@pytest.mark.parametrize("field", ["channels", "cells", "classes", "image_size", "image_channels"])
def test_sizes_are_positive(field: str) -> None:
    with pytest.raises(ConfigError, match=rf"^{field} must be at most [\d,]+, got 10,000,000$"):
        Size(**{"channels": 1, "cells": 1, field: 10_000_000})
    with pytest.raises(ConfigError, match=f"^{field} must be at least 1, got 0$"):
        Size(**{"channels": 1, "cells": 1, field: 0})


@pytest.mark.parametrize(
    ("name", "size", "message"),
    [
        ("darts", Size(channels=4, cells=2), "cells=2 is too few: this space needs 3"),
        ("darts", Size(channels=1, cells=3), "channels=1 is too narrow"),
        ("spos", Size(channels=8, cells=3), "cells=3 is too few: this space has 4 stages"),
        ("spos", Size(channels=6, cells=4), "channels=6 makes a stage of 6 channels"),
    ],
)
def test_sizes_that_cannot_be(name: str, size: Size, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        get_space(name).supernet(size)


def test_the_first_stages_of_darts_on_large_images() -> None:
    network = get_space("darts").discrete(
        read_architecture("darts-v1"), Size(channels=16, cells=3, image_size=96)
    )
    shapes = walk_network(network)
    assert shapes["stem0"] == (16, 24, 24)
    assert shapes["stem1"] == (16, 12, 12)
    assert shapes["cell0"][1:] == (12, 12)


@pytest.mark.parametrize("name", ALL_SPACES)
def test_only_found_networks_learn_scales_on_their_edges(name: str) -> None:
    space, size = any_space(name), tiny(name)
    found = space.discrete(drawn(space, size), size)
    for network, affine in ((space.supernet(size), False), (found, True)):
        norms = [
            m.primitive
            for m in network.modules()
            if "->" in m.slot and m.primitive.stateful and not isinstance(m.primitive, Conv)
        ]
        assert norms
        assert all((norm.params > 0) == affine for norm in norms)
