"""Completed search, loaded from its run folder to derive architectures for other budgets."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import Self

from typing_extensions import override

from archwright.engine.runs.checkpoint import load_checkpoint, loading
from archwright.engine.runs.folder import RunFolder
from archwright.errors import RunError
from archwright.graph import Architecture
from archwright.nas.bilevel.bilevel import Bilevel
from archwright.nas.budget.constraints import SearchConstraints, build_constraints
from archwright.nas.budget.options import BudgetOptions
from archwright.nas.config import SearchConfig
from archwright.nas.derive.selection import ArchitectureEvaluator
from archwright.nas.loop.run import SearchRun, build_run
from archwright.nas.monitor.statistics import Weights


@dataclass(frozen=True, kw_only=True)
class TrainedSearch(ABC):
    """Trained search, from which architectures are derived for any budgets.

    Attributes:
        run: the search, with its space, size and images.
        evaluator: comparison of finalists.
        weights: ranking scores of candidates.
    """

    run: SearchRun
    evaluator: ArchitectureEvaluator
    weights: Weights

    @abstractmethod
    def constraints(self, options: BudgetOptions) -> SearchConstraints:
        """Return the constraints that `options` set.

        Raises:
            ConfigError: no architecture is within them.
        """

    def strongest(self) -> Architecture:
        """Derive the architecture from alpha alone, without budgets."""
        return replace(self.run.constraints, budgets=()).derive(self.weights)

    def select(self, constraints: SearchConstraints) -> Architecture:
        """Derive the architecture within `constraints`."""
        return self.evaluator.select(constraints, self.weights)

    def derive(self, options: BudgetOptions) -> Architecture:
        """Derive the architecture within the budgets of `options`.

        Raises:
            ConfigError: no architecture is within them.
        """
        return self.select(self.constraints(options))


@dataclass(frozen=True, kw_only=True)
class TrainedSupernet(TrainedSearch):
    """Trained supernet with its alpha."""

    bilevel: Bilevel

    @classmethod
    def load(cls, config: SearchConfig) -> Self:
        """Load the search in the run folder of `config`, which must have ended.

        Raises:
            RunError: it has not, or its checkpoint is damaged or of another configuration.
            ConfigError, DataError: as `search`.
        """
        folder = RunFolder(config.out)
        if folder.result() is None:
            raise RunError(f"{config.out} has no completed search: run it to its end first")
        run = build_run(config)
        bilevel = run.build_bilevel()
        monitor = run.build_monitor(bilevel)
        path = folder.checkpoint("last")
        state = load_checkpoint(path)
        with loading(path):
            run.restore(bilevel, state)
            monitor.load_state(state["watch"])
        evaluator = run.build_evaluator(bilevel)
        return cls(run=run, bilevel=bilevel, evaluator=evaluator, weights=monitor.ranking_scores)

    @classmethod
    def untrained(cls, config: SearchConfig) -> Self:
        """Return the start of the search of `config`: initial alpha, and fresh weights.

        Raises:
            ConfigError, DataError: as `search`.
        """
        run = build_run(config)
        bilevel = run.build_bilevel()
        evaluator = run.build_evaluator(bilevel)
        return cls(run=run, bilevel=bilevel, evaluator=evaluator, weights=bilevel.ranking_scores())

    @override
    def constraints(self, options: BudgetOptions) -> SearchConstraints:
        run = self.run
        ranks_none = run.constraints.ranks_none
        constraints = build_constraints(
            options, run.space, run.size, run.images, ranks_none=ranks_none
        )
        left = run.constraints.allowed
        return constraints if left is None else constraints.narrowed(left)
