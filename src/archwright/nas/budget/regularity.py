"""How irregular an architecture is: what hardware likes is few distinct kernels, and repetition.

Legend: E decisions, O candidates of the largest decision, K operations that connect.
"""

from functools import cached_property

import torch
from torch import Tensor

from archwright.cost.expected.decision_table import DecisionTable
from archwright.graph import Architecture


class Regularity:
    """Measures architectures of a space, and expects of a supernet."""

    def __init__(self, layout: DecisionTable) -> None:
        self._layout = layout

    @cached_property
    def _operations(self) -> tuple[str, ...]:
        """The operations that connect, by name."""
        layout = self._layout
        names = (
            name
            for row, decision in enumerate(layout.decisions)
            for column, name in enumerate(decision.candidates)
            if layout.connecting[row, column]
        )
        return tuple(dict.fromkeys(names))

    @cached_property
    def _places(self) -> Tensor:
        """[K, E, O]: 1 where an operation stands."""
        layout = self._layout
        places = torch.stack([layout.zeros() for _ in self._operations])
        for row, decision in enumerate(layout.decisions):
            for column, name in enumerate(decision.candidates):
                if layout.connecting[row, column]:
                    places[self._operations.index(name), row, column] = 1.0
        return places

    def of(self, architecture: Architecture) -> float:
        """From above 0 to 1: the mean of two shares.

        One is of the space's operations, those in use; the other of the nodes, those with
        other incoming operations than every node before them.
        """
        used = {name for name in architecture.answers().values() if name in self._operations}
        nodes = [
            tuple(sorted(pick.candidate for pick in picks if pick.candidate in self._operations))
            for cell in architecture.cells.values()
            for picks in cell.nodes
        ]
        return (len(used) / len(self._operations) + len(set(nodes)) / len(nodes)) / 2

    def expected(self, weights: Tensor) -> Tensor:
        """The share of operations in use [...] expected under weights [..., E, O].

        An operation is unused with the probability that no edge takes it, if edges were
        independent.
        """
        taken = torch.einsum("...eo,keo->...ke", weights, self._places.to(weights))
        return (1 - (1 - taken.clamp(max=1.0)).prod(dim=-1)).mean(dim=-1)
