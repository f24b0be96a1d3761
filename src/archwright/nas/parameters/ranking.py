"""What candidates are ranked by where a simplified supernet shares modules between them.

Sharing makes a tree of an edge's flat choice: a module that several candidates share weighs what
they weigh together, and inside it they are told apart by their conditional weights. Ranked each
alone, such candidates split the weight that their common module earns, and a candidate that shares
nothing (a skip connection) may win without ever outweighing it. Ranked as the tree is built, the
strongest module comes first, then the strongest candidate in it.

What is told apart inside counts less than what tells modules apart: the larger of two merged
kernels can be whatever the smaller one is, so that alpha gives it nearly all of their weight
however little it is needed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from archwright.graph import Choice, Network, choices
from archwright.nas.monitor.statistics import Weights

_INSIDE = 0.5
"""Power of a conditional weight inside a group; of other weights it is 1 (docs/protocol.md)."""


@dataclass(frozen=True)
class CandidateTree:
    """Candidates (by number) that stand together, and how they are told apart inside.

    A single candidate has no `parts`.
    """

    members: frozenset[int]
    parts: tuple["CandidateTree", ...] = ()


def hierarchical_scores(
    trees: Mapping[str, CandidateTree], weights: Weights
) -> dict[str, list[float]]:
    """The strengths of candidates in the tree of each decision (see `candidate_trees`).

    The best candidate of a group has the group's whole weight; another has as much less as the root
    of its share of the best one's weight inside it. Where nothing is shared these are the weights
    themselves. Sums of their logarithms can be compared over architectures, as those of weights
    can.
    """
    found: dict[str, list[float]] = {}
    for name, values in weights.items():
        strengths = _strengths(trees[name], values)
        for part in trees[name].parts:
            best = max(strengths[number] for number in part.members)
            for number in part.members if best else ():
                strengths[number] = best * (strengths[number] / best) ** _INSIDE
        found[name] = [strengths.get(number, 0.0) for number in range(len(values))]
    return found


def candidate_trees(network: Network) -> Mapping[str, CandidateTree]:
    """The tree of choices that `network` makes of each decision, by the decision's name."""
    open_choices: dict[str, list[Choice]] = {}
    for choice in network.choices():
        open_choices.setdefault(choice.decision.name, []).append(choice)
    return {name: _nest(found[0]) for name, found in open_choices.items()}


def _nest(choice: Choice) -> CandidateTree:
    parts = tuple(
        CandidateTree(option.members)
        if len(option.members) == 1
        else _inside(choice, option.members)
        for option in choice.options
    )
    return parts[0] if len(parts) == 1 else CandidateTree(choice.given, parts)


def _inside(choice: Choice, members: frozenset[int]) -> CandidateTree:
    """How the members of one option are told apart: by the first choice in it that is theirs."""
    body = next(option.body for option in choice.options if option.members == members)
    inner = (one for one in choices(body) if one.decision.name == choice.decision.name)
    found = next((one for one in inner if one.given == members), None)
    # modules without a choice between them: the members compute the same
    return CandidateTree(members) if found is None else _nest(found)


def _strengths(nest: CandidateTree, weights: Sequence[float]) -> dict[int, float]:
    if not nest.parts:
        return {number: weights[number] for number in nest.members}
    found: dict[int, float] = {}
    for part in nest.parts:
        mass = sum(weights[number] for number in part.members)
        inside = _strengths(part, weights)
        best = max(inside.values())
        # relative to the best first: what stands alone keeps its weight to the last bit
        found |= {number: mass * (s / best) if best else 0.0 for number, s in inside.items()}
    return found
