"""Progressive shrinking: prune candidates whose weight is negligible with high confidence.

After every step of alpha its weights update running means and variances; at the end of an epoch
candidates are negligible if the upper bound of their weight, mean + 2 deviations, is below a
threshold. Operations are pruned first, connections also from the middle of the search on. A pruned
candidate never returns. Candidates that a budget needs are kept.

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
from archwright.nas.parameters.none_op import none_candidates

Allowed = Mapping[str, Sequence[str]]
"""The remaining candidates, by decision."""

_Removals = list[list[tuple[int, int]]]
"""Possible removals, the weakest first: the rows and columns of each."""

_DECAY = 0.95
"""Decay of the running means, which average about 20 steps."""
_DEVIATIONS = 2.0
"""Deviations above the mean at which the upper bound of a weight lies."""


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """Thresholds and times of pruning.

    Attributes:
        operation: negligible below this fraction of the uniform weight of remaining operations.
        connection: negligible below this fraction of its first weight.
        start: fraction of the epochs in which alpha learns after which operations are pruned.
        connections: the same of connections.
        quota: largest fraction of the remaining operations that one epoch may prune.
    """

    operation: float = 0.6
    connection: float = 0.4
    start: float = 0.3
    connections: float = 0.5
    quota: float = 0.34


class ProgressiveShrinker:
    """Remaining candidates of a search, and running statistics of their weights.

    Attributes:
        remaining: [E, O], True for candidates that are not pruned.
        history: the remaining candidates after each pruning.
    """

    def __init__(
        self, network: Network, *, alpha_start: int, schedule: Schedule | None = None
    ) -> None:
        """Start with all of `network`; alpha learns from epoch `alpha_start` on."""
        self._decisions = network.decisions()
        table = logits_table(self._decisions)
        self.remaining = ~table.isinf()
        self.history: list[Tensor] = []
        self._alpha_start = alpha_start
        self._schedule = schedule or Schedule()
        self._none_op = torch.zeros_like(self.remaining)
        for row, indices in enumerate(none_candidates(network)):
            self._none_op[row, list(indices)] = True
        inside = searched_in_cells(network)
        self._fixed = torch.tensor([d.name not in inside for d in self._decisions])
        self._mean = torch.zeros_like(table, dtype=torch.float64)
        self._square = torch.zeros_like(self._mean)
        self._first = torch.zeros(len(table), dtype=torch.float64)
        self._seen = 0

    def observe(self, weights: Tensor) -> None:
        """Update the statistics by the weights [E, O] after a step of alpha."""
        now = weights.detach().double().cpu()
        if not self._seen:
            self._first = self._open(now).sum(dim=1)
        self._seen += 1
        part = max(1 - _DECAY, 1 / self._seen)
        self._mean += part * (now - self._mean)
        self._square += part * (now.square() - self._square)

    def prune(self, progress: Progress, feasible: Callable[[Allowed], bool]) -> bool:
        """Prune negligible candidates at the end of an epoch; return whether any was.

        A candidate without which nothing would be `feasible` stays.
        """
        done = progress.epoch + 1 - self._alpha_start
        along = done / max(1, progress.epochs - self._alpha_start)
        if not self._seen or done < 1 or progress.epoch + 1 >= progress.epochs:
            return False
        removals: _Removals = []
        if along >= self._schedule.start - 1e-9:
            removals += self._operations()
        if along >= self._schedule.connections - 1e-9:
            removals += self._connections()
        remaining = self._without(self.remaining, removals, feasible)
        if torch.equal(remaining, self.remaining):
            return False
        self.remaining = remaining
        self.history.append(remaining)
        return True

    def _without(
        self, left: Tensor, removals: _Removals, feasible: Callable[[Allowed], bool]
    ) -> Tensor:
        """Apply as many removals as are feasible; if not all are, each half separately."""
        if not removals:
            return left
        fewer = left.clone()
        for places in removals:
            for place in places:
                fewer[place] = False
        if feasible(self.allowed(fewer)):
            return fewer
        if len(removals) == 1:
            return left
        half = len(removals) // 2
        return self._without(
            self._without(left, removals[:half], feasible), removals[half:], feasible
        )

    def _open(self, table: Tensor) -> Tensor:
        """Return `table` [E, O] with zeros for `none` and pruned candidates."""
        return table * (self.remaining & ~self._none_op)

    def _upper(self) -> Tensor:
        """Return the upper confidence bound of each weight [E, O]."""
        variance = (self._square - self._mean.square()).clamp(min=0.0)
        return self._mean + _DEVIATIONS * variance.sqrt()

    def _operations(self) -> _Removals:
        """Return negligible operations beside others on their edge, the weakest first."""
        operations = self.remaining & ~self._none_op & ~self._fixed[:, None]
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

    def _connections(self) -> _Removals:
        """Return negligible connections, each as all operations on it, the weakest first."""
        whole = self._open(self._upper()).sum(dim=1) / self._first.clamp(min=1e-12)
        places = self.remaining & ~self._none_op & ~self._fixed[:, None]
        ranked = sorted(
            (float(whole[row]), row)
            for row in range(len(whole))
            if places[row].any() and whole[row] < self._schedule.connection
        )
        return [[(row, c) for c in places[row].nonzero().flatten().tolist()] for _, row in ranked]

    def allowed(self, left: Tensor | None = None) -> dict[str, tuple[str, ...]]:
        """Return the remaining candidates, by decision."""
        table = self.remaining if left is None else left
        return {
            decision.name: tuple(
                name for name, there in zip(decision.candidates, row, strict=False) if there
            )
            for decision, row in zip(self._decisions, table.tolist(), strict=True)
        }

    def numbers(self, left: Tensor) -> dict[str, tuple[int, ...]]:
        """Return the remaining candidates, by their numbers (see `Shrinking`)."""
        return {
            decision.name: tuple(row.nonzero().flatten().tolist())
            for decision, row in zip(self._decisions, left, strict=True)
        }

    def record(self) -> dict[str, int]:
        """Return the log record: the numbers of remaining operations and connections."""
        operations = self.remaining & ~self._none_op
        return {
            "operations_left": int(operations.sum()),
            "connections_left": int(operations.any(dim=1).sum()),
        }

    def state(self) -> dict[str, Any]:
        """Return the state that later epochs need."""
        means = {"mean": self._mean.clone(), "square": self._square.clone()}
        return {**means, "first": self._first.clone(), "seen": self._seen, "history": self.history}

    def load_state(self, state: dict[str, Any]) -> None:
        """Restore the state that `state` returned."""
        self._mean.copy_(state["mean"])
        self._square.copy_(state["square"])
        self._first.copy_(state["first"])
        self._seen = state["seen"]
        self.history = list(state["history"])
        if self.history:
            self.remaining = self.history[-1].clone()
