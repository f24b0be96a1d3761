"""Selection of nodes to delete: the least important ones, until every target is met."""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from archwright.errors import ConfigError
from archwright.graph import Node, Pruning
from archwright.graph.pruning import in_order
from archwright.pruning.min_cost_set import min_cost_set

Cost = Callable[[Pruning], float]
"""Function that returns a cost of the network after a pruning."""

_TRIES = 10
_MARGIN = 0.99
"""After a measurement above a limit, the prediction is aimed at this fraction of the limit."""
_LEAST = 1e-12
"""Least saving of a node, when importance is divided by it."""


@dataclass(frozen=True, kw_only=True)
class Target:
    """Upper limit of a cost of the pruned network.

    Attributes:
        name: the flag that sets it.
        unit: the unit of the cost in messages.
        cost: counted or predicted cost after a pruning.
        measured: measured cost after a pruning, if it can differ from `cost`.
        firm: whether it must be met; if not, it is given up where it cannot be met.
    """

    name: str
    unit: str
    cost: Cost
    limit: float
    measured: Cost | None = None
    firm: bool = True

    def share(self, pruning: Pruning) -> float:
        """Return the cost after `pruning` as a fraction of the limit."""
        return self.cost(pruning) / self.limit

    def relaxed(self, part: float) -> "Target":
        """Return the target at the fraction `part` of the way from the whole network's cost."""
        whole = self.cost(Pruning())
        return replace(self, limit=max(self.limit, whole + part * (self.limit - whole)))


def select_measured(
    importance: Mapping[Node, float],
    targets: Sequence[Target],
    pruning: Pruning,
    *,
    per_cost: bool = False,
) -> Pruning:
    """Add nodes to `pruning` so that every target is met, also when it is measured.

    If a measurement is above the limit, the limit on the prediction is lowered, and the selection
    repeated. If not all targets can be met, only the firm ones are kept, and a line on standard
    error says so.

    Raises:
        ConfigError: the firm targets cannot be met; the text states the least reachable cost.
    """
    try:
        return _all_met(importance, targets, pruning, per_cost=per_cost)
    except ConfigError as error:
        firm = _firm(targets, error)
    return _all_met(importance, firm, pruning, per_cost=per_cost)


def attainable(
    importance: Mapping[Node, float], targets: Sequence[Target], pruning: Pruning
) -> Sequence[Target]:
    """Return the targets if all can be met together as predicted; else the firm ones, and print a
    line.

    Raises:
        ConfigError: all of them are firm; the text states the least reachable cost.
    """
    try:
        select_greedy(importance, targets, pruning)
    except ConfigError as error:
        return _firm(targets, error)
    return targets


def _firm(targets: Sequence[Target], error: ConfigError) -> list[Target]:
    """Return the firm targets; raise `error`, that not all can be met, if all of them are firm."""
    firm = [target for target in targets if target.firm]
    if len(firm) == len(targets):
        raise error
    print(f"a budget is not kept while pruning: {error}", file=sys.stderr, flush=True)
    return firm


def _all_met(
    importance: Mapping[Node, float],
    targets: Sequence[Target],
    pruning: Pruning,
    *,
    per_cost: bool,
) -> Pruning:
    """Do as `select_measured`, with every target firm."""
    if not targets:
        return pruning
    aimed, over = list(targets), [0.0]
    for number in range(_TRIES):
        try:
            found = select_greedy(importance, aimed, pruning, per_cost=per_cost)
        except ConfigError as error:
            if number == 0:
                raise
            raise ConfigError(_missed(targets, over, "nothing promises less")) from error
        over = [1.0 if t.measured is None else t.measured(found) / t.limit for t in targets]
        if max(over) <= 1:
            return found
        aimed = [
            replace(t, limit=min(t.limit, t.share(found) * t.limit) / o * _MARGIN) if o > 1 else t
            for t, o in zip(aimed, over, strict=True)
        ]
    raise ConfigError(_missed(targets, over, f"so it was {_TRIES - 1} times before"))


def _missed(targets: Sequence[Target], over: Sequence[float], why: str) -> str:
    """Return the error text of a missed target; `over` are the last measurements in units of the
    limits.
    """
    worst = targets[over.index(max(over))]
    return (
        f"{worst.name} {worst.limit:g} was not met: {max(over) * worst.limit:.6g} {worst.unit} "
        f"were measured, and {why}; leave the machine alone meanwhile, or ask for more"
    )


def select_greedy(
    importance: Mapping[Node, float],
    targets: Sequence[Target],
    pruning: Pruning,
    *,
    per_cost: bool = False,
) -> Pruning:
    """Add nodes to `pruning` so that the predicted costs meet every target.

    Greedy: delete the least important node next (with `per_cost`, importance is divided by the cost
    that its deletion saves at present), skipping nodes that save nothing, until all targets are
    met; if that fails, take the set of nodes with the least cost. Then restore nodes, the most
    important first, as far as the targets allow; nodes that were already in `pruning` count as the
    least important.

    Raises:
        ConfigError: the targets cannot be met; the text states the least reachable cost.
    """

    def shares(deleted: frozenset[Node]) -> list[float]:
        less = replace(pruning, deleted=deleted)
        return [target.share(less) for target in targets]

    def share(deleted: frozenset[Node]) -> float:
        return max(shares(deleted))

    first = pruning.deleted
    whole = share(first)

    def rank(node: Node) -> float:
        value = importance[node]
        saved = max(whole - share(first | {node}), _LEAST) if per_cost else 1.0
        return value / saved if value > 0 else value * saved

    before = sorted(in_order(first), key=importance.__getitem__)
    order = sorted(in_order(importance.keys() - first), key=rank)
    deleted, left = _delete(order, share, first, whole)
    if left > 1:
        deleted = min(deleted, min_cost_set(importance, shares), key=share)
        if share(deleted) > 1:
            raise ConfigError(_unreachable(targets, replace(pruning, deleted=deleted)))
    for node in reversed([*before, *order]):
        if node in deleted and share(deleted - {node}) <= 1:
            deleted -= {node}
    return replace(pruning, deleted=deleted)


def _delete(
    order: Sequence[Node],
    share: Callable[[frozenset[Node]], float],
    deleted: frozenset[Node],
    now: float,
) -> tuple[frozenset[Node], float]:
    """Add the first nodes in `order` to `deleted` until the share, `now` at first, is at most 1;
    return the nodes and the share.

    A node that saves nothing yet is tried again after other nodes are deleted.
    """
    waiting = list(order)
    while waiting and now > 1:
        passed: list[Node] = []
        for node in waiting:
            less = share(deleted | {node}) if now > 1 else now
            if less < now:
                deleted, now = deleted | {node}, less
            else:
                passed.append(node)
        if len(passed) == len(waiting):
            break
        waiting = passed
    return deleted, now


def _unreachable(targets: Sequence[Target], least: Pruning) -> str:
    worst = max(targets, key=lambda target: target.share(least))
    others = " and ".join(target.name for target in targets if target is not worst)
    beside = f" beside {others}" if others else ""
    whole, left = worst.cost(replace(least, deleted=frozenset())), worst.cost(least)
    return (
        f"{worst.name} cannot come down to {_number(worst.limit)} {worst.unit}{beside}: with "
        f"{len(least.deleted)} nodes deleted {_number(left)} of {_number(whole)} are left "
        f"({left / whole:.3f}); ask for no less"
    )


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 1e6 else f"{value:,.6g}"
