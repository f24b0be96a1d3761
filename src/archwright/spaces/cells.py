"""What may be decided in a cell: its nodes, and the edges with the candidates on each."""

from dataclasses import dataclass


@dataclass(frozen=True)
class EdgeSpec:
    """An edge that may be there, and the names of its candidates (none given: all of the space)."""

    source: int
    target: int
    candidates: tuple[str, ...] = ()


@dataclass(frozen=True)
class CellSpec:
    """The searchable topology of one kind of cell.

    `keep` is the number of incoming edges that a node of a found cell has (2 in DARTS: the
    strongest ones, and the null candidate never counts); None: all, the null candidate included.
    """

    inputs: int
    nodes: int
    edges: tuple[EdgeSpec, ...]
    output: tuple[int, ...]
    keep: int | None = None

    def into(self, node: int) -> tuple[EdgeSpec, ...]:
        """The edges that end in `node`."""
        return tuple(edge for edge in self.edges if edge.target == node)

    def inner(self) -> range:
        """The nodes that are sums of edges."""
        return range(self.inputs, self.inputs + self.nodes)


def dense_cell(
    nodes: int,
    *,
    inputs: int = 1,
    output: tuple[int, ...] | None = None,
    keep: int | None = None,
    candidates: tuple[str, ...] = (),
) -> CellSpec:
    """A cell in which every node reads all nodes before it; by default the last is the output."""
    inner = range(inputs, inputs + nodes)
    edges = tuple(
        EdgeSpec(source, target, candidates) for target in inner for source in range(target)
    )
    return CellSpec(inputs, nodes, edges, output or (inputs + nodes - 1,), keep)
