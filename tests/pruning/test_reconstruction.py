"""What stands in for deleted nodes: never worse than the plain sum, and exact where it can be."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from archwright.graph import Network, Node, Pruning, named_fusion
from archwright.graph.passes.rewire import deletable, gate_slot, parse_weight_slot
from archwright.lowering import GraphModule
from archwright.pruning.gates import gated_network
from archwright.pruning.reconstruction import (
    least_squares,
    pruned_network,
    reconstruct,
    reset_bn_statistics,
)
from archwright.spaces import get_space, read_architecture

from ..strategies import images, seeded, tiny
from .helpers import FUSIONS, fusions, logits, networks, some_nodes


def with_gates(whole: Network, *, one: bool = False) -> GraphModule:
    """The network in float64 with random weights, and random gates unless they are to be one."""
    state = seeded(whole).state_dict()
    gated, gates = gated_network(whole, state)
    gated = gated.double()
    gated.load_state_dict(state, strict=False)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for gate in gates.values():
            gate.fill_(1.0 if one else 0.2 + float(torch.rand((), generator=generator)))
    return gated.eval()


@contextmanager
def watched(network: GraphModule) -> Generator[dict[str, tuple[Tensor, Tensor]]]:
    """What goes into each weight of a linear fusion, and what comes out, by slot."""
    seen: dict[str, tuple[Tensor, Tensor]] = {}

    def keep(slot: str) -> None:
        def hook(module: nn.Module, given_: tuple[Tensor, ...], made: Tensor) -> None:
            seen[slot] = (given_[0].detach(), made.detach())

        handles.append(network.slots[slot].register_forward_hook(hook))

    handles: list[torch.utils.hooks.RemovableHandle] = []
    for slot in network.slots:
        if parse_weight_slot(slot) is not None:
            keep(slot)
    yield seen
    for handle in handles:
        handle.remove()


def outputs(gated: GraphModule, nodes: frozenset[Node], x: Tensor) -> dict[Node, Tensor]:
    """What the gates of these nodes give."""
    made: dict[Node, Tensor] = {}

    def keep(node: Node) -> Any:
        def hook(module: nn.Module, given_: Any, out: Tensor) -> None:
            made[node] = out.detach()

        return hook

    for node in nodes:
        gated.slots[gate_slot(*node)].register_forward_hook(keep(node))
    gated(x)
    return made


@settings(max_examples=30)
@given(st.integers(0, 2**31), st.booleans(), st.integers(1, 4), st.sampled_from((0.0, 1e-9, 1.0)))
def test_least_squares_is_least(seed: int, shared: bool, count: int, apart: float) -> None:
    """Also where what is added up is nearly, or wholly, the same."""
    generator = torch.Generator().manual_seed(seed)
    first = torch.randn(1, 3, 2, 4, 4, generator=generator).double()
    others = torch.randn(count, 3, 2, 4, 4, generator=generator).double()
    x = first + apart * others
    y = torch.randn(3, 2, 4, 4, generator=generator).double()
    found = least_squares(x, y, shared=shared)
    assert found.shape == (count, 1 if shared else 2)

    def error(weights: Tensor) -> Tensor:
        made = (weights[:, None, :, None, None] * x).sum(0)
        return (made - y).square().sum((0, 2, 3)).sum(dim=0 if shared else (), keepdim=shared)

    best = found if not shared else found.expand(count, 2)
    assert (error(best) <= error(torch.ones_like(best)) * (1 + 1e-9)).all()
    if apart == 1.0:
        for _ in range(5):
            step = 1e-3 * torch.randn(found.shape, generator=generator).double()
            other = found + step
            assert (error(best) <= error(other.expand(count, 2)) * (1 + 1e-9)).all()


@settings(max_examples=15)
@given(st.data())
def test_a_fit_is_never_worse_than_the_sum(data: st.DataObject) -> None:
    whole = data.draw(networks())
    deleted = data.draw(some_nodes(whole))
    fusion = named_fusion(
        data.draw(st.sampled_from(("linear", "linear+se"))),
        per=data.draw(st.sampled_from(("scalar", "channel"))),
    )
    gated, x = with_gates(whole), images(whole)
    pruned = pruned_network(whole, Pruning(deleted=deleted, fusion=fusion, gated=True), gated)
    reconstruct(pruned, gated, deleted, x, recalibrated=data.draw(st.booleans()))
    wanted = outputs(gated, deleted, x)
    with watched(pruned) as seen:
        pruned.eval()(x)
    fusions_: dict[str, list[tuple[Tensor, Tensor]]] = {}
    for slot, pair in seen.items():
        fusions_.setdefault(slot.rpartition("/")[0], []).append(pair)
    assert fusions_
    for name, parts in fusions_.items():
        node = parse_weight_slot(f"{name}/from0")
        assert node is not None
        target = wanted[node]
        fitted = (sum(out for _, out in parts) - target).square().sum()
        plain = (sum(given_ for given_, _ in parts) - target).square().sum()
        assert fitted <= plain * (1 + 1e-6) + 1e-9


SKIPS = "|nor_conv_3x3~0|+|skip_connect~0|skip_connect~1|+|nor_conv_1x1~0|none~1|nor_conv_3x3~2|"


@pytest.mark.parametrize("fusion", ["linear", "linear+se"])
@pytest.mark.parametrize("per", ["channel", "scalar"])
def test_a_node_that_only_adds_is_replaced_exactly(fusion: str, per) -> None:
    """Node 2 is the sum of 0 and 1, times its gate: the weights are the gate, each."""
    whole = get_space("nasbench201").discrete(read_architecture(SKIPS), tiny("nasbench201"))
    gated, x = with_gates(whole), images(whole, batch=6)
    deleted = frozenset({("cell0", 2)})
    how = named_fusion(fusion, per=per)
    pruned = pruned_network(whole, Pruning(deleted=deleted, fusion=how, gated=True), gated)
    reconstruct(pruned, gated, deleted, x, recalibrated=False)
    gate = gated.get_parameter(f"slots.{gate_slot('cell0', 2)}.weight")
    for source in (0, 1):
        weight = pruned.get_parameter(f"slots.cell0/fusion2->3/from{source}.weight")
        torch.testing.assert_close(weight, gate.expand_as(weight))
    torch.testing.assert_close(logits(pruned, x), logits(gated, x))


@settings(max_examples=10)
@given(st.data())
def test_a_node_with_a_gate_of_zero_goes_without_a_trace(data: st.DataObject) -> None:
    whole = data.draw(networks())
    deleted = data.draw(some_nodes(whole))
    gated, x = with_gates(whole), images(whole)
    with torch.no_grad():
        for node in deleted:
            gated.get_parameter(f"slots.{gate_slot(*node)}.weight").zero_()
    fusion = named_fusion("linear+se")
    pruned = pruned_network(whole, Pruning(deleted=deleted, fusion=fusion, gated=True), gated)
    reconstruct(pruned, gated, deleted, x, recalibrated=False)
    torch.testing.assert_close(logits(pruned, x), logits(gated, x), rtol=0, atol=0)


@settings(max_examples=10)
@given(st.data())
def test_recalibration_starts_at_exactly_one(data: st.DataObject) -> None:
    whole = data.draw(networks())
    deleted = data.draw(some_nodes(whole))
    gated, x = with_gates(whole), images(whole)
    made: list[Tensor] = []
    linear = data.draw(st.booleans())
    for name in ("linear", "linear+se") if linear else ("sum", "se"):
        pruning = Pruning(deleted=deleted, fusion=named_fusion(name), gated=True)
        pruned = pruned_network(whole, pruning, gated)
        reconstruct(pruned, gated, deleted, x)
        made.append(logits(pruned, x))
    torch.testing.assert_close(*made, rtol=0, atol=0)


@settings(max_examples=10)
@given(networks(), fusions, st.booleans())
def test_deleting_nothing_changes_nothing(whole: Network, fusion, is_gated: bool) -> None:
    gated, x = with_gates(whole, one=True), images(whole)
    nothing = pruned_network(whole, Pruning(fusion=fusion, gated=is_gated), gated)
    torch.testing.assert_close(logits(nothing, x), logits(gated, x), rtol=0, atol=0)
    whole_one = GraphModule(whole).double()
    whole_one.load_state_dict(seeded(whole).state_dict())
    torch.testing.assert_close(logits(nothing, x), logits(whole_one, x), rtol=0, atol=0)


@pytest.mark.parametrize("fusion", FUSIONS)
def test_what_is_kept_keeps_its_weights(fusion: str) -> None:
    whole = get_space("darts").discrete(read_architecture("darts-v2"), tiny("darts"))
    gated, x = with_gates(whole), images(whole)
    deleted = frozenset({("cell0", 3), ("cell1", 2), ("cell1", 4)})
    pruning = Pruning(deleted=deleted, fusion=named_fusion(fusion), gated=True)
    pruned = pruned_network(whole, pruning, gated)
    reconstruct(pruned, gated, deleted, x, recalibrated=False)
    kept = gated.state_dict()
    for name, value in pruned.state_dict().items():
        if name in kept:
            torch.testing.assert_close(value, kept[name], rtol=0, atol=0)
        else:
            assert "/fusion" in name


def test_statistics_are_those_of_the_images() -> None:
    whole = get_space("nasbench201").discrete(read_architecture(SKIPS), tiny("nasbench201"))
    network, x = seeded(whole).eval(), images(whole, batch=8)
    stem = network.slots["stem/1"]
    assert isinstance(stem, nn.BatchNorm2d)
    seen: list[Tensor] = []
    stem.register_forward_hook(lambda m, given_, out: seen.append(given_[0]))
    reset_bn_statistics(network, x)
    torch.testing.assert_close(stem.running_mean, seen[0].mean((0, 2, 3)))
    torch.testing.assert_close(stem.running_var, seen[0].transpose(0, 1).flatten(1).var(1))
    assert stem.momentum == 0.1
    assert not any(module.training for module in network.modules())
    before = logits(network, x)
    reset_bn_statistics(network, x)
    torch.testing.assert_close(logits(network, x), before)


def test_statistics_are_left_alone_if_that_is_asked_for() -> None:
    whole = get_space("darts").discrete(read_architecture("darts-v2"), tiny("darts"))
    gated, x = with_gates(whole), images(whole)
    deleted = frozenset(deletable(whole)[:2])
    pruning = Pruning(deleted=deleted, fusion=named_fusion("linear"), gated=True)
    norms: list[dict[str, Tensor]] = []
    for recalibrated in (False, True):
        pruned = pruned_network(whole, replace(pruning), gated)
        reconstruct(pruned, gated, deleted, x, recalibrated=recalibrated)
        norms.append({k: v for k, v in pruned.state_dict().items() if "running" in k})
    kept = gated.state_dict()
    assert all(torch.equal(value, kept[name]) for name, value in norms[0].items())
    assert not any(torch.equal(value, kept[name]) for name, value in norms[1].items())
