"""Searches within latency budgets on NAS-Bench-201: what they find, and the best there is.

A case is a seed, a device and a budget on its latency, and perhaps on the size of weights. What was
found is kept in a file; accuracies and regrets are looked up whenever it is read.
"""

import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import mean
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from archwright.bench.budgets_config import BudgetsConfig
from archwright.bench.budgets_known import live_macs, sizes_mb
from archwright.bench.freeze import require_frozen
from archwright.bench.results import (
    Results,
    adding_to,
    checked,
    kinds_of,
    read_results,
    require_same,
    require_writable,
    write_results,
)
from archwright.bench.threads import threads
from archwright.engine.device import make_fabric
from archwright.errors import ArchwrightError, RunError
from archwright.nas.budget.constraints import SearchConstraints
from archwright.nas.budget.limits import ROUNDING
from archwright.nas.config import SearchConfig
from archwright.nas.loop.ensemble import SupernetEnsemble
from archwright.nas.loop.search import search
from archwright.nas.loop.trained import TrainedSearch, TrainedSupernet
from archwright.spaces import write_architecture
from archwright.tables import nasbench201
from archwright.tables.nasbench201 import DATASETS


@dataclass(frozen=True, kw_only=True)
class Case:
    """What was found within a budget.

    Attributes:
        percentile: which one of the device's latencies the budget is; None: of none.
        size_mb: the limit on the weights that holds beside it, if there is one.
        architecture: the best by alpha that is within, by exact derivation.
        strongest: what alpha speaks for, whatever it costs; None: it was not kept.
        seconds: what the search took, or where one search answers to all budgets, the answer alone.
    """

    seed: int
    device: str
    percentile: float | None
    budget_ms: float
    size_mb: float | None
    architecture: str
    strongest: str | None
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """A case, judged by the table.

    Attributes:
        latency_ms: that of what was found on the device; None: it was not measured there.
        feasible: whether it is within the budget.
        accuracies: test accuracy of what was found by data set, percent.
        best: the best that the table has within the budget, by data set.
        regrets: `best` less `accuracies`, points.
        drawn: `best` less the mean accuracy of all that is within the budget: what an architecture
            drawn at random is expected to lose.
        largest: `best` less the accuracy of what takes the most multiply-accumulates within the
            budget: what needs no search at all.
    """

    case: Case
    latency_ms: float | None
    feasible: bool
    accuracies: dict[str, float]
    best: dict[str, float]
    regrets: dict[str, float]
    drawn: dict[str, float]
    largest: dict[str, float]

    def to_json(self) -> dict[str, Any]:
        """The outcome as JSON has it: the fields of its case stand among its own."""
        content = asdict(self)
        return {**content.pop("case"), **content}


def judged(case: Case) -> Outcome:
    """What the table says of a case."""
    entry = nasbench201.lookup(case.architecture)
    within = _within(case.device, case.budget_ms, case.size_mb)
    accuracies = {name: float(getattr(entry, f"{name}_test")) for name in DATASETS}
    possible = {name: nasbench201.accuracy(name)[within] for name in DATASETS}
    best = {name: float(values.max()) for name, values in possible.items()}
    most_macs = int(np.where(within, live_macs(), -1.0).argmax())
    return Outcome(
        case=case,
        latency_ms=entry.latency_ms[case.device],
        feasible=bool(within[entry.index]),
        accuracies=accuracies,
        best=best,
        regrets={name: round(best[name] - accuracies[name], 4) for name in DATASETS},
        drawn={name: round(best[name] - float(possible[name].mean()), 4) for name in DATASETS},
        largest={
            name: round(best[name] - float(nasbench201.accuracy(name)[most_macs]), 4)
            for name in DATASETS
        },
    )


def unprojected(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """The same cases, answered by what alpha speaks for whatever it costs, as far as it was kept.

    Whether that is within is what was held while searching: no derivation has mended it.
    """
    kept = [(one.case, one.case.strongest) for one in outcomes]
    return [judged(replace(case, architecture=text)) for case, text in kept if text is not None]


def _within(device: str, budget_ms: float, size_mb: float | None) -> NDArray[np.bool_]:
    """Which networks of the table are within; what was not measured is not."""
    within = nasbench201.latency(device) <= budget_ms * (1 + ROUNDING)
    return within if size_mb is None else within & (sizes_mb() <= size_mb * (1 + ROUNDING))


def mean_regrets(
    outcomes: Sequence[Outcome], of: Literal["regrets", "drawn", "largest"] = "regrets"
) -> dict[str, float]:
    """The mean regret in points by data set, of what was found or of a baseline."""
    return {name: mean(getattr(one, of)[name] for one in outcomes) for name in DATASETS}


def read_cases(path: Path) -> tuple[Results, tuple[Case, ...]]:
    """What a file of cases holds.

    Raises:
        RunError: it holds something else, or an architecture that the table does not have.
    """
    results = read_results(path)
    cases: list[Case] = []
    for number, row in enumerate(results.rows, 1):
        try:
            cases.append(Case(**checked(row, kinds_of(Case))))
            nasbench201.encode(cases[-1].architecture)
        except ArchwrightError as error:
            raise RunError(f"{path}, case {number}: {error}") from None
    return results, tuple(cases)


def read_all_cases(folder: Path) -> list[tuple[Results, tuple[Case, ...]]]:
    """Every `budgets*.json` of a folder, by name; first what is trained, by one supernet.

    Raises:
        RunError: as `read_cases`.
    """
    paths = sorted(folder.glob("budgets*.json"), key=lambda path: path.stem)
    found = [read_cases(path) for path in paths]
    keys = ("untrained", "supernets")
    return sorted(found, key=lambda held: tuple(held[0].settings[key] for key in keys))


def bench_budgets(config: BudgetsConfig) -> tuple[Results, tuple[Case, ...]]:
    """Decide the cases that are missing; all that the results file then holds.

    After each case the file is written anew, so that nothing is lost when this is stopped.

    Raises:
        RunError: the results file cannot be written; it, or a run folder, is of another version or
            of other settings.
        ConfigError, DataError, DivergedError: as `search`.
    """
    require_writable(config.file)
    with threads(config.threads):
        return _Bench(config).run()


class _Bench:
    """One bench while it runs."""

    def __init__(self, config: BudgetsConfig) -> None:
        self.config = config
        device = make_fabric(config.device, config.precision).device
        self.empty = Results(**config.conditions(device), rows=[])
        self._terms: dict[tuple[str, float | None], SearchConstraints] = {}

    def run(self) -> tuple[Results, tuple[Case, ...]]:
        """Every case that is left, seed by seed."""
        config = self.config
        for seed in () if config.untrained else config.all_seeds:
            require_frozen(config.search(seed))
        held, cases = self._held()
        known = {(case.seed, case.device, case.budget_ms) for case in cases}
        wanted = {(s, d, limit) for s in config.all_seeds for d, _, limit in config.places}
        for seed in config.all_seeds:
            missing = [one for one in config.places if (seed, one[0], one[2]) not in known]
            asked = None if config.separate or not missing else self._supernet(seed)
            for device, percentile, limit in missing:
                case = self._case(asked, seed, (device, percentile, limit))
                held, cases = self._keep(case)
                known.add((seed, device, limit))
                done = len(known.intersection(wanted))
                print(f"{done}/{len(wanted)} {_line(case)}", file=sys.stderr, flush=True)
        return held, cases

    def _supernet(self, seed: int) -> TrainedSearch:
        """The one search of a seed, run to its end; or what it would begin with."""
        config = self.config.search(seed)
        if self.config.untrained:
            return TrainedSupernet.untrained(config)
        # its own answer is not asked for: nothing is compared for it
        config = replace(config, finalists=1)
        search(config)
        config = replace(config, finalists=self.config.finalists)
        return (
            TrainedSupernet.load(config) if config.supernets == 1 else SupernetEnsemble.load(config)
        )

    def _case(
        self,
        asked: TrainedSearch | None,
        seed: int,
        place: tuple[str, float | None, float],
    ) -> Case:
        (device, percentile, limit), config = place, self.config
        within = config.within(seed, device, limit)
        started, seconds = time.monotonic(), None
        if asked is None:
            own = within if config.penalty is None else config.weighed(seed, device)
            seconds = search(own).seconds
            asked = TrainedSupernet.load(own) if own.supernets == 1 else SupernetEnsemble.load(own)
        found = asked.select(self._within(asked, within))
        taken = round(time.monotonic() - started, 3) if seconds is None else seconds
        return Case(
            seed=seed,
            device=device,
            percentile=percentile,
            budget_ms=limit,
            size_mb=config.size_mb,
            architecture=write_architecture(found),
            strongest=write_architecture(asked.strongest()),
            seconds=taken,
        )

    def _within(self, asked: TrainedSearch, config: SearchConfig) -> SearchConstraints:
        """Return the constraints of an answer, shared by seeds unless candidates were dropped."""
        if self.config.separate:
            return asked.terms(config)
        place = str(config.latency_device), config.max_latency_ms
        if place not in self._terms:
            self._terms[place] = asked.terms(config)
        return self._terms[place]

    def _held(self) -> tuple[Results, tuple[Case, ...]]:
        """What the results file holds now."""
        path = self.config.file
        if not path.exists():
            return self.empty, ()
        held, cases = read_cases(path)
        require_same(path, held, self.empty)
        return held, cases

    def _keep(self, case: Case) -> tuple[Results, tuple[Case, ...]]:
        """Add a case to what the file holds now."""
        with adding_to(self.config.file):
            cases = (*self._held()[1], case)
            rows = [asdict(one) for one in cases]
            command = BudgetsConfig.command(self.empty.settings, rows)
            held = replace(self.empty, command=command, rows=rows)
            write_results(self.config.file, held)
        return held, cases


def _line(case: Case) -> str:
    """What a case came to, on one line."""
    outcome = judged(case)
    latency = "not measured" if outcome.latency_ms is None else f"{outcome.latency_ms:.4g} ms"
    regrets = " / ".join(f"{value:.2f}" for value in outcome.regrets.values())
    return (
        f"seed {case.seed}, {case.device} within {case.budget_ms:.4g} ms: "
        f"{case.architecture} {latency}, regret {regrets}, {case.seconds:.0f} s"
    )
