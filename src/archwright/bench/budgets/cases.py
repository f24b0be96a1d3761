"""Cases of searches within budgets: what was found, and its score by the table."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import mean
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from archwright.bench.budgets.published import live_macs, sizes_mb
from archwright.bench.engine.results import Conditions, checked, kinds_of, read_typed_results
from archwright.cost.contract import ROUNDING
from archwright.tables import nasbench201
from archwright.tables.nasbench201 import DATASETS


@dataclass(frozen=True, kw_only=True)
class Case:
    """Search within a budget, and what it found.

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

    @property
    def key(self) -> tuple[int, str, float]:
        """Return what tells the case from others of the same bench."""
        return self.seed, self.device, self.budget_ms

    def to_json(self) -> dict[str, Any]:
        """Return the case as JSON has it."""
        return asdict(self)

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> Self:
        """Invert `to_json`; unknown fields are left out.

        Raises:
            RunError: a field is missing, or of another type.
            GenotypeError: the architecture is none of NAS-Bench-201.
        """
        found = cls(**checked(content, kinds_of(cls)))
        nasbench201.encode(found.architecture)
        return found


@dataclass(frozen=True, kw_only=True)
class Cases(Conditions):
    """Cases of a file, with the conditions that they have in common."""

    rows: tuple[Case, ...] = ()


@dataclass(frozen=True, kw_only=True)
class CaseScore:
    """Score of a case by the table.

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
        """Return the score as JSON has it: the fields of its case stand among its own."""
        content = asdict(self)
        return {**content.pop("case"), **content}


def score_case(case: Case) -> CaseScore:
    """Score a case by the table."""
    entry = nasbench201.lookup(case.architecture)
    within = _within(case.device, case.budget_ms, case.size_mb)
    accuracies = {name: float(getattr(entry, f"{name}_test")) for name in DATASETS}
    possible = {name: nasbench201.accuracy(name)[within] for name in DATASETS}
    best = {name: float(values.max()) for name, values in possible.items()}
    most_macs = int(np.where(within, live_macs(), -1.0).argmax())
    return CaseScore(
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


def score_argmax(outcomes: Sequence[CaseScore]) -> list[CaseScore]:
    """Score the strongest architecture of each case, whatever it costs, as far as it was kept.

    Whether that is within is what was held while searching: no derivation has mended it.
    """
    kept = [(one.case, one.case.strongest) for one in outcomes]
    return [score_case(replace(case, architecture=text)) for case, text in kept if text is not None]


def _within(device: str, budget_ms: float, size_mb: float | None) -> NDArray[np.bool_]:
    """Mark the networks of the table that are within; what was not measured is not."""
    within = nasbench201.latency(device) <= budget_ms * (1 + ROUNDING)
    return within if size_mb is None else within & (sizes_mb() <= size_mb * (1 + ROUNDING))


def mean_regrets(
    outcomes: Sequence[CaseScore], of: Literal["regrets", "drawn", "largest"] = "regrets"
) -> dict[str, float]:
    """Return the mean regret in points by data set, of what was found or of a baseline."""
    return {name: mean(getattr(one, of)[name] for one in outcomes) for name in DATASETS}


def read_cases(path: Path) -> Cases:
    """Read the cases in a file.

    Raises:
        RunError: it holds something else, or an architecture that the table does not have.
    """
    return read_typed_results(path, Cases, "rows", Case.from_json, "case")
