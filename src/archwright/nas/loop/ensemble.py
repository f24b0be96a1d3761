"""Several supernets that decide together.

What one supernet's alpha ends at depends on its first weights and on the order of the images. What
several are agreed on depends on them less: the weights of their candidates are averaged, and
finalists compared by the mean of their losses.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from typing_extensions import override

from archwright.engine.checkpointer import Checkpointer
from archwright.nas.budget.constraints import SearchConstraints
from archwright.nas.budget.options import BudgetOptions
from archwright.nas.config import SearchConfig
from archwright.nas.derive.selection import ArchitectureEvaluator, EnsembleEvaluator
from archwright.nas.loop.result import SearchResult
from archwright.nas.loop.run import SearchRun, resume_or_run, search_single
from archwright.nas.loop.trained import Answering, TrainedSupernet
from archwright.nas.monitor.statistics import Weights
from archwright.spaces import write_architecture


def search_ensemble(config: SearchConfig) -> SearchResult:
    """Search by each supernet, or go on with it, in a folder of its own within that of the run.

    Raises:
        ConfigError, DataError, RunError, DivergedError: as `search`.
    """
    return resume_or_run(config, _decide)


def _decide(run: SearchRun, keeper: Checkpointer) -> SearchResult:
    """Every supernet that is left, then the architecture."""
    config = run.config
    keeper.restore()
    run.log_start(keeper, run.begin())
    seconds = 0.0
    for number in range(config.supernets):
        ensemble_member = config.ensemble_member(number)
        found = search_single(ensemble_member)
        seconds += found.seconds
        text = write_architecture(found.architecture)
        keeper.folder.log.write(
            "supernet", number=number, seed=ensemble_member.seed, architecture=text
        )
    keeper.count(seconds)
    several = SupernetEnsemble.of(config)
    architecture = several.panel.choose(run.terms, several.weights)
    count = config.pareto
    points = None if count is None else several.panel.front(run.terms, several.weights, count)
    return run.conclude(keeper, several.members[0].bilevel, architecture, points)


@dataclass(frozen=True)
class SupernetEnsemble(Answering):
    """Supernets that were trained, asked for one answer; see `TrainedSupernet`."""

    members: tuple[TrainedSupernet, ...]
    panel: EnsembleEvaluator
    weights: Weights

    @classmethod
    def of(cls, config: SearchConfig) -> Self:
        """The supernets of a search, each of which must have ended.

        Raises:
            RunError, ConfigError, DataError: as `TrainedSupernet.of`.
        """
        members = tuple(
            TrainedSupernet.of(config.ensemble_member(n)) for n in range(config.supernets)
        )
        terms = members[0].searching.terms
        panel = EnsembleEvaluator([one.judge for one in members], terms, finalists=config.finalists)
        return cls(members, panel, average([one.weights for one in members]))

    @property
    @override
    def jury(self) -> ArchitectureEvaluator:
        return self.panel

    @property
    @override
    def first(self) -> SearchRun:
        return self.members[0].searching

    @override
    def terms(self, options: BudgetOptions) -> SearchConstraints:
        return self.members[0].terms(options)


def average(members: Sequence[Weights]) -> Weights:
    """The mean weight of each candidate."""
    return {name: np.mean([one[name] for one in members], axis=0).tolist() for name in members[0]}
