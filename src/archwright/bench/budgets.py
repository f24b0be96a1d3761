"""Searches within latency budgets on NAS-Bench-201: what they find, and the best there is.

A case is a seed, a device and a percentile of that device's measured latencies. What was found is
kept in a file; accuracies and regrets are looked up whenever it is read.
"""

import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from statistics import mean
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from archwright.bench.budgets_config import BudgetsConfig
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
from archwright.cost import Layout
from archwright.cost.additive import macs
from archwright.errors import ArchwrightError, RunError
from archwright.runs.device import make_fabric
from archwright.search.budget.limits import ROUNDING
from archwright.search.reopened import Reopened
from archwright.search.run import search
from archwright.search.together import Together
from archwright.spaces import Size, get_space, read_architecture, write_architecture
from archwright.tables import nasbench201
from archwright.tables.nasbench201 import DATASETS


@dataclass(frozen=True, kw_only=True)
class Case:
    """What was found within a budget.

    `seconds` is what the search took, or where one search answers to all budgets, the answer alone.
    """

    seed: int
    device: str
    percentile: float
    budget_ms: float
    architecture: str
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


def budget_of(device: str, percentile: float) -> float:
    """The latency in ms below which so many percent of the measured networks stay on a device."""
    delays = nasbench201.latency(device)
    return float(np.percentile(delays[~np.isnan(delays)], percentile))


def judged(case: Case) -> Outcome:
    """What the table says of a case."""
    entry = nasbench201.lookup(case.architecture)
    delays = nasbench201.latency(case.device)
    most = case.budget_ms * (1 + ROUNDING)
    within = delays <= most  # what was not measured compares as false
    latency = entry.latency_ms[case.device]
    accuracies = {name: float(getattr(entry, f"{name}_test")) for name in DATASETS}
    possible = {name: nasbench201.accuracy(name)[within] for name in DATASETS}
    best = {name: float(values.max()) for name, values in possible.items()}
    most_macs = int(np.where(within, _macs(), -1.0).argmax())
    return Outcome(
        case=case,
        latency_ms=latency,
        feasible=latency is not None and latency <= most,
        accuracies=accuracies,
        best=best,
        regrets={name: round(best[name] - accuracies[name], 4) for name in DATASETS},
        drawn={name: round(best[name] - float(possible[name].mean()), 4) for name in DATASETS},
        largest={
            name: round(best[name] - float(nasbench201.accuracy(name)[most_macs]), 4)
            for name in DATASETS
        },
    )


@cache
def _macs() -> NDArray[np.float64]:
    """Multiply-accumulates of what is live in each cell of the table, at the size it is of."""
    space = get_space("nasbench201")
    channels, cells = space.train_size
    layout = Layout(space, Size(channels=channels, cells=cells))
    every = [read_architecture(text) for text in nasbench201.architectures()]
    return macs(layout, live=True)(layout.one_hots(every)).numpy()


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
    """Every `budgets*.json` of a folder, by name, those of one supernet before those of several.

    Raises:
        RunError: as `read_cases`.
    """
    paths = sorted(folder.glob("budgets*.json"), key=lambda path: path.stem)
    found = [read_cases(path) for path in paths]
    return sorted(found, key=lambda held: held[0].settings["supernets"])


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

    def run(self) -> tuple[Results, tuple[Case, ...]]:
        """Every case that is left, seed by seed."""
        config = self.config
        held, cases = self._held()
        known = {(case.seed, case.device, case.percentile) for case in cases}
        places = [(d, p) for d in config.all_devices for p in config.all_percentiles]
        wanted = {(seed, *place) for seed in config.all_seeds for place in places}
        for seed in config.all_seeds:
            missing = [place for place in places if (seed, *place) not in known]
            asked = None if config.separate or not missing else self._supernet(seed)
            for device, percentile in missing:
                case = self._case(asked, seed, device, percentile)
                held, cases = self._keep(case)
                known.add((seed, device, percentile))
                done = len(known.intersection(wanted))
                print(f"{done}/{len(wanted)} {_line(case)}", file=sys.stderr, flush=True)
        return held, cases

    def _supernet(self, seed: int) -> Reopened | Together:
        """The one search of a seed, run to its end."""
        config = self.config.search(seed)
        # its own answer is not asked for: nothing is compared for it
        config = replace(config, finalists=1)
        search(config)
        config = replace(config, finalists=self.config.finalists)
        return Reopened.of(config) if config.supernets == 1 else Together.of(config)

    def _case(
        self, asked: Reopened | Together | None, seed: int, device: str, percentile: float
    ) -> Case:
        limit = budget_of(device, percentile)
        config = self.config.within(seed, device, limit)
        started = time.monotonic()
        if asked is None:
            result = search(config)
            found, seconds = result.architecture, result.seconds
        else:
            found = asked.answer(config)
            seconds = round(time.monotonic() - started, 3)
        return Case(
            seed=seed,
            device=device,
            percentile=percentile,
            budget_ms=limit,
            architecture=write_architecture(found),
            seconds=seconds,
        )

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
        f"seed {case.seed}, {case.device} within {case.budget_ms:.4g} ms ({case.percentile:g} %): "
        f"{case.architecture} {latency}, regret {regrets}, {case.seconds:.0f} s"
    )
