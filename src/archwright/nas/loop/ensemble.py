"""Ensembles of supernets.

The alpha of one supernet depends on its initial weights and on the order of the images; the mean
over several depends on them less. The ranking scores of candidates are averaged, and finalists
compared by the mean of their losses.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from typing_extensions import override

from archwright.engine.runs.checkpointer import Checkpointer
from archwright.nas.budget.constraints import SearchConstraints
from archwright.nas.budget.options import BudgetOptions
from archwright.nas.config import SearchConfig
from archwright.nas.derive.selection import EnsembleEvaluator
from archwright.nas.loop.result import SearchResult
from archwright.nas.loop.run import SearchRun, resume_or_run, search_single
from archwright.nas.loop.trained import TrainedSearch, TrainedSupernet
from archwright.nas.monitor.statistics import Weights
from archwright.spaces import write_architecture


def search_ensemble(config: SearchConfig) -> SearchResult:
    """Search by each supernet, or resume it, in a folder of its own within the run folder.

    Raises:
        ConfigError, DataError, RunError, DivergedError: as `search`.
    """
    return resume_or_run(config, _decide)


def _decide(run: SearchRun, checkpointer: Checkpointer) -> SearchResult:
    """Train the remaining supernets, then derive the architecture."""
    config = run.config
    checkpointer.restore()
    run.log_start(checkpointer, run.build_bilevel())
    seconds = 0.0
    for number in range(config.supernets):
        member = config.ensemble_member(number)
        found = search_single(member)
        seconds += found.seconds
        text = write_architecture(found.architecture)
        checkpointer.folder.log.write(
            "supernet", number=number, seed=member.seed, architecture=text
        )
    checkpointer.count(seconds)
    ensemble = SupernetEnsemble.load(config)
    evaluator, weights, count = ensemble.evaluator, ensemble.weights, config.pareto
    architecture = evaluator.select(run.constraints, weights)
    points = None if count is None else evaluator.pareto_front(run.constraints, weights, count)
    return run.conclude(checkpointer, ensemble.members[0].bilevel, architecture, points)


@dataclass(frozen=True, kw_only=True)
class SupernetEnsemble(TrainedSearch):
    """Several trained supernets, used by their mean scores and losses; see `TrainedSupernet`."""

    members: tuple[TrainedSupernet, ...]

    @classmethod
    def load(cls, config: SearchConfig) -> Self:
        """Load the supernets of a search, each of which must have ended.

        Raises:
            RunError, ConfigError, DataError: as `TrainedSupernet.load`.
        """
        members = tuple(
            TrainedSupernet.load(config.ensemble_member(n)) for n in range(config.supernets)
        )
        run, evaluators = members[0].run, [one.evaluator for one in members]
        return cls(
            members=members,
            run=run,
            evaluator=EnsembleEvaluator(evaluators, run.constraints, finalists=config.finalists),
            weights=average([one.weights for one in members]),
        )

    @override
    def constraints(self, options: BudgetOptions) -> SearchConstraints:
        return self.members[0].constraints(options)


def average(members: Sequence[Weights]) -> Weights:
    """Return the mean score of each candidate."""
    return {name: np.mean([one[name] for one in members], axis=0).tolist() for name in members[0]}
