"""Derive an architecture from the weights of a search."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from archwright.errors import ConfigError
from archwright.graph import Architecture, CellGenotype, EdgeOp, connected, decision_name
from archwright.spaces import CellSpec, EdgeSpec, Size, Space

_TRIES = 1000


def discretise(
    space: Space, size: Size, weights: Mapping[str, Sequence[float]], *, null: bool = True
) -> Architecture:
    """Return the strongest architecture under `weights`, a list per decision in the order of its
    candidates.

    If a node keeps all its edges, each edge takes its strongest candidate. If it keeps k, the edges
    are ranked by their strongest candidate other than `none`, and the best k take this candidate
    (Liu et al., DARTS, ICLR 2019, section 2.4). The first wins a tie. Unless `null` is set, `none`
    is never selected: its weight only scales the node that it leads to.
    """

    def strongest(kind: str, spec: CellSpec, edge: EdgeSpec) -> tuple[float, EdgeOp]:
        values = weights[decision_name(kind, edge.source, edge.target)]
        value = dict(zip(space.edge_candidates(edge), values, strict=True))
        outcomes = [c for c in space.outcomes(spec, edge) if null or c != space.null]
        candidate = max(outcomes, key=value.__getitem__)
        return value[candidate], EdgeOp(candidate, edge.source)

    def picks(kind: str, spec: CellSpec, node: int) -> list[EdgeOp]:
        found = [strongest(kind, spec, edge) for edge in spec.into(node)]
        if spec.keep is not None:
            found = sorted(found, key=lambda pair: -pair[0])[: spec.keep]
        return [pick for _, pick in found]

    return _architecture(space, size, picks)


def random_architecture(space: Space, size: Size, generator: np.random.Generator) -> Architecture:
    """Draw an architecture uniformly from those whose logits depend on the image.

    Raises:
        ConfigError: a thousand draws were all disconnected.
    """

    def picks(kind: str, spec: CellSpec, node: int) -> list[EdgeOp]:
        edges = spec.into(node)
        if spec.keep is not None and spec.keep < len(edges):
            kept = generator.choice(len(edges), spec.keep, replace=False)
            edges = [edges[int(i)] for i in sorted(kept)]
        drawn: list[EdgeOp] = []
        for edge in edges:
            names = space.outcomes(spec, edge)
            drawn.append(EdgeOp(names[int(generator.integers(len(names)))], edge.source))
        return drawn

    for _ in range(_TRIES):
        architecture = _architecture(space, size, picks)
        if is_connected(space, architecture, size):
            return architecture
    raise ConfigError(f"no connected architecture among {_TRIES} random ones of space {space.name}")


def is_connected(space: Space, architecture: Architecture, size: Size) -> bool:
    """Return whether the logits of the architecture's network depend on the image."""
    return connected(space.discrete(architecture, size))


def _architecture(
    space: Space, size: Size, picks: Callable[[str, CellSpec, int], list[EdgeOp]]
) -> Architecture:
    """Return the architecture with these choices per node (cell kind, specification and number)."""
    cells = {
        kind: CellGenotype(
            spec.inputs, tuple(tuple(picks(kind, spec, node)) for node in spec.inner()), spec.output
        )
        for kind, spec in space.skeleton.cells(size).items()
    }
    return Architecture(space.name, cells, space.origin)
