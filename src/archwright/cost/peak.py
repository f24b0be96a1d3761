"""Peak memory of the features at inference, computed from the graph.

Modules run in the order of the graph. A tensor exists from the module that writes it until the last
module that reads it; a sum is computed in place where no other module reads the summand.
"""

from dataclasses import dataclass

from archwright.errors import GraphError
from archwright.graph import INPUT, Cell, Chain, Concat, Expr, Network, Op, Shape, walk_network
from archwright.graph.traverse import LiveParts, live_parts, node_shapes


def peak_bytes(network: Network, *, element_bytes: int = 4) -> int:
    """Return the largest size of all features that exist together, for one image, without weights.

    Modules that the logits do not depend on do not run: an exported network does not have them.

    Raises:
        GraphError: a decision is open.
    """
    memory = _Memory()
    live, shapes = live_parts(network), walk_network(network)
    steps = [(step, live[step.name]) for step in network.steps if step.name in live]
    readers = [step.inputs[position] for step, parts in steps for position in parts.inputs]
    made = {INPUT: memory.make(network.image, readers.count(INPUT))}
    for step, parts in steps:
        given = {position: made[step.inputs[position]] for position in parts.inputs}
        if isinstance(step.body, Cell):
            nodes = node_shapes(step.body, [shapes[name] for name in step.inputs])
            out = _cell(memory, step.body, given, nodes, parts)
        else:
            out = _run(memory, step.body, given[0])
        memory.share(out, max(readers.count(step.name), 1) - 1)
        made[step.name] = out
    return memory.peak * element_bytes


def fixed_peak_bytes(network: Network, *, element_bytes: int = 4) -> int:
    """Return a lower bound of the peak of all networks, from the steps that all of them run.

    Each step without a decision counts alone, if every path from the image to the logits leads
    through it.
    """
    memory = _Memory()
    live, shapes = live_parts(network), walk_network(network)
    for step in network.steps:
        decided = not Network(network.image, (step,)).decisions()
        if len(step.inputs) != 1 or not decided or not _unavoidable(network, step.name):
            continue
        memory.now = 0
        given = memory.make(shapes[step.inputs[0]])
        if isinstance(step.body, Cell):
            nodes = node_shapes(step.body, [given.shape])
            _cell(memory, step.body, {0: given}, nodes, live[step.name])
        else:
            _run(memory, step.body, given)
    return memory.peak * element_bytes


def _unavoidable(network: Network, name: str) -> bool:
    """Return whether every path from the image to the logits leads through the step."""
    reached = {INPUT}
    for step in network.steps:
        if step.name != name and reached.intersection(step.inputs):
            reached.add(step.name)
    return network.output not in reached


@dataclass
class _Buffer:
    """Tensor of `shape`, with the number of modules that have yet to read it."""

    shape: Shape
    readers: int

    @property
    def elements(self) -> int:
        return self.shape.channels * self.shape.height * self.shape.width


@dataclass
class _Memory:
    """Number of elements that exist now, and its maximum so far."""

    now: int = 0
    peak: int = 0

    def make(self, shape: Shape, readers: int = 1) -> _Buffer:
        made = _Buffer(shape, readers)
        self.now += made.elements
        self.peak = max(self.peak, self.now)
        return made

    def share(self, buffer: _Buffer, more: int) -> None:
        buffer.readers += more

    def read(self, buffer: _Buffer) -> None:
        """Count one read; the last one frees the buffer."""
        buffer.readers -= 1
        if not buffer.readers:
            self.now -= buffer.elements


def _run(memory: _Memory, expr: Expr, x: _Buffer) -> _Buffer:
    """Run `expr` as one reader of `x`; return its output, which has one reader."""
    match expr:
        case Op(primitive):
            made = memory.make(primitive.out_shape(x.shape))
            memory.read(x)
            return made
        case Chain(items):
            for item in items:
                x = _run(memory, item, x)
            return x
        case Concat(branches):
            memory.share(x, len(branches) - 1)
            return _concat(memory, [_run(memory, branch, x) for branch in branches])
        case _:
            raise GraphError(f"{expr.decision.name} is undecided: derive the network first")


def _cell(
    memory: _Memory, cell: Cell, given: dict[int, _Buffer], shapes: list[Shape], live: LiveParts
) -> _Buffer:
    edges = [edge for position, edge in enumerate(cell.edges) if position in live.edges]
    readers = [edge.source for edge in edges] + list(cell.output)
    nodes: dict[int, _Buffer] = {}
    for position, x in sorted(given.items()):
        nodes[position] = _run(memory, cell.inputs[position], x)
        memory.share(nodes[position], readers.count(position) - 1)
    for node in cell.inner():
        total: _Buffer | None = None
        for edge in edges:
            if edge.target == node:
                end = _run(memory, edge.body, nodes[edge.source])
                total = end if total is None else _add(memory, total, end)
        if total is not None:
            nodes[node] = total
            memory.share(total, readers.count(node) - 1)
    # a dead node among others is concatenated as zeros
    ends = (nodes[node] if node in nodes else memory.make(shapes[node]) for node in cell.output)
    return _concat(memory, list(ends))


def _add(memory: _Memory, total: _Buffer, end: _Buffer) -> _Buffer:
    if total.readers > 1:
        total, end = end, total
    made = total if total.readers == 1 else memory.make(total.shape)
    if made is not total:
        memory.read(total)
    memory.read(end)
    return made


def _concat(memory: _Memory, parts: list[_Buffer]) -> _Buffer:
    if len(parts) == 1:
        return parts[0]
    channels = sum(part.shape.channels for part in parts)
    made = memory.make(Shape(channels, *parts[0].shape[1:]))
    for part in parts:
        memory.read(part)
    return made
