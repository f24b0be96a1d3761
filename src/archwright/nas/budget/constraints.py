"""The terms of a search: what its answer may cost, and how an answer is taken from weights."""

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
    """What a search may answer.

    Attributes:
        size: that of the supernet.
        null: whether the null candidate may win by its own weight where a node keeps all edges.
        budgets: limits on costs of networks at the deployment size.
        objective: weights of costs in alpha's loss.
        front: the cost along which a front is derived, if one is asked for.
        regularity: weight of how irregular an answer is.
        budget_use_bonus: what using all of the budgets adds to a score, in nats a decision.
        allowed: the candidates that are left of each decision; None: all.
    """

    space: Space
    size: Size
    null: bool
    deployed: Size
    budgets: tuple[Budget, ...] = ()
    objective: tuple[tuple[CostModel, float], ...] = ()
    front: CostModel | None = None
    regularity: float = 0.0
    budget_use_bonus: float = 0.0
    allowed: Mapping[str, Sequence[str]] | None = None

    @cached_property
    def layout(self) -> DecisionTable:
        """The decisions at the deployment size."""
        return DecisionTable(self.space, self.deployed)

    @cached_property
    def encoding(self) -> Encoding:
        """What alpha may be told of the graph: of its latency too, where that has a say."""
        timed = (one for one in self._models if get_cost(one.name).profiled)
        known = (one.surrogate.table for one in timed)
        return Encoding(self.layout, next(known, None))

    @property
    def _models(self) -> list[CostModel]:
        """What is limited, weighed or spread over a front; one may be there more than once."""
        front = [] if self.front is None else [self.front]
        return [*(one.cost for one in self.budgets), *(one for one, _ in self.objective), *front]

    @cached_property
    def derivation(self) -> Derivation | None:
        """Derivation within the budgets; None: the strongest candidates are all that counts.

        Where the null candidate may win, they could cut a cell in two.
        """
        if not self.budgets and not self.null and self.allowed is None:
            return None
        return self._derivation

    @cached_property
    def _derivation(self) -> Derivation:
        return Derivation(self.layout, self.budgets, self.null, self.allowed, self.budget_use_bonus)

    @cached_property
    def _unlimited(self) -> "SearchConstraints":
        return replace(self, budgets=())

    def narrowed(self, allowed: Mapping[str, Sequence[str]]) -> "SearchConstraints":
        """The same, for what is left of the space."""
        return replace(self, allowed=allowed)

    @property
    def is_feasible(self) -> bool:
        """Whether anything that is left is within the budgets."""
        return self._derivation.feasible

    def strongest(self, weights: Weights) -> Architecture:
        """The architecture that weights speak for in what is left, whatever it costs."""
        if self.allowed is None:
            return discretise(self.space, self.size, weights, null=self.null)
        return discretise(self.space, self.size, self._ranked(weights, self.allowed))

    def _ranked(self, weights: Weights, allowed: Mapping[str, Sequence[str]]) -> Weights:
        """Weights in which what may not win is behind all else.

        The null candidate may win where nothing else is left of an edge.
        """
        found: dict[str, list[float]] = {}
        for decision in self.layout.decisions:
            left = set(allowed[decision.name])
            if not self.null:
                left = left - {self.space.null} or left
            pairs = zip(decision.candidates, weights[decision.name], strict=True)
            found[decision.name] = [value if name in left else -1.0 for name, value in pairs]
        return found

    def derive(self, weights: Weights) -> Architecture:
        """The strongest architecture within the budgets; those that it holds change nothing."""
        if self.derivation is None:
            return self.strongest(weights)
        if self.budgets and not self.argmax_infeasible(weights):
            return self._unlimited.derive(weights)
        return self.derivation.derive(weights)

    def argmax_infeasible(self, weights: Weights) -> bool:
        """Whether what weights speak for is beyond a budget."""
        return bool(self.budgets) and not self.feasible(self._unlimited.derive(weights))

    def top(self, weights: Weights, count: int) -> list[Architecture]:
        """So many of the strongest architectures within the budgets, the strongest first."""
        if self.budgets and not self.argmax_infeasible(weights):
            return [one for one in self._unlimited.top(weights, count) if self.feasible(one)]
        first = self.derive(weights)
        others = self._derivation.top(weights, count) if count > 1 else []
        return [first, *(one for one in others if one != first)][:count]

    def epsilon_constraints(self, count: int) -> list[tuple[float, "SearchConstraints"]]:
        """So many limits on the front's cost, from the least possible to the largest there is.

        Each comes with the terms that have it as a budget beside the others.
        """
        assert self.front is not None, "asked for with a front"
        least, largest = self._derivation.cost_range(self.front)
        others = tuple(budget for budget in self.budgets if budget.cost != self.front)
        limits = [least + (largest - least) * part / (count - 1) for part in range(count)]
        return [(x, replace(self, budgets=(Budget(self.front, x), *others))) for x in limits]

    def draw(self, count: int, seed: int) -> list[Architecture]:
        """So many architectures at random, within the budgets."""
        if self.derivation is None:
            return sample_architectures(self.space, self.size, count, seed)
        return self.derivation.draw(count, seed)

    def pressure(self, steps: int) -> AugmentedLagrangian | None:
        """What joins the loss of alpha, which learns for so many steps; None: nothing."""
        if not self.budgets and not self.objective and not self.regularity:
            return None
        return AugmentedLagrangian(
            self.layout,
            self.budgets,
            self.objective,
            self.strongest,
            null=self.null,
            steps=steps,
            regularity=self.regularity,
        )

    def costs(self, architecture: Architecture) -> dict[str, float] | None:
        """What is limited or weighed, of an architecture, by the cost's name; None: nothing is."""
        return {cost.name: cost.of(architecture) for cost in self._models} or None

    @property
    def limits(self) -> dict[str, float] | None:
        """The most that each limited cost may be, by the cost's name; None: nothing is limited."""
        return {one.cost.name: one.limit for one in self.budgets} or None

    @property
    def counted_at(self) -> Size | None:
        """The size of the networks that costs are counted for; None: none are."""
        return self.deployed if self._models else None

    def feasible(self, architecture: Architecture) -> bool | None:
        """Whether an architecture is within the budgets; None: there are none."""
        return all(b.holds(architecture) for b in self.budgets) if self.budgets else None


def build_constraints(
    options: BudgetOptions, space: Space, size: Size, images: "ImageData", *, null: bool
) -> SearchConstraints:
    """The terms that a search's options set, for a supernet of `size`.

    Raises:
        ConfigError: nothing is within the budgets (the smallest possible value is named), a cost
            has no source, or the deployment size is none of the searched networks.
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
    terms = SearchConstraints(
        *(space, size, null, deployed, budgets, objective, front),
        regularity=options.regularity,
        budget_use_bonus=options.spend,
    )
    if terms.derivation is not None:
        terms.derivation.require_feasible()
    return terms


def _deployed(options: BudgetOptions, space: Space, size: Size, images: "ImageData") -> Size:
    """The size of the network that the search is for."""
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
