"""Irregularity of an architecture: hardware prefers few distinct kernels and repeated nodes.

Legend: E decisions, O candidates of the largest decision, K operations that connect.
"""

from functools import cached_property

import torch
from torch import Tensor

from archwright.cost.expected.decision_table import DecisionTable
from archwright.graph import Architecture


class Regularity:
    """Irregularity of architectures of a space, and its expectation in a supernet."""

    def __init__(self, table: DecisionTable) -> None:
        self._table = table

    @cached_property
    def _operations(self) -> tuple[str, ...]:
        """Operations that connect, by name."""
        table = self._table
        names = (
            name
            for row, decision in enumerate(table.decisions)
            for column, name in enumerate(decision.candidates)
            if table.connecting[row, column]
        )
        return tuple(dict.fromkeys(names))

    @cached_property
    def _places(self) -> Tensor:
        """1 where a candidate is the operation [K, E, O], else 0."""
        table = self._table
        places = torch.stack([table.zeros() for _ in self._operations])
        for row, decision in enumerate(table.decisions):
            for column, name in enumerate(decision.candidates):
                if table.connecting[row, column]:
                    places[self._operations.index(name), row, column] = 1.0
        return places

    def of(self, architecture: Architecture) -> float:
        """Return the irregularity, above 0 and at most 1: the mean of two fractions.

        The first is the fraction of the space's operations that are in use; the second the
        fraction of nodes whose incoming operations differ from those of every node before them.
        """
        used = {name for name in architecture.answers().values() if name in self._operations}
        nodes = [
            tuple(sorted(pick.candidate for pick in picks if pick.candidate in self._operations))
            for cell in architecture.cells.values()
            for picks in cell.nodes
        ]
        return (len(used) / len(self._operations) + len(set(nodes)) / len(nodes)) / 2

    def expected(self, weights: Tensor) -> Tensor:
        """Return the expected fraction of operations in use [...] under weights [..., E, O].

        The probability that an operation is unused is that of no edge taking it, with edges taken
        as independent.
        """
        taken = torch.einsum("...eo,keo->...ke", weights, self._places.to(weights))
        return (1 - (1 - taken.clamp(max=1.0)).prod(dim=-1)).mean(dim=-1)
