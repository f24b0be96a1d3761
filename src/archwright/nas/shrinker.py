"""Progressive search: what weighs next to nothing, and surely so, is dropped as the search goes on.

After every step of alpha the weights join running means and variances; at the end of an epoch the
upper bound of a weight, mean + 2 deviations, says which candidates are negligible. First operations
are dropped, and from the middle of the search on connections, too. What has no connection left is
never taken up again. Nothing is dropped that a budget needs.

Legend: E decisions, O candidates of the largest decision.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from archwright.graph import Network
from archwright.graph.passes.shrinking import searched_in_cells
from archwright.lowering import logits_table
from archwright.nas.method import Progress
from archwright.nas.parameters.none_op import null_candidates

Allowed = Mapping[str, Sequence[str]]
"""The candidates that are left, by decision."""

_Doomed = list[list[tuple[int, int]]]
"""What might be dropped, the weakest first: the rows and columns of each drop."""

_DECAY = 0.95
"""Of the running means: they remember about 20 steps."""
_DEVIATIONS = 2.0
"""How many deviations above its mean a weight may still be."""


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """When something is negligible.

    Attributes:
        operation: below this part of what it would weigh if all operations left weighed the same.
        connection: below this part of what it weighed at first.
        start: fraction of the epochs in which alpha learns after which operations are dropped.
        connections: the same of connections.
        quota: the largest part of the operations left that one epoch may drop.
    """

    operation: float = 0.6
    connection: float = 0.4
    start: float = 0.3
    connections: float = 0.5
    quota: float = 0.34


class ProgressiveShrinker:
    """What is left of a search's candidates, and what is known of their weights.

    Attributes:
        left: [E, O], True for what is still there.
        history: what was left after each time that something was dropped.
    """

    def __init__(
        self, network: Network, *, alpha_start: int, schedule: Schedule | None = None
    ) -> None:
        """Nothing of `network` is dropped yet; alpha learns from epoch `alpha_start` on."""
        self._decisions = network.decisions()
        table = logits_table(self._decisions)
        self.left = ~table.isinf()
        self.history: list[Tensor] = []
        self._alpha_start = alpha_start
        self._schedule = schedule or Schedule()
        self._null = torch.zeros_like(self.left)
        for row, indices in enumerate(null_candidates(network)):
            self._null[row, list(indices)] = True
        inside = searched_in_cells(network)
        self._fixed = torch.tensor([d.name not in inside for d in self._decisions])
        self._mean = torch.zeros_like(table, dtype=torch.float64)
        self._square = torch.zeros_like(self._mean)
        self._first = torch.zeros(len(table), dtype=torch.float64)
        self._seen = 0

    def observe(self, strengths: Tensor) -> None:
        """Take in the weights [E, O] after a step of alpha."""
        now = strengths.detach().double().cpu()
        if not self._seen:
            self._first = self._open(now).sum(dim=1)
        self._seen += 1
        part = max(1 - _DECAY, 1 / self._seen)
        self._mean += part * (now - self._mean)
        self._square += part * (now.square() - self._square)

    def drop(self, moment: Progress, feasible: Callable[[Allowed], bool]) -> bool:
        """Drop at the end of an epoch what is negligible; whether anything was.

        What nothing would be `feasible` without stays.
        """
        done = moment.epoch + 1 - self._alpha_start
        along = done / max(1, moment.epochs - self._alpha_start)
        if not self._seen or done < 1 or moment.epoch + 1 >= moment.epochs:
            return False
        doomed: _Doomed = []
        if along >= self._schedule.start - 1e-9:
            doomed += self._operations()
        if along >= self._schedule.connections - 1e-9:
            doomed += self._connections()
        left = self._without(self.left, doomed, feasible)
        if torch.equal(left, self.left):
            return False
        self.left = left
        self.history.append(left)
        return True

    def _without(
        self, left: Tensor, doomed: _Doomed, feasible: Callable[[Allowed], bool]
    ) -> Tensor:
        """What is left after as many drops as are feasible; of too many, each half by itself."""
        if not doomed:
            return left
        fewer = left.clone()
        for places in doomed:
            for place in places:
                fewer[place] = False
        if feasible(self.allowed(fewer)):
            return fewer
        if len(doomed) == 1:
            return left
        half = len(doomed) // 2
        return self._without(self._without(left, doomed[:half], feasible), doomed[half:], feasible)

    def _open(self, table: Tensor) -> Tensor:
        """`table` [E, O] with zeros for null candidates and what has been dropped."""
        return table * (self.left & ~self._null)

    def _upper(self) -> Tensor:
        """The largest that each weight [E, O] may be taken to be."""
        variance = (self._square - self._mean.square()).clamp(min=0.0)
        return self._mean + _DEVIATIONS * variance.sqrt()

    def _operations(self) -> _Doomed:
        """The negligible operations beside others on their edge, the weakest first."""
        operations = self.left & ~self._null & ~self._fixed[:, None]
        count = operations.sum(dim=1)
        whole = self._open(self._mean).sum(dim=1).clamp(min=1e-12)
        share = self._open(self._upper()) / whole[:, None] * count[:, None]  # 1: all alike
        ranked = sorted(
            (float(share[row, column]), row, column)
            for row, column in operations.nonzero().tolist()
            if share[row, column] < self._schedule.operation and count[row] > 1
        )
        most = int(self._schedule.quota * int(count.sum()))
        return [[(row, column)] for _, row, column in ranked[:most]]

    def _connections(self) -> _Doomed:
        """The negligible connections, each as all operations on it, the weakest first."""
        whole = self._open(self._upper()).sum(dim=1) / self._first.clamp(min=1e-12)
        places = self.left & ~self._null & ~self._fixed[:, None]
        ranked = sorted(
            (float(whole[row]), row)
            for row in range(len(whole))
            if places[row].any() and whole[row] < self._schedule.connection
        )
        return [[(row, c) for c in places[row].nonzero().flatten().tolist()] for _, row in ranked]

    def allowed(self, left: Tensor | None = None) -> dict[str, tuple[str, ...]]:
        """The candidates that are left, by decision."""
        table = self.left if left is None else left
        return {
            decision.name: tuple(
                name for name, there in zip(decision.candidates, row, strict=False) if there
            )
            for decision, row in zip(self._decisions, table.tolist(), strict=True)
        }

    def numbers(self, left: Tensor) -> dict[str, tuple[int, ...]]:
        """The candidates that are left, by their numbers (see `shrink`)."""
        return {
            decision.name: tuple(row.nonzero().flatten().tolist())
            for decision, row in zip(self._decisions, left, strict=True)
        }

    def record(self) -> dict[str, int]:
        """What is logged: how many operations and connections are left."""
        operations = self.left & ~self._null
        return {
            "operations_left": int(operations.sum()),
            "connections_left": int(operations.any(dim=1).sum()),
        }

    def state(self) -> dict[str, Any]:
        """All that later epochs ask for."""
        means = {"mean": self._mean.clone(), "square": self._square.clone()}
        return {**means, "first": self._first.clone(), "seen": self._seen, "history": self.history}

    def load_state(self, state: dict[str, Any]) -> None:
        """Go on from what `state` gave."""
        self._mean.copy_(state["mean"])
        self._square.copy_(state["square"])
        self._first.copy_(state["first"])
        self._seen = state["seen"]
        self.history = list(state["history"])
        if self.history:
            self.left = self.history[-1].clone()
