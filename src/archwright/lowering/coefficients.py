"""Coefficients of a simplified supernet, computed in a few vectorised operations.

Legend: E decisions, O candidates of the largest decision, N coefficients.
"""

from collections import defaultdict
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor, nn

from archwright.graph import Choice, Decision, Option
from archwright.lowering.mixture import Mixture


@dataclass(frozen=True)
class Factor:
    """Weight p(members | given) of the decision at `row`; `given` is None for all candidates.

    With `members` None it is the presence of the decision's edge.
    """

    row: int
    members: tuple[int, ...] | None = None
    given: tuple[int, ...] | None = None

    @classmethod
    def of(cls, choice: Choice, option: Option, rows: dict[str, int]) -> "Factor":
        """Return the weight of an option in its choice."""
        whole = len(choice.given) == len(choice.decision.candidates)
        given = None if whole else tuple(sorted(choice.given))
        return cls(rows[choice.decision.name], tuple(sorted(option.members)), given)


Coefficient = tuple[Factor, ...]
"""Product of factors; the empty one is 1."""

_Pattern = tuple[tuple[int, ...] | None, tuple[int, ...] | None]
"""Members and given of a factor, which those of other decisions can share."""


class Coefficients(nn.Module):
    """Table of coefficients by index, and their values for a mixture.

    Coefficients of the same pattern (members and given) are computed together for all decisions.
    """

    def __init__(self, decisions: tuple[Decision, ...]) -> None:
        super().__init__()
        self.rows = {decision.name: row for row, decision in enumerate(decisions)}
        self._indices: dict[Coefficient, int] = {}
        self._order: list[Coefficient] = []
        self._groups: defaultdict[tuple[_Pattern, ...], list[int]] = defaultdict(list)

    def index(self, coefficient: Coefficient) -> int:
        """Return the index of a coefficient in the vector of all values."""
        if coefficient not in self._indices:
            self._indices[coefficient] = len(self._order)
            patterns = tuple((factor.members, factor.given) for factor in coefficient)
            self._groups[patterns].append(len(self._order))
            self._order.append(coefficient)
        return self._indices[coefficient]

    def times(self, index: int | None, more: Coefficient) -> int:
        """Return the index of a known coefficient (None: 1) times another."""
        known = () if index is None else self._order[index]
        return self.index((*more, *known))

    def evaluate(self, mixture: Mixture) -> Tensor:
        """Return the values of all coefficients [N]."""
        device = mixture.weights.device
        parts: list[Tensor] = []
        places: list[int] = []
        known: dict[_Pattern, Tensor] = {}
        for patterns, indices in self._groups.items():
            product: Tensor | None = None
            for position, (members, given) in enumerate(patterns):
                if (members, given) not in known:
                    known[members, given] = probability(mixture, members, given)
                rows = tuple(self._order[index][position].row for index in indices)
                factor = known[members, given][index_tensor(rows, device)]
                product = factor if product is None else product * factor
            parts.append(mixture.weights.new_ones(len(indices)) if product is None else product)
            places += indices
        if not parts:  # what is chosen reaches no output
            return mixture.weights.new_empty(0)
        back = tuple(sorted(range(len(places)), key=places.__getitem__))
        return torch.cat(parts)[index_tensor(back, device)]


def index_tensor(indices: tuple[int, ...], device: torch.device) -> Tensor:
    """Return indices on a device, copied there once; a compiler keeps them itself."""
    if torch.compiler.is_compiling():
        return torch.tensor(indices, dtype=torch.long, device=device)
    return _index_tensor(indices, device)


@lru_cache(maxsize=4096)
def _index_tensor(indices: tuple[int, ...], device: torch.device) -> Tensor:
    return torch.tensor(indices, dtype=torch.long, device=device)


def probability(
    mixture: Mixture, members: tuple[int, ...] | None, given: tuple[int, ...] | None
) -> Tensor:
    """Return p(members | given) of every decision [E], see `Factor`.

    Conditional weights are a softmax of log-weights over the group, so that they exist also where
    the group has no mass (TopoNAS, eq. 7).
    """
    if members is None:
        assert mixture.edge_weights is not None, "a plan has it where the mixture has"
        return mixture.edge_weights
    if given is None:
        return mixture.weights[:, list(members)].sum(dim=1)
    conditional = mixture.conditional(slice(None), given)
    return conditional[:, [given.index(member) for member in members]].sum(dim=1)
