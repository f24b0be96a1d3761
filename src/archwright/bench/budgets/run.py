"""Searches within latency budgets on NAS-Bench-201.

A case is a seed, a device and a budget on its latency, and possibly on the size of weights. Results
are kept in a file; accuracies and regrets are looked up whenever it is read.
"""

import time
from dataclasses import replace

from archwright.bench.budgets.cases import Case, Cases, read_cases, score_case
from archwright.bench.budgets.config import BudgetsConfig, Place
from archwright.bench.engine.freeze import require_frozen
from archwright.bench.engine.results import read_or, require_writable
from archwright.bench.engine.resume import measure_missing
from archwright.bench.instruments.threads import threads
from archwright.engine.device import make_fabric
from archwright.nas.budget.constraints import SearchConstraints
from archwright.nas.config import SearchConfig
from archwright.nas.loop.ensemble import SupernetEnsemble
from archwright.nas.loop.search import search
from archwright.nas.loop.trained import TrainedSearch, TrainedSupernet
from archwright.spaces import write_architecture


def bench_budgets(config: BudgetsConfig) -> Cases:
    """Decide the missing cases, and return all cases of the results file.

    After each case the file is written again, so that an interruption loses nothing.

    Raises:
        RunError: the results file cannot be written; it, or a run folder, is of another version or
            of other settings.
        ConfigError, DataError, DivergedError: as `search`.
    """
    require_writable(config.file)
    with threads(config.threads):
        return _BudgetsRun(config).run()


class _BudgetsRun:
    """Study while it runs."""

    def __init__(self, config: BudgetsConfig) -> None:
        self.config = config
        device = make_fabric(config.device, config.precision).device
        self.empty = Cases(**config.conditions(device))
        self._supernet: tuple[int, TrainedSearch] | None = None
        self._constraints: dict[tuple[str, float | None], SearchConstraints] = {}

    def run(self) -> Cases:
        """Decide every case that is left, seed by seed."""
        config = self.config
        for seed in () if config.untrained else config.all_seeds:
            require_frozen(config.search(seed))
        cases = [(seed, place) for seed in config.all_seeds for place in config.places]
        return measure_missing(
            config.file,
            cases,
            read=lambda: read_or(config.file, self.empty, read_cases),
            is_done=lambda results, case: _key(*case) in {row.key for row in results.rows},
            measure=lambda _, case: self._case(*case),
            add=self._add,
            describe=_line,
        )

    def _supernet_of(self, seed: int) -> TrainedSearch:
        if self._supernet is None or self._supernet[0] != seed:
            self._supernet = None  # the one before is not kept while the next is trained
            self._supernet = seed, self._train_supernet(seed)
        return self._supernet[1]

    def _train_supernet(self, seed: int) -> TrainedSearch:
        """Run the search of a seed; if untrained, return its initial state."""
        config = self.config.search(seed)
        if self.config.untrained:
            return TrainedSupernet.untrained(config)
        # its own answer is not used: nothing is compared for it
        config = replace(config, finalists=1)
        search(config)
        config = replace(config, finalists=self.config.finalists)
        return _load(config)

    def _case(self, seed: int, place: Place) -> Case:
        (device, percentile, limit), config = place, self.config
        supernet = None if config.separate else self._supernet_of(seed)
        within = config.within(seed, device, limit)
        started, seconds = time.monotonic(), None
        if supernet is None:
            own = within if config.penalty is None else config.weighed(seed, device)
            seconds = search(own).seconds
            supernet = _load(own)
        found = supernet.select(self._within(supernet, within))
        taken = round(time.monotonic() - started, 3) if seconds is None else seconds
        return Case(
            seed=seed,
            device=device,
            percentile=percentile,
            budget_ms=limit,
            size_mb=config.size_mb,
            architecture=write_architecture(found),
            strongest=write_architecture(supernet.strongest()),
            seconds=taken,
        )

    def _within(self, supernet: TrainedSearch, config: SearchConfig) -> SearchConstraints:
        """Return the constraints of a derivation, shared by seeds unless candidates were pruned."""
        if self.config.separate:
            return supernet.constraints(config)
        place = str(config.latency_device), config.max_latency_ms
        if place not in self._constraints:
            self._constraints[place] = supernet.constraints(config)
        return self._constraints[place]

    def _add(self, held: Cases, case: Case) -> Cases:
        rows = (*held.rows, case)
        command = BudgetsConfig.command(self.empty.settings, [row.to_json() for row in rows])
        return replace(self.empty, command=command, rows=rows)


def _key(seed: int, place: Place) -> tuple[int, str, float]:
    return seed, place[0], place[2]


def _line(case: Case) -> str:
    """Describe the result of a case in one line."""
    outcome = score_case(case)
    latency = "not measured" if outcome.latency_ms is None else f"{outcome.latency_ms:.4g} ms"
    regrets = " / ".join(f"{value:.2f}" for value in outcome.regrets.values())
    return (
        f"seed {case.seed}, {case.device} within {case.budget_ms:.4g} ms: "
        f"{case.architecture} {latency}, regret {regrets}, {case.seconds:.0f} s"
    )


def _load(config: SearchConfig) -> TrainedSearch:
    """Load the supernet, or the ensemble, of an ended search."""
    return TrainedSupernet.load(config) if config.supernets == 1 else SupernetEnsemble.load(config)
