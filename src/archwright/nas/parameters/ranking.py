"""Ranking scores of candidates that share modules in a simplified supernet.

Sharing turns the flat choice of an edge into a tree: the weight of a shared module is the sum of
the weights of its candidates, which their conditional weights distinguish inside it. In a flat
ranking such candidates divide the weight of their common module, and a candidate that shares
nothing (a skip connection) can win although the module outweighs it. In a hierarchical ranking the
strongest module is chosen first, then the strongest candidate in it.

Differences inside a module count less than those between modules: the larger of two merged kernels
can represent every smaller one, so that alpha gives it nearly all of their weight, however little
it is needed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from archwright.graph import Choice, Network, choices
from archwright.nas.monitor.statistics import Weights

_INSIDE = 0.5
"""Power of a conditional weight inside a group; of other weights it is 1 (docs/protocol.md)."""


@dataclass(frozen=True)
class CandidateTree:
    """Group of candidates (by number), and the sub-groups that it chooses among.

    A single candidate has no `parts`.
    """

    members: frozenset[int]
    parts: tuple["CandidateTree", ...] = ()


def hierarchical_scores(
    trees: Mapping[str, CandidateTree], weights: Weights
) -> dict[str, list[float]]:
    """Return the ranking scores of candidates in the tree of each decision.

    The best candidate of a group has the weight of the whole group; another one this weight times
    the square root of the ratio of its weight to that of the best one. Without sharing the scores
    are the weights. Sums of their logarithms can be compared over architectures, as those of
    weights. See `candidate_trees`.
    """
    found: dict[str, list[float]] = {}
    for name, values in weights.items():
        scores = _scores(trees[name], values)
        for part in trees[name].parts:
            best = max(scores[number] for number in part.members)
            for number in part.members if best else ():
                scores[number] = best * (scores[number] / best) ** _INSIDE
        found[name] = [scores.get(number, 0.0) for number in range(len(values))]
    return found


def candidate_trees(network: Network) -> Mapping[str, CandidateTree]:
    """Return the tree of choices of each decision in `network`, by the decision's name."""
    open_choices: dict[str, list[Choice]] = {}
    for choice in network.choices():
        open_choices.setdefault(choice.decision.name, []).append(choice)
    return {name: _tree(found[0]) for name, found in open_choices.items()}


def _tree(choice: Choice) -> CandidateTree:
    parts = tuple(
        CandidateTree(option.members)
        if len(option.members) == 1
        else _inside(choice, option.members)
        for option in choice.options
    )
    return parts[0] if len(parts) == 1 else CandidateTree(choice.given, parts)


def _inside(choice: Choice, members: frozenset[int]) -> CandidateTree:
    """Return the tree of one option's members: that of the first choice among them inside it."""
    body = next(option.body for option in choice.options if option.members == members)
    inner = (one for one in choices(body) if one.decision.name == choice.decision.name)
    found = next((one for one in inner if one.given == members), None)
    # no choice between them inside: the members compute the same
    return CandidateTree(members) if found is None else _tree(found)


def _scores(tree: CandidateTree, weights: Sequence[float]) -> dict[int, float]:
    if not tree.parts:
        return {number: weights[number] for number in tree.members}
    found: dict[int, float] = {}
    for part in tree.parts:
        mass = sum(weights[number] for number in part.members)
        inside = _scores(part, weights)
        best = max(inside.values())
        # relative to the best first: a candidate without a group keeps its weight to the last bit
        found |= {number: mass * (s / best) if best else 0.0 for number, s in inside.items()}
    return found
