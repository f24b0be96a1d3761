"""A search that has ended, asked again: its one supernet answers to other budgets, too."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace

from typing_extensions import override

from archwright.engine.checkpoint import load_checkpoint, loading
from archwright.engine.folder import RunFolder
from archwright.errors import RunError
from archwright.graph import Architecture
from archwright.nas.bilevel.bilevel import Bilevel
from archwright.nas.budget.constraints import SearchConstraints, build_constraints
from archwright.nas.budget.options import BudgetOptions
from archwright.nas.config import SearchConfig
from archwright.nas.derive.selection import ArchitectureEvaluator, OneShotEvaluator
from archwright.nas.loop.run import SearchRun, prepare
from archwright.nas.monitor.statistics import Weights


class Answering(ABC):
    """Weights that a search has learned, from which architectures are derived again and again."""

    weights: Weights

    @property
    @abstractmethod
    def jury(self) -> ArchitectureEvaluator:
        """Compares finalists."""

    @property
    @abstractmethod
    def first(self) -> SearchRun:
        """The search whose space, size and images all others share."""

    @abstractmethod
    def terms(self, options: BudgetOptions) -> SearchConstraints:
        """Settle what `options` set.

        Raises:
            ConfigError: nothing is within them.
        """

    def strongest(self) -> Architecture:
        """Derive the architecture from alpha alone, whatever it costs."""
        return replace(self.first.terms, budgets=()).derive(self.weights)

    def choose(self, terms: SearchConstraints) -> Architecture:
        """Derive the architecture within `terms`."""
        return self.jury.choose(terms, self.weights)

    def answer(self, options: BudgetOptions) -> Architecture:
        """Derive the architecture within the budgets of `options`.

        Raises:
            ConfigError: nothing is within them.
        """
        return self.choose(self.terms(options))


@dataclass(frozen=True)
class TrainedSupernet(Answering):
    """What a search learned: weights of candidates, and a supernet to compare finalists with."""

    searching: SearchRun
    bilevel: Bilevel
    judge: OneShotEvaluator
    weights: Weights

    @classmethod
    def of(cls, config: SearchConfig) -> "TrainedSupernet":
        """The search in the run folder of `config`, which must have ended.

        Raises:
            RunError: it has not, or its checkpoint is damaged or of another configuration.
            ConfigError, DataError: as `search`.
        """
        folder = RunFolder(config.out)
        if folder.result() is None:
            raise RunError(f"{config.out} holds no search that has ended: run it to its end first")
        searching = prepare(config)
        bilevel = searching.begin()
        watch = searching.watching(bilevel)
        path = folder.checkpoint("last")
        state = load_checkpoint(path)
        with loading(path):
            searching.restore(bilevel, state)
            watch.load_state(state["watch"])
        return cls(searching, bilevel, searching.judge(bilevel), watch.strengths)

    @classmethod
    def untrained(cls, config: SearchConfig) -> "TrainedSupernet":
        """What the search of `config` begins with: initial alpha, and fresh weights.

        Raises:
            ConfigError, DataError: as `search`.
        """
        searching = prepare(config)
        bilevel = searching.begin()
        return cls(searching, bilevel, searching.judge(bilevel), bilevel.standing())

    @property
    @override
    def jury(self) -> ArchitectureEvaluator:
        return self.judge

    @property
    @override
    def first(self) -> SearchRun:
        return self.searching

    @override
    def terms(self, options: BudgetOptions) -> SearchConstraints:
        run = self.searching
        null = run.terms.null
        terms = build_constraints(options, run.space, run.size, run.images, null=null)
        return terms if run.terms.allowed is None else terms.narrowed(run.terms.allowed)
