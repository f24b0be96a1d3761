"""Which nodes are deleted: the least important ones, until the network costs what it may."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from archwright.errors import ConfigError
from archwright.ir import Network, Node, Pruning, rewire
from archwright.ir.pruning import in_order

Cost = Callable[[Network], float]


@dataclass(frozen=True)
class Target:
    """What a network may cost at most; `name` is the cost's, as a message says it."""

    name: str
    cost: Cost
    limit: float

    def share(self, network: Network) -> float:
        """What the network costs, in units of what it may."""
        return self.cost(network) / self.limit


def select(
    network: Network,
    importance: Mapping[Node, float],
    targets: Sequence[Target],
    pruning: Pruning,
    *,
    per_cost: bool = False,
) -> Pruning:
    """`pruning` with nodes to delete, so that `network` meets every target.

    Greedy: the least important node next (with `per_cost`, importance is divided by what deleting
    the node alone saves), one that saves nothing being left out, until all targets are met. Then
    nodes are taken back, the most important first, as far as the targets allow.

    Raises:
        ConfigError: the targets cannot be met; the text says how far the network comes down.
    """

    def share(deleted: frozenset[Node]) -> float:
        pruned = rewire(network, replace(pruning, deleted=deleted))
        return max(target.share(pruned) for target in targets)

    whole = share(frozenset())
    rank = dict(importance)
    if per_cost:
        rank = {
            node: value / max(whole - share(frozenset({node})), 1e-12)
            for node, value in rank.items()
        }
    order = sorted(in_order(rank), key=rank.__getitem__)
    deleted, left = _delete(order, share, whole)
    if left > 1:
        raise ConfigError(_unreachable(network, targets, replace(pruning, deleted=deleted)))
    for node in reversed(order):
        if node in deleted and share(deleted - {node}) <= 1:
            deleted -= {node}
    return replace(pruning, deleted=deleted)


def _delete(
    order: Sequence[Node], share: Callable[[frozenset[Node]], float], whole: float
) -> tuple[frozenset[Node], float]:
    """The first nodes in `order` that bring the share to 1 or below, and the share then.

    What saves nothing yet is asked again when other nodes are gone.
    """
    deleted, now = frozenset[Node](), whole
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


def _unreachable(network: Network, targets: Sequence[Target], pruning: Pruning) -> str:
    least = rewire(network, pruning)
    worst = max(targets, key=lambda target: target.share(least))
    whole, left = worst.cost(network), worst.cost(least)
    return (
        f"{worst.name} cannot come down to {worst.limit:,.6g}: with {len(pruning.deleted)} nodes "
        f"deleted {left:,.6g} of {whole:,.6g} are left ({left / whole:.3f}); ask for no less"
    )
