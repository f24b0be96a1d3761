"""Constraints of a search: limits on costs, and derivation of an architecture within them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from archwright.backends.formats import WEIGHT_BYTES
from archwright.cost.contract import CostContext
from archwright.cost.expected.decision_table import DecisionTable
from archwright.cost.expected.model import CostModel
from archwright.cost.learned.encoding import Encoding
from archwright.cost.registry import get_cost
from archwright.errors import ConfigError
from archwright.graph import Architecture
from archwright.nas.budget.augmented_lagrangian import AugmentedLagrangian
from archwright.nas.budget.budget import Budget
from archwright.nas.budget.derivation import Derivation
from archwright.nas.budget.options import BudgetOptions
from archwright.nas.derive.oneshot import sample_architectures
from archwright.nas.monitor.statistics import Weights
from archwright.spaces import Size, Space
from archwright.spaces.discretise import discretise

if TYPE_CHECKING:
    from archwright.data import ImageData


@dataclass(frozen=True)
class SearchConstraints:
    """Constraints on the architectures that a search may derive.

    Attributes:
        size: size of the supernet.
        ranks_none: whether `none` can be selected by its own weight where a node keeps all edges.
        deployed: size of the networks whose costs are limited or weighed.
        budgets: limits on costs of networks at the deployment size.
        objective: weights of costs in alpha's loss.
        front: cost along which a Pareto front is derived, if one is asked for.
        regularity: weight of the irregularity of an architecture.
        budget_use_bonus: bonus on the score for using all of the budgets, in nats a decision.
        allowed: remaining candidates of each decision; None: all.
    """

    space: Space
    size: Size
    ranks_none: bool
    deployed: Size
    budgets: tuple[Budget, ...] = ()
    objective: tuple[tuple[CostModel, float], ...] = ()
    front: CostModel | None = None
    regularity: float = 0.0
    budget_use_bonus: float = 0.0
    allowed: Mapping[str, Sequence[str]] | None = None

    @cached_property
    def table(self) -> DecisionTable:
        """Decisions at the deployment size."""
        return DecisionTable(self.space, self.deployed)

    @cached_property
    def encoding(self) -> Encoding:
        """Features of the graph for alpha; with latency, where latency is limited or weighed."""
        timed = (one for one in self._models if get_cost(one.name).profiled)
        known = (one.surrogate.table for one in timed)
        return Encoding(self.table, next(known, None))

    @property
    def _models(self) -> list[CostModel]:
        """Costs that are limited, weighed or spread over a front; repeats are possible."""
        front = [] if self.front is None else [self.front]
        return [*(one.cost for one in self.budgets), *(one for one, _ in self.objective), *front]

    @cached_property
    def derivation(self) -> Derivation | None:
        """Derivation within the constraints; None: the strongest candidates are always feasible.

        Where `none` can be selected, the strongest candidates could disconnect a cell.
        """
        if not self.budgets and not self.ranks_none and self.allowed is None:
            return None
        return self._derivation

    @cached_property
    def _derivation(self) -> Derivation:
        return Derivation(
            self.table, self.budgets, self.ranks_none, self.allowed, self.budget_use_bonus
        )

    @cached_property
    def _unlimited(self) -> "SearchConstraints":
        return replace(self, budgets=())

    def narrowed(self, allowed: Mapping[str, Sequence[str]]) -> "SearchConstraints":
        """Return the same constraints on the remaining candidates."""
        return replace(self, allowed=allowed)

    @property
    def is_feasible(self) -> bool:
        """Whether any remaining architecture is within the budgets."""
        return self._derivation.feasible

    def strongest(self, weights: Weights) -> Architecture:
        """Return the top-ranked architecture of the remaining ones, budgets ignored."""
        if self.allowed is None:
            return discretise(self.space, self.size, weights, null=self.ranks_none)
        return discretise(self.space, self.size, self._ranked(weights, self.allowed))

    def _ranked(self, weights: Weights, allowed: Mapping[str, Sequence[str]]) -> Weights:
        """Return the weights, with -1 for candidates that cannot be selected.

        `none` can be selected where no other candidate of an edge remains.
        """
        found: dict[str, list[float]] = {}
        for decision in self.table.decisions:
            left = set(allowed[decision.name])
            if not self.ranks_none:
                left = left - {self.space.null} or left
            pairs = zip(decision.candidates, weights[decision.name], strict=True)
            found[decision.name] = [value if name in left else -1.0 for name, value in pairs]
        return found

    def derive(self, weights: Weights) -> Architecture:
        """Return the top-ranked feasible architecture; budgets that do not bind change nothing."""
        if self.derivation is None:
            return self.strongest(weights)
        if self.budgets and not self.argmax_infeasible(weights):
            return self._unlimited.derive(weights)
        return self.derivation.derive(weights)

    def argmax_infeasible(self, weights: Weights) -> bool:
        """Return whether the top-ranked architecture exceeds a budget."""
        return bool(self.budgets) and not self.feasible(self._unlimited.derive(weights))

    def top(self, weights: Weights, count: int) -> list[Architecture]:
        """Return the `count` top-ranked feasible architectures, the strongest first."""
        if self.budgets and not self.argmax_infeasible(weights):
            return [one for one in self._unlimited.top(weights, count) if self.feasible(one)]
        first = self.derive(weights)
        others = self._derivation.top(weights, count) if count > 1 else []
        return [first, *(one for one in others if one != first)][:count]

    def epsilon_constraints(self, count: int) -> list[tuple[float, "SearchConstraints"]]:
        """Return `count` limits on the front's cost, from its minimum to its maximum.

        Each comes with the constraints that have this limit as a budget beside the others.
        """
        assert self.front is not None, "asked for with a front"
        least, largest = self._derivation.cost_range(self.front)
        others = tuple(budget for budget in self.budgets if budget.cost != self.front)
        limits = [least + (largest - least) * part / (count - 1) for part in range(count)]
        return [(x, replace(self, budgets=(Budget(self.front, x), *others))) for x in limits]

    def draw(self, count: int, seed: int) -> list[Architecture]:
        """Draw `count` feasible architectures at random."""
        if self.derivation is None:
            return sample_architectures(self.space, self.size, count, seed)
        return self.derivation.draw(count, seed)

    def lagrangian(self, steps: int) -> AugmentedLagrangian | None:
        """Return the penalty on alpha's loss over `steps` steps of alpha; None: no penalty."""
        if not self.budgets and not self.objective and not self.regularity:
            return None
        return AugmentedLagrangian(
            self.table,
            self.budgets,
            self.objective,
            self.strongest,
            ranks_none=self.ranks_none,
            steps=steps,
            regularity=self.regularity,
        )

    def costs(self, architecture: Architecture) -> dict[str, float] | None:
        """Return the limited and weighed costs of an architecture, by name; None: none are."""
        return {cost.name: cost.of(architecture) for cost in self._models} or None

    @property
    def limits(self) -> dict[str, float] | None:
        """Limit of each limited cost, by the cost's name; None: no cost is limited."""
        return {one.cost.name: one.limit for one in self.budgets} or None

    @property
    def counted_at(self) -> Size | None:
        """Size of the networks whose costs are counted; None: no costs are counted."""
        return self.deployed if self._models else None

    def feasible(self, architecture: Architecture) -> bool | None:
        """Return whether an architecture is within the budgets; None: there are no budgets."""
        return all(b.holds(architecture) for b in self.budgets) if self.budgets else None


def build_constraints(
    options: BudgetOptions, space: Space, size: Size, images: "ImageData", *, ranks_none: bool
) -> SearchConstraints:
    """Return the constraints that a search's options set, for a supernet of `size`.

    Raises:
        ConfigError: no architecture is within the budgets (the smallest possible value is named),
            a cost has no source, or networks of the deployment size have other decisions than
            those of the supernet.
    """
    deployed = _deployed(options, space, size, images)

    context = CostContext(
        weight_bytes=WEIGHT_BYTES[options.deploy_weights],
        latency_device=options.latency_device,
        latency_table=options.latency_table,
    )

    def model(name: str) -> CostModel:
        return get_cost(name).build(DecisionTable(space, deployed), context)

    budgets = tuple(Budget(model(name), limit) for name, limit in options.limits.items())
    objective = tuple((model(name), weight) for name, weight in options.objective_weights.items())
    front: CostModel | None = None
    if options.pareto is not None:
        sourced = options.latency_device is not None or options.latency_table is not None
        front = budgets[0].cost if budgets else model("latency_ms" if sourced else "macs")
    constraints = SearchConstraints(
        *(space, size, ranks_none, deployed, budgets, objective, front),
        regularity=options.regularity,
        budget_use_bonus=options.spend,
    )
    if constraints.derivation is not None:
        constraints.derivation.require_feasible()
    return constraints


def _deployed(options: BudgetOptions, space: Space, size: Size, images: "ImageData") -> Size:
    """Return the size of the network that the search is for (the deployment size)."""
    channels, cells = space.train_size

    def sized(depth: int) -> Size:
        return Size(
            channels=options.deploy_channels or channels,
            cells=depth,
            classes=len(images.classes),
            image_size=options.deploy_image_size or images.image_size,
            image_channels=images.channels,
        )

    searched = space.skeleton.cells(size)
    if options.deploy_cells is None and space.skeleton.cells(sized(cells)) != searched:
        cells = size.cells  # a space whose depth is a number of decisions is deployed as searched
    found = sized(options.deploy_cells or cells)
    if space.skeleton.cells(found) != searched:
        raise ConfigError(
            f"--deploy-cells {found.cells} makes networks with other decisions than the "
            f"{size.cells} cells that are searched: in space {space.name} both must be the same"
        )
    return found
