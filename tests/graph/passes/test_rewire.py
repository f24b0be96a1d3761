"""Deleting nodes: what is left is what the definition says, and it costs what is counted."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from archwright.cost import graph_cost
from archwright.errors import GenotypeError, GraphError
from archwright.graph import (
    INPUT,
    Cell,
    Fusion,
    Network,
    Pruning,
    Scale,
    named_fusion,
    verify_discrete,
    walk_network,
)
from archwright.graph.expr import is_zero
from archwright.graph.passes.rewire import (
    deletable,
    fusion_slot,
    gate_slot,
    parse_weight_slot,
    rewire,
    weight_slot,
)
from archwright.lowering import GraphModule
from archwright.spaces import Size, get_space, read_architecture

from ...strategies import ALL_SPACES, any_space, architectures, images, seeded, tiny

CELLS = {
    "darts": "darts-v2",
    "nasbench201": (
        "|nor_conv_3x3~0|+|none~0|nor_conv_1x1~1|+|skip_connect~0|none~1|avg_pool_3x3~2|"
    ),
}
FUSIONS = st.builds(
    named_fusion,
    st.sampled_from(("sum", "linear", "se", "linear+se")),
    per=st.sampled_from(("scalar", "channel")),
    reduction=st.integers(1, 4),
    floor=st.integers(1, 3),
)


@st.composite
def found(draw: DrawFn) -> Network:
    """The network of a random architecture of any space."""
    space = any_space(draw(st.sampled_from(ALL_SPACES)))
    return space.discrete(draw(architectures(space)), tiny(space.name))


@st.composite
def prunings(draw: DrawFn, network: Network) -> Pruning:
    """Any nodes that can be deleted, and anything in their stead."""
    nodes = deletable(network)
    deleted = draw(st.sets(st.sampled_from(nodes))) if nodes else set()
    return Pruning(deleted=frozenset(deleted), fusion=draw(FUSIONS), gated=draw(st.booleans()))


def weight(module: GraphModule, slot: str) -> Tensor:
    """The learned weights in a slot."""
    return module.get_parameter(f"slots.{slot}.weight")


class Oracle:
    """The pruned network as it is defined, evaluated node by node from the whole one's graph."""

    def __init__(self, whole: Network, pruning: Pruning, module: GraphModule) -> None:
        self.whole, self.pruning, self.module = whole, pruning, module
        self.deletable = deletable(whole)

    def __call__(self, x: Tensor) -> Tensor:
        made = {INPUT: x}
        for step in self.whole.steps:
            given_ = [made[name] for name in step.inputs]
            if isinstance(step.body, Cell):
                made[step.name] = self.cell(step.name, step.body, given_)
            else:
                made[step.name] = self.run(step.body, given_[0])
        return made[self.whole.output]

    def run(self, expr, x: Tensor) -> Tensor:
        step = replace(self.whole.steps[0], name="part", body=expr, inputs=(INPUT,))
        part = GraphModule(replace(self.whole, steps=(step,), auxiliary="")).double()
        part.inherit(self.module)
        return part.train(self.module.training)(x)[0]

    def cell(self, name: str, cell: Cell, given_: list[Tensor]) -> Tensor:
        deleted = self.pruning.of(name, cell.kind)
        slots = self.module.slots
        h = [self.run(expr, x) for expr, x in zip(cell.inputs, given_, strict=True)]

        def roots(node: int) -> list[int]:
            found_: list[int] = []
            for edge in cell.into(node):
                if is_zero(edge.body):
                    continue
                new = roots(edge.source) if edge.source in deleted else [edge.source]
                found_ += [source for source in new if source not in found_]
            return found_

        def fused(node: int, successor: int | str) -> Tensor:
            total = torch.zeros_like(h[node])
            for source in roots(node):
                x = h[source]
                step = -(-x.shape[2] // total.shape[2])
                x = x[:, :, ::step, ::step]
                if self.pruning.fusion.aggregation != "sum":
                    x = weight(self.module, weight_slot(name, node, successor, source)) * x
                total = total + x
            if self.pruning.fusion.recalibrated:
                total = slots[f"{fusion_slot(name, node, successor)}/se"](total)
            return total

        for node in cell.inner():
            parts: list[Tensor] = []
            for edge in cell.into(node):
                if node in deleted or is_zero(edge.body):  # only its shape is of interest
                    parts.append(self.like(edge.body, h[edge.source]))
                elif edge.source in deleted:
                    parts.append(self.run(edge.body, fused(edge.source, node)))
                else:
                    parts.append(self.run(edge.body, h[edge.source]))
            total = sum(parts[1:], parts[0])
            gated = self.pruning.gated and (name, node) in self.deletable and node not in deleted
            h.append(total * weight(self.module, gate_slot(name, node)) if gated else total)
        return torch.cat([fused(n, "output") if n in deleted else h[n] for n in cell.output], 1)

    def like(self, expr, x: Tensor) -> Tensor:
        step = replace(self.whole.steps[0], name="part", body=expr, inputs=(INPUT,))
        part = GraphModule(replace(self.whole, steps=(step,), auxiliary="")).double().eval()
        return torch.zeros_like(part(x)[0])


@settings(max_examples=20)
@given(st.data())
def test_what_is_left_computes_what_the_definition_says(data: st.DataObject) -> None:
    whole = data.draw(found())
    pruning = data.draw(prunings(whole))
    module = seeded(rewire(whole, pruning)).eval()
    x = images(whole)
    torch.testing.assert_close(module(x)[0], Oracle(whole, pruning, module)(x))


@settings(max_examples=20)
@given(st.data())
def test_shapes_stay_and_what_is_kept_keeps_its_slots(data: st.DataObject) -> None:
    whole = data.draw(found())
    pruning = data.draw(prunings(whole))
    pruned = rewire(whole, pruning)
    verify_discrete(pruned)
    assert walk_network(pruned) == walk_network(whole)
    owners = {module.slot: module.primitive for module in whole.modules()}
    for module in pruned.modules():
        if module.slot and module.slot in owners:
            assert module.primitive == owners[module.slot]
    gates = {m.slot for m in pruned.modules() if "/gate" in m.slot}
    kept = [(s, n) for s, n in deletable(whole) if (s, n) not in pruning.deleted]
    assert gates == ({gate_slot(s, n) for s, n in kept} if pruning.gated else set())


@settings(max_examples=20)
@given(st.data())
def test_what_is_counted_is_what_is_measured(data: st.DataObject) -> None:
    whole = data.draw(found())
    pruned = rewire(whole, data.draw(prunings(whole)))
    cost = graph_cost(pruned)
    with torch.device("meta"):
        module = GraphModule(pruned).eval()
        with FlopCounterMode(display=False) as counter:
            module(torch.empty(1, *pruned.image))
    assert cost.macs == counter.get_total_flops() / 2
    assert cost.params == sum(p.numel() for p in module.parameters())


@settings(max_examples=20)
@given(found())
def test_deleting_nothing_changes_nothing(whole: Network) -> None:
    assert rewire(whole, Pruning()) == whole
    gated = rewire(whole, Pruning(gated=True))
    module, gated_module = seeded(whole).eval(), GraphModule(gated).double().eval()
    gated_module.load_state_dict(module.state_dict(), strict=False)
    x = images(whole)
    assert torch.equal(gated_module(x)[0], module(x)[0])


@settings(max_examples=20)
@given(st.data())
def test_a_node_without_weight_is_deleted_without_a_trace(data: st.DataObject) -> None:
    """A gate at exactly zero, and nothing in the node's stead: bitwise the same network."""
    whole = data.draw(found())
    nodes = deletable(whole)
    deleted = data.draw(st.sets(st.sampled_from(nodes))) if nodes else set()
    gated = seeded(rewire(whole, Pruning(gated=True))).eval()
    pruning = Pruning(deleted=frozenset(deleted), fusion=data.draw(FUSIONS), gated=True)
    pruning = replace(pruning, fusion=replace(pruning.fusion, aggregation="channel"))
    pruned = seeded(rewire(whole, pruning)).eval()
    pruned.load_state_dict(gated.state_dict(), strict=False)
    with torch.no_grad():
        for step, node in deleted:
            weight(gated, gate_slot(step, node)).zero_()
            for slot in pruned.slots:
                if slot.startswith(f"{step}/fusion{node}->") and "/from" in slot:
                    weight(pruned, slot).zero_()
    x = images(whole)
    torch.testing.assert_close(pruned(x)[0], gated(x)[0], rtol=0, atol=0)


@pytest.mark.parametrize("name", ["darts", "nasbench201"])
def test_a_cell_may_lose_all_its_nodes(name: str) -> None:
    space, size = get_space(name), tiny(name)
    whole = space.discrete(read_architecture(CELLS[name]), size)
    deleted = frozenset(deletable(whole))
    kinds = {s.name for s in whole.steps if isinstance(s.body, Cell) and s.body.kind != "residual"}
    assert {step for step, _ in deleted} == kinds
    pruned = rewire(whole, Pruning(deleted=deleted))
    convs = [m for m in pruned.modules() if m.slot.split("/")[0] in kinds and m.primitive.macs]
    assert not any("conv" in module.slot for module in convs)
    assert graph_cost(pruned).macs < graph_cost(whole).macs
    module = seeded(pruned)
    assert torch.isfinite(module(images(whole))[0]).all()


def test_a_reduction_brings_its_inputs_down() -> None:
    whole = get_space("darts").discrete(read_architecture("darts-v2"), tiny("darts"))
    pruned = rewire(whole, Pruning(deleted=frozenset({("reduce", 2)})))
    labels = [m.primitive.label() for m in pruned.modules() if m.primitive.label() == "id/2"]
    # node 2 is read by nodes 3, 4 and 5 and by the output, and has two predecessors
    assert len(labels) == 2 * 4 * 2  # in each of two reductions


def test_a_kind_stands_for_all_of_its_cells() -> None:
    space, size = get_space("darts"), Size(channels=4, cells=4, image_size=8)
    whole = space.discrete(read_architecture("darts-v2"), size)
    cells = {s.name for s in whole.steps if isinstance(s.body, Cell) and s.body.kind == "normal"}
    each = Pruning(deleted=frozenset((name, 4) for name in cells))
    assert rewire(whole, Pruning(deleted=frozenset({("normal", 4)}))) == rewire(whole, each)


def test_paths_of_a_fusion_are_never_dropped() -> None:
    whole = get_space("darts").discrete(read_architecture("darts-v2"), tiny("darts"))
    everything = Pruning(deleted=frozenset(deletable(whole)))
    module = seeded(rewire(whole, everything))
    x = images(whole)
    expected = module(x)[0]
    module.drop_path = 0.9
    assert torch.equal(module(x)[0], expected)


def test_a_fusion_is_counted_in() -> None:
    whole = get_space("darts").discrete(read_architecture("darts-v2"), tiny("darts"))
    deleted = frozenset({("cell0", 5)})
    plain, recalibrated = (
        graph_cost(rewire(whole, Pruning(deleted=deleted, fusion=named_fusion(name))))
        for name in ("sum", "se")
    )
    assert recalibrated.macs - plain.macs == 2 * 4 * 8  # 4 channels, a floor of 8 units
    linear = graph_cost(rewire(whole, Pruning(deleted=deleted, fusion=named_fusion("linear"))))
    assert (linear.macs, linear.params - plain.params) == (plain.macs, 2 * 4)


def test_the_width_of_squeeze_and_excitation_has_a_floor() -> None:
    fusion = Fusion(reduction=16, floor=8)
    assert [fusion.units(channels) for channels in (36, 128, 256)] == [8, 8, 16]


@pytest.mark.parametrize(
    ("deleted", "message"),
    [
        (("cell9", 2), r"nodes of cell9 are pruned, and this network has no such cell \(of 3\)"),
        (
            ("normal", 6),
            "node 6 of cell0 cannot be deleted: .* nodes that can be deleted: 2, 3, 4, 5",
        ),
        (("cell0", 0), "node 0 of cell0 cannot be deleted"),
    ],
)
def test_what_cannot_be_deleted(deleted: tuple[str, int], message: str) -> None:
    whole = get_space("darts").discrete(read_architecture("darts-v2"), tiny("darts"))
    with pytest.raises(GenotypeError, match=message):
        rewire(whole, Pruning(deleted=frozenset({deleted})))


def test_a_node_that_nothing_leads_into_cannot_be_deleted() -> None:
    text = "|none~0|+|nor_conv_1x1~0|nor_conv_3x3~1|+|skip_connect~0|none~1|avg_pool_3x3~2|"
    space = get_space("nasbench201")
    whole = space.discrete(read_architecture(text), tiny("nasbench201"))
    assert ("cell0", 1) not in deletable(whole)
    with pytest.raises(
        GenotypeError, match="node 1 of cell0 cannot be deleted: no features of its"
    ):
        rewire(whole, Pruning(deleted=frozenset({("cell0", 1)})))
    with pytest.raises(GenotypeError, match="node 1 of down1 cannot be deleted"):
        rewire(whole, Pruning(deleted=frozenset({("down1", 1)})))


def test_a_weight_says_what_it_makes_up_for() -> None:
    for successor in (7, "output"):
        assert parse_weight_slot(weight_slot("cell3", 12, successor, 0)) == ("cell3", 12)
    assert parse_weight_slot("cell3/0->2/from0") is None
    assert parse_weight_slot(f"{fusion_slot('cell3', 2, 4)}/se") is None


def test_a_supernet_cannot_be_pruned() -> None:
    with pytest.raises(GraphError, match="is undecided: derive the network first"):
        rewire(get_space("darts").supernet(tiny("darts")), Pruning())


def test_gates_are_one_weight_a_node() -> None:
    whole = get_space("darts").discrete(read_architecture("darts-v2"), tiny("darts"))
    gated = rewire(whole, Pruning(gated=True))
    gates = [m.primitive for m in gated.modules() if "/gate" in m.slot]
    assert gates == [Scale(4 * 2 ** (i // 4), shared=True) for i in range(12)]
    assert graph_cost(gated).params - graph_cost(whole).params == len(deletable(whole)) == 12
