"""Search space: candidates, cells, and the skeleton that arranges cells to a network."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from archwright.errors import ArchwrightError, ConfigError, GenotypeError, GraphError, unknown
from archwright.graph import (
    Architecture,
    Cell,
    Decision,
    Edge,
    Expr,
    Network,
    Origin,
    Primitive,
    chain,
    choose,
    decision_name,
    name_slots,
    verify,
)
from archwright.graph.passes.rewire import rewire
from archwright.spaces.cells import CellSpec, EdgeSpec
from archwright.spaces.contract import Size, Skeleton
from archwright.spaces.operations import Candidate, Site
from archwright.tasks import CLASSIFICATION, Features, Task


@dataclass(frozen=True, kw_only=True)
class Space:
    """Declaration of a search space.

    `null` names the candidate that stands for no connection, if there is one. `search_size` and
    `train_size` are (channels, cells) of the supernet and of the network that is trained
    afterwards. `reference` is a hand-made architecture (as text of the space) for comparison;
    `origin` is the file in which a user declared the space; `task` decides the head.
    """

    name: str
    candidates: Mapping[str, Candidate]
    skeleton: Skeleton
    null: str = "none"
    search_size: tuple[int, int] = (16, 5)
    train_size: tuple[int, int] = (16, 5)
    image_size: int = 32
    reference: str = ""
    origin: Origin | None = None
    task: Task = CLASSIFICATION

    def __post_init__(self) -> None:
        """Check that every candidate can be written in every notation.

        Raises:
            ConfigError: there is none, or a name has a sign that separates (named).
        """
        if not self.candidates:
            raise ConfigError(f"space {self.name} declares no candidates")
        for name in self.candidates:
            if not re.fullmatch(r"[^\s~|+;:.]+", name):
                raise ConfigError(
                    f"candidate {name!r} of space {self.name}: a name has no blanks and none of "
                    f"~ | + ; : . in it, since architectures are written with them"
                )

    @property
    def settings(self) -> dict[str, str]:
        """Settings by which a run identifies its space: a user's space by name and content of its
        file.
        """
        if self.origin is None:
            return {"space": self.name}
        return {"space": self.origin.file, "space_sha256": self.origin.sha256}

    def edge_candidates(self, edge: EdgeSpec) -> tuple[str, ...]:
        """Return the candidates on an edge during a search."""
        return edge.candidates or tuple(self.candidates)

    def outcomes(self, spec: CellSpec, edge: EdgeSpec) -> tuple[str, ...]:
        """Return the candidates that a search may select for an edge: with `none` if all edges
        stay.
        """
        names = self.edge_candidates(edge)
        return names if spec.keep is None else tuple(n for n in names if n != self.null)

    def decisions(self, size: Size) -> tuple[Decision, ...]:
        """Return every decision of a search in this space."""
        return tuple(
            self._decision(kind, edge)
            for kind, spec in self.skeleton.cells(size).items()
            for edge in spec.edges
        )

    def supernet(self, size: Size, *, searched: bool = True) -> Network:
        """Return the network with every decision open.

        With `searched=False`, candidates are those of found networks at the same place (see
        `discrete`).

        Raises:
            GraphError: candidates cannot be built, or their shapes disagree (edge, candidate and
                module are named).
            ConfigError: there is no network of this size, or an edge names an unknown candidate.
        """
        return self._network(_Placing(self, size, searched=searched, fill=self._choice))

    def discrete(
        self, architecture: Architecture, size: Size, *, auxiliary: bool = False
    ) -> Network:
        """Return the network of an architecture, as published: affine batch norms, pools without
        norm.

        The architecture's pruning is applied: deleted nodes are absent, and fusions stand in their
        place.

        Raises:
            GenotypeError: the architecture does not belong to this space and size.
            GraphError: as `supernet`.
            ConfigError: there is no network of this size, or no auxiliary head fits on it.
        """
        self.check(architecture, size)
        answers = architecture.answers()

        def fill(kind: str, step: str, edge: EdgeSpec, site: Site) -> Expr | None:
            answer = answers.get(decision_name(kind, edge.source, edge.target))
            return None if answer is None else self.body(answer, step, edge, site)

        outputs = {kind: cell.output for kind, cell in architecture.cells.items()}
        placing = _Placing(self, size, searched=False, fill=fill, outputs=outputs)
        network = self._network(placing)
        if architecture.pruning is not None:
            network = rewire(network, architecture.pruning)
        if not auxiliary:
            return network
        return self.with_auxiliary(network, size)

    def with_auxiliary(self, network: Network, size: Size) -> Network:
        """Return `network`, of this space and size, with the task's auxiliary head.

        Raises:
            ConfigError: the task has none, or none fits.
        """
        after = self.skeleton.auxiliary_after(size)
        return self.task.with_auxiliary(network, after, size.classes)

    def body(self, candidate: str, step: str, edge: EdgeSpec, site: Site) -> Expr:
        """Return a candidate's expression at a site, its slots named after the edge.

        Raises:
            GraphError: the candidate's function fails there, or returns no expression.
            ConfigError: the space has no such candidate.
        """
        place = f"{step}/{edge.source}->{edge.target}"
        if candidate not in self.candidates:
            raise ConfigError(f"{place}: {unknown('candidate', candidate, self.candidates)}")
        try:
            built = self.candidates[candidate](site)
            expr = chain(built) if isinstance(built, Primitive) else built
            return name_slots(expr, f"{place}/{candidate}")
        except ArchwrightError as error:
            raise GraphError(f"{place}, candidate {candidate}: {error}") from None
        except Exception as error:  # a candidate is a user's function, and may fail in any way
            reason = f"{type(error).__name__}: {error}"
            raise GraphError(f"{place}, candidate {candidate}: {reason}") from error

    def check(self, architecture: Architecture, size: Size) -> None:
        """Check that `architecture` belongs to this space at this size.

        Raises:
            GenotypeError: it does not; the text names cell, edge or candidate.
        """
        specs = self.skeleton.cells(size)
        if architecture.space != self.name:
            raise GenotypeError(
                f"the architecture is of space {architecture.space}, not {self.name}"
            )
        if set(architecture.cells) != set(specs):
            raise GenotypeError(
                f"space {self.name} decides {len(specs)} kind(s) of cells at cells={size.cells} "
                f"({_short(specs)}), the architecture {len(architecture.cells)} "
                f"({_short(architecture.cells)})"
            )
        for kind, cell in architecture.cells.items():
            spec = specs[kind]
            if (cell.inputs, len(cell.nodes)) != (spec.inputs, spec.nodes):
                raise GenotypeError(
                    f"a {kind} cell of {self.name} has {spec.inputs} inputs and {spec.nodes} "
                    f"nodes, the architecture {cell.inputs} and {len(cell.nodes)}"
                )
            self._check_picks(kind, spec, architecture)

    def _check_picks(self, kind: str, spec: CellSpec, architecture: Architecture) -> None:
        allowed = {(e.source, e.target): self.edge_candidates(e) for e in spec.edges}
        seen: set[tuple[int, int]] = set()
        for node, pick in architecture.cells[kind].picks():
            place = (pick.source, node)
            if place not in allowed:
                raise GenotypeError(f"{kind} cells of {self.name} have no edge {place[0]}->{node}")
            if place in seen:
                raise GenotypeError(f"the edge {place[0]}->{node} of {kind} is given twice")
            seen.add(place)
            if pick.candidate not in allowed[place]:
                reason = unknown("operation", pick.candidate, allowed[place])
                raise GenotypeError(f"{kind}, edge {place[0]}->{node}: {reason}")
        for node, picks in enumerate(architecture.cells[kind].nodes, spec.inputs):
            edges = len(spec.into(node))
            wanted = edges if spec.keep is None else min(spec.keep, edges)
            if len(picks) != wanted:
                raise GenotypeError(
                    f"node {node} of a {kind} cell of {self.name} takes {wanted} edges, "
                    f"the architecture gives it {len(picks)}"
                )

    def _decision(self, kind: str, edge: EdgeSpec) -> Decision:
        name = decision_name(kind, edge.source, edge.target)
        return Decision(name, self.edge_candidates(edge))

    def _choice(self, kind: str, step: str, edge: EdgeSpec, site: Site) -> Expr:
        decision = self._decision(kind, edge)
        return choose(
            decision, tuple(self.body(name, step, edge, site) for name in decision.candidates)
        )

    def _network(self, place: "_Placing") -> Network:
        network = self.skeleton.build(place.size, place)
        verify(network)
        return network


Fill = Callable[[str, str, EdgeSpec, Site], Expr | None]
"""Function that returns the content of an edge of a cell kind at a step; None leaves the edge out.
"""


@dataclass(frozen=True)
class _Placing:
    """Factory of cells from their specifications (the `PlaceCell` of both kinds of networks)."""

    space: Space
    size: Size
    searched: bool
    fill: Fill
    outputs: Mapping[str, tuple[int, ...]] | None = None

    def __call__(
        self, kind: str, step: str, inputs: tuple[Expr, ...], widths: tuple[int, ...], site: Site
    ) -> Cell:
        spec = self.space.skeleton.cells(self.size)[kind]
        if spec.inputs != len(inputs):
            raise ConfigError(
                f"a {kind} cell of {self.space.name} is declared with {spec.inputs} inputs, its "
                f"skeleton gives it {len(inputs)}"
            )
        edges: list[Edge] = []
        for edge in spec.edges:
            outer = edge.source < spec.inputs
            width = widths[edge.source] if outer else site.c_out
            stride = site.stride if outer else 1
            here = Site(width, site.c_out, stride, self.searched)
            body = self.fill(kind, step, edge, here)
            if body is not None:
                edges.append(Edge(edge.source, edge.target, body))
        named = tuple(name_slots(expr, f"{step}/input{i}") for i, expr in enumerate(inputs))
        output = spec.output if self.outputs is None else self.outputs[kind]
        return Cell(kind, named, spec.nodes, tuple(edges), output)

    def finish(self, features: Features) -> Network:
        head = self.space.task.head(features, self.size.classes)
        return Network(features.image, (*features.trunk, *head))


def _short(names: Mapping[str, object]) -> str:
    listed = list(names)
    return ", ".join(listed) if len(listed) <= 4 else f"{listed[0]} to {listed[-1]}"
