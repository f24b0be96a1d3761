"""Searchable topology of a cell: its nodes, and the candidates on each edge."""

from dataclasses import dataclass


@dataclass(frozen=True)
class EdgeSpec:
    """Possible edge, with the names of its candidates (empty: all candidates of the space)."""

    source: int
    target: int
    candidates: tuple[str, ...] = ()


@dataclass(frozen=True)
class CellSpec:
    """Searchable topology of one kind of cell.

    `keep` is the number of incoming edges of a node in a found cell (2 in DARTS: the strongest
    ones, and `none` never counts); None keeps all edges, with `none` as a candidate.
    """

    inputs: int
    nodes: int
    edges: tuple[EdgeSpec, ...]
    output: tuple[int, ...]
    keep: int | None = None

    def into(self, node: int) -> tuple[EdgeSpec, ...]:
        """Return the edges that end in `node`."""
        return tuple(edge for edge in self.edges if edge.target == node)

    def inner(self) -> range:
        """Return the nodes that are sums of edges."""
        return range(self.inputs, self.inputs + self.nodes)


def dense_cell(
    nodes: int,
    *,
    inputs: int = 1,
    output: tuple[int, ...] | None = None,
    keep: int | None = None,
    candidates: tuple[str, ...] = (),
) -> CellSpec:
    """Return a cell in which every node reads all nodes before it; by default the last is the
    output.
    """
    inner = range(inputs, inputs + nodes)
    edges = tuple(
        EdgeSpec(source, target, candidates) for target in inner for source in range(target)
    )
    return CellSpec(inputs, nodes, edges, output or (inputs + nodes - 1,), keep)
