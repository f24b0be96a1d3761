"""Which nodes are deleted: the least important ones, until the network costs what it may."""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from archwright.errors import ConfigError
from archwright.graph import Node, Pruning
from archwright.graph.pruning import in_order
from archwright.pruning.min_cost_set import furthest

Cost = Callable[[Pruning], float]
"""What is left costs so much."""

_TRIES = 10
_MARGIN = 0.99
"""What was measured above a limit is aimed at that much below it."""
_LEAST = 1e-12
"""What a node saves at least, when importance is divided by it."""


@dataclass(frozen=True, kw_only=True)
class Target:
    """What a network may cost at most.

    Attributes:
        name: the flag that asks for it.
        unit: what is counted, as a message says it.
        cost: what a pruning leaves, as it is counted or predicted.
        measured: what it leaves when it is looked at, where that may be something else.
        firm: whether it must be met; else it is, if that is possible.
    """

    name: str
    unit: str
    cost: Cost
    limit: float
    measured: Cost | None = None
    firm: bool = True

    def share(self, pruning: Pruning) -> float:
        """What is left, in units of what may be."""
        return self.cost(pruning) / self.limit

    def relaxed(self, part: float) -> "Target":
        """A part of the way to this one, from the whole network on."""
        whole = self.cost(Pruning())
        return replace(self, limit=max(self.limit, whole + part * (self.limit - whole)))


def choose(
    importance: Mapping[Node, float],
    targets: Sequence[Target],
    pruning: Pruning,
    *,
    per_cost: bool = False,
) -> Pruning:
    """`pruning` with more nodes to delete, so that every target is met, also when it is measured.

    Where a measurement is above what was predicted, the prediction has to stay as far below. Where
    they cannot all be met, those count that are firm, and a line says so.

    Raises:
        ConfigError: the firm targets cannot be met; the text says how far the network comes down.
    """
    try:
        return _all_met(importance, targets, pruning, per_cost=per_cost)
    except ConfigError as error:
        firm = _firm(targets, error)
    return _all_met(importance, firm, pruning, per_cost=per_cost)


def attainable(
    importance: Mapping[Node, float], targets: Sequence[Target], pruning: Pruning
) -> Sequence[Target]:
    """The targets, if all are met together as predicted; else the firm ones, and a line says so.

    Raises:
        ConfigError: all of them are firm; the text says how far the network comes down.
    """
    try:
        select(importance, targets, pruning)
    except ConfigError as error:
        return _firm(targets, error)
    return targets


def _firm(targets: Sequence[Target], error: ConfigError) -> list[Target]:
    """The targets that must be met, where an `error` says that not all of them can be."""
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
    """As `choose`, where every target is firm."""
    if not targets:
        return pruning
    aimed, over = list(targets), [0.0]
    for number in range(_TRIES):
        try:
            found = select(importance, aimed, pruning, per_cost=per_cost)
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
    """That the last measurement was over a target, in units of which it was `over`."""
    worst = targets[over.index(max(over))]
    return (
        f"{worst.name} {worst.limit:g} was not met: {max(over) * worst.limit:.6g} {worst.unit} "
        f"were measured, and {why}; leave the machine alone meanwhile, or ask for more"
    )


def select(
    importance: Mapping[Node, float],
    targets: Sequence[Target],
    pruning: Pruning,
    *,
    per_cost: bool = False,
) -> Pruning:
    """`pruning` with more nodes to delete, so that what is left meets every target as predicted.

    Greedy: the least important node next (with `per_cost`, importance is divided by what the node
    saves if it goes next), one that saves nothing being left out, until all targets are met; where
    that does not meet them, those without which the network costs least. Then nodes are taken back,
    the most important first, as far as the targets allow; those that were to be deleted before are
    the least important.

    Raises:
        ConfigError: the targets cannot be met; the text says how far the network comes down.
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
        deleted = min(deleted, furthest(importance, shares), key=share)
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
    """The `deleted`, whose share is `now`, and the first in `order` that bring it to 1 or below.

    The share then is given, too.

    What saves nothing yet is asked again when other nodes are gone.
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
