"""Narrowing: a network whose widths are decided, without the channels that its masks drop.

Convolutions and norms lose the channels that are known to be zero or that nothing needs, and
what reads them loses their rows. The network computes the same.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from typing_extensions import override

from archwright.errors import GraphError
from archwright.graph import INPUT, Cell, Chain, Choice, Concat, Edge, Expr, Network, Op
from archwright.graph.channel_flow import (
    ChannelFlow,
    Flow,
    branch_offsets,
    chain_shapes,
    channel_flow,
    needed,
    nonzero,
    part,
)
from archwright.graph.expr import chain, located
from archwright.graph.ops import Slice
from archwright.graph.passes.contract import DISCRETE, NO_NEW_SLOTS, Pass, register
from archwright.graph.passes.diagnostics import Diagnostic, Report
from archwright.graph.primitive import Channels, Primitive, every_channel

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Cut:
    """Module before and after it lost channels; it reads and makes only these of those before."""

    before: Primitive
    after: Primitive
    read: Channels
    made: Channels


@dataclass(frozen=True)
class Narrowed:
    """Narrow network, and by slot which channels of its modules are left."""

    network: Network
    cuts: Mapping[str, Cut]


@register
@dataclass(frozen=True)
class Narrowing(Pass):
    """Removal of the channels that masks drop; outputs and gradients stay to rounding.

    A kernel that is normalised a filter each is written down as it convolves.

    Raises:
        GraphError: the edges into a node give other channels, a mask stands before a norm, or a
            module cannot be made narrower: a group convolution, a kernel normalised as a whole.
    """

    name = "narrowing"
    kind = "structural"
    requires = (DISCRETE,)
    ensures = (DISCRETE,)
    keeps = (NO_NEW_SLOTS,)

    @override
    def apply(self, network: Network, report: Report) -> Network:
        found = narrow(network)
        for slot, cut in found.cuts.items():
            if cut.after != cut.before:
                report(Diagnostic(self.name, True, slot, f"is {cut.after}"))
        return found.network


def narrow(network: Network) -> Narrowed:
    """Return `network` without the channels that masks drop, and what is left of each slot.

    Raises:
        GraphError: as `Narrowing`, a decision is open, or a slot is to be narrowed in two ways.
    """
    flow = channel_flow(network)
    builder = _Builder()
    made = {INPUT: every_channel(network.image)}
    steps = list(network.steps)
    for position, step in enumerate(network.steps):
        given = [Flow(flow.steps[name].shape, made[name]) for name in step.inputs]
        with located("{}", step.name):
            if isinstance(step.body, Cell):
                body, made[step.name] = _cell(step.name, step.body, given, flow, builder)
            else:
                wanted = flow.steps[step.name].channels
                body, made[step.name] = builder.build(step.body, given[0], wanted)
        steps[position] = replace(step, body=body)
    return Narrowed(replace(network, steps=tuple(steps)), dict(builder.cuts))


def narrow_state(cuts: Mapping[str, Cut], state: "Mapping[str, Tensor]") -> "dict[str, Tensor]":
    """Return the state of the narrow network, of that of the network before.

    Names are those of lowered networks: `slots.<slot>.<name in the module>`.
    """
    own: dict[str, dict[str, Tensor]] = {}
    for key, value in state.items():
        _, slot, name = key.split(".", 2)
        own.setdefault(slot, {})[name] = value
    return {
        f"slots.{slot}.{name}": value
        for slot, cut in cuts.items()
        for name, value in _cut_state(cut, own[slot]).items()
    }


def _cut_state(cut: Cut, state: "Mapping[str, Tensor]") -> "Mapping[str, Tensor]":
    if cut.after == cut.before:
        return state
    return cut.before.narrowed_state(state, cut.read, cut.made)


def _cell(
    name: str, cell: Cell, given: list[Flow], flow: ChannelFlow, builder: "_Builder"
) -> tuple[Cell, Channels]:
    inputs: list[Expr] = []
    made: list[Channels] = []
    for position, (expr, read) in enumerate(zip(cell.inputs, given, strict=True)):
        with located("input {}", position):
            built, channels = builder.build(expr, read, flow.nodes[name, position].channels)
        inputs.append(built)
        made.append(channels)
    edges: list[Edge] = []
    for node in cell.inner():
        wanted = flow.nodes[name, node].channels
        writers: list[tuple[Edge, Channels]] = []
        for edge in cell.into(node):
            read = Flow(flow.nodes[name, edge.source].shape, made[edge.source])
            with located("edge {}->{}", edge.source, node):
                built, channels = builder.build(edge.body, read, wanted)
            edges.append(replace(edge, body=built))
            writers.append((edge, channels))
        made.append(_agreed(node, writers))
    joined: list[int] = []
    start = 0
    for node in cell.output:
        joined += [start + channel for channel in made[node]]
        start += flow.nodes[name, node].shape.channels
    return replace(cell, inputs=tuple(inputs), edges=tuple(edges)), tuple(joined)


def _agreed(node: int, writers: list[tuple[Edge, Channels]]) -> Channels:
    """Return the channels that all edges into a node give.

    Raises:
        GraphError: two do not; both are named.
    """
    (first, expected), *others = writers
    for edge, found in others:
        if found != expected:
            raise GraphError(
                f"the edges into node {node} disagree: {first.source}->{node} ({first.body}) "
                f"gives {len(expected)} channels, {edge.source}->{node} ({edge.body}) "
                f"{len(found)}: let one decision on width stand on both"
            )
    return expected


@dataclass
class _Builder:
    """Builder of narrow expressions, which notes what becomes of each slot."""

    cuts: dict[str, Cut] = field(default_factory=dict[str, Cut])

    def build(self, expr: Expr, read: Flow, wanted: Channels) -> tuple[Expr, Channels]:
        """Return what makes the `wanted` channels of features that hold some, and which it makes.

        Of the wanted ones, those that are zero are left out.
        """
        wide = read.shape
        items = expr.items if isinstance(expr, Chain) else (expr,)
        shapes = chain_shapes(items, wide)
        wants = [wanted]
        for item, shape in zip(reversed(items), reversed(shapes[:-1]), strict=True):
            wants.insert(0, needed(item, wants[0], shape))
        if not all(wants):
            raise _emptied(expr)
        held, parts = read.channels, list[Expr]()
        for item, shape, want, after in zip(items, shapes, wants, wants[1:], strict=False):
            held = _selected(parts, held, want)
            built, held = self._item(item, Flow(shape, held), after)
            parts.append(built)
        held = _selected(parts, held, wanted)
        if not held:
            raise _emptied(expr)
        joined = chain(*parts)
        alone = not isinstance(expr, Chain) and len(joined.items) == 1
        return joined.items[0] if alone else joined, held

    def _item(self, item: Expr, read: Flow, wanted: Channels) -> tuple[Expr, Channels]:
        match item:
            case Op(primitive, slot):
                made = primitive.channels_made(read.channels, wanted, read.shape)
                after = primitive.narrowed(read.channels, made, read.shape)
                if after is None:
                    return Chain(), made
                if slot:
                    self._note(slot, Cut(primitive, after, read.channels, made))
                return replace(item, primitive=after), made
            case Chain():
                return self.build(item, read, wanted)
            case Concat(branches):
                return self._concat(branches, read, wanted)
            case Choice(decision):
                raise GraphError(f"{decision.name} is undecided: derive the network first")

    def _concat(
        self, branches: tuple[Expr, ...], read: Flow, wanted: Channels
    ) -> tuple[Expr, Channels]:
        """Build the branches that give a wanted channel which is not zero."""
        bounds = branch_offsets(branches, read.shape)
        built: list[Expr] = []
        made: list[int] = []
        for branch, start, stop in zip(branches, bounds, bounds[1:], strict=False):
            mine = part(wanted, start, stop)
            if set(mine) & set(nonzero(branch, read.channels, read.shape)):
                narrow_branch, channels = self.build(branch, read, mine)
                built.append(narrow_branch)
                made += [start + channel for channel in channels]
        if not built:
            raise _emptied(Concat(branches))
        if _is_whole(built, len(read.channels)):
            return Chain(), tuple(made)
        return built[0] if len(built) == 1 < len(branches) else Concat(tuple(built)), tuple(made)

    def _note(self, slot: str, cut: Cut) -> None:
        known = self.cuts.setdefault(slot, cut)
        if known != cut:
            raise GraphError(
                f"slot {slot} stands at two places and is to have other channels at each: "
                f"{known.after} and {cut.after}"
            )


def _emptied(expr: Expr) -> GraphError:
    return GraphError(f"masks leave no channel of {expr}: choose wider ones")


def _is_whole(branches: list[Expr], channels: int) -> bool:
    """Return whether the branches are slices that put all the channels side by side again."""
    reached = 0
    for branch in branches:
        match chain(branch).items:
            case (Op(Slice(_, start, stop)),) if start == reached:
                reached = stop
            case _:
                return False
    return reached == channels


def _selected(parts: list[Expr], held: Channels, wanted: Channels) -> Channels:
    """Add to `parts` what takes the wanted channels of those held; return which these are."""
    taken = tuple(channel for channel in held if channel in set(wanted))
    if taken == held or not taken:
        return held
    runs: list[list[int]] = []
    for position in (held.index(channel) for channel in taken):
        if runs and runs[-1][1] == position:
            runs[-1][1] += 1
        else:
            runs.append([position, position + 1])
    slices = tuple(Op(Slice(len(held), start, stop)) for start, stop in runs)
    parts.append(slices[0] if len(slices) == 1 else Concat(slices))
    return taken
