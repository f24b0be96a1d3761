"""Indicators of collapse that are computed from the weights of candidates only.

A search collapses when it fills its cells with skip connections: they pass gradients on while the
weights of the other candidates are still poor (Liang et al., DARTS+, 2019, section 3).
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from archwright.graph import Architecture, Cell, Chain, Choice, Decision, Expr, Network
from archwright.graph.expr import modules

Weights = Mapping[str, Sequence[float]]
"""Weights or scores of candidates: a list for each decision, in its candidates' order."""


@dataclass(frozen=True)
class OperationRoles:
    """Roles of the candidates of a space, by decision, and of its cells, by kind.

    Attributes:
        skips: the candidates that are the identity.
        learned: the candidates that have weights.
        reductions: the kinds of cells that lower the resolution.
    """

    skips: Mapping[str, frozenset[str]]
    learned: Mapping[str, frozenset[str]]
    reductions: frozenset[str]

    @classmethod
    def of(cls, network: Network) -> "OperationRoles":
        """Return the roles in a space's own supernet, as it is before any pass."""
        skips: dict[str, frozenset[str]] = {}
        learned: dict[str, frozenset[str]] = {}
        reductions: set[str] = set()
        for cell in (step.body for step in network.steps if isinstance(step.body, Cell)):
            for edge in cell.edges:
                if any(module.primitive.stride > 1 for module in modules(edge.body)):
                    reductions.add(cell.kind)
                if isinstance(edge.body, Choice):
                    name = edge.body.decision.name
                    skips[name] = _where(edge.body, lambda body: body == Chain())
                    learned[name] = _where(edge.body, _has_weights)
        return cls(skips, learned, frozenset(reductions))


def _where(choice: Choice, holds: Callable[[Expr], bool]) -> frozenset[str]:
    """Return the candidates whose expression satisfies a predicate."""
    return frozenset(choice.label(option) for option in choice.options if holds(option.body))


def _has_weights(body: Expr) -> bool:
    return any(module.primitive.params for module in modules(body))


def entropy(weights: Weights) -> float:
    """Return the mean entropy of the decisions in nats, the weights of each normalised.

    Decisions without any weight, whose connection was pruned, do not count.
    """
    rows = [np.asarray(row) / np.sum(row) for row in weights.values() if np.sum(row) > 0]
    return float(np.mean([-(row * np.log(row + 1e-30)).sum() for row in rows]))


def skip_fraction(
    weights: Weights, decisions: Iterable[Decision], roles: OperationRoles, *, none_op: str | None
) -> dict[str, float]:
    """Return for each kind of cell the fraction of edges whose strongest candidate is a skip.

    Decisions without a skip do not count, nor do those without any weight, whose connection was
    pruned; kinds of cells without a decision that counts are left out. `none_op` is never the
    strongest.
    """
    led: defaultdict[str, list[bool]] = defaultdict(list)
    for decision in decisions:
        skips = roles.skips.get(decision.name)
        if skips:
            ranked = zip(weights[decision.name], decision.candidates, strict=True)
            strongest = max(
                (pair for pair in ranked if pair[1] != none_op), key=lambda pair: pair[0]
            )
            if strongest[0] > 0:
                led[decision.name.rpartition("/")[0]].append(strongest[1] in skips)
    return {kind: sum(ends) / len(ends) for kind, ends in led.items()}


def ranking(
    weights: Weights, decisions: Iterable[Decision], roles: OperationRoles
) -> dict[str, tuple[str, ...]]:
    """Return the candidates of each decision that have weights, the strongest first."""
    ranks: dict[str, tuple[str, ...]] = {}
    for decision in decisions:
        value = dict(zip(decision.candidates, weights[decision.name], strict=True))
        learned = [c for c in decision.candidates if c in roles.learned.get(decision.name, ())]
        ranks[decision.name] = tuple(sorted(learned, key=lambda c: -value[c]))
    return ranks


def max_skips(architecture: Architecture, roles: OperationRoles) -> int:
    """Return the largest number of skips in one cell, reductions left out."""
    counts = dict.fromkeys(architecture.cells, 0)
    for name, candidate in architecture.answers().items():
        kind = name.rpartition("/")[0]
        counts[kind] += kind not in roles.reductions and candidate in roles.skips.get(name, ())
    return max(counts.values())
