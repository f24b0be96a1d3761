"""Cases of searches within budgets: the architecture found, and its score by the table."""

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
    """Search within a budget, and its result.

    Attributes:
        percentile: percentile of the device's latencies that is the budget; None: there is none.
        size_mb: further limit on the size of the weights, if there is one.
        architecture: the best by alpha within the budget, by exact derivation.
        strongest: the strongest by alpha, whatever its costs; None: it was not kept.
        seconds: time of the search, or of the derivation alone if one search serves all budgets.
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
        """Return the identity of the case among those of the same bench."""
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
        latency_ms: latency of the architecture on the device; None: it was not measured there.
        feasible: whether it is within the budget.
        accuracies: its test accuracy by data set, percent.
        best: the best test accuracy of the table within the budget, by data set.
        regrets: `best` minus `accuracies`, points.
        drawn: `best` minus the mean accuracy of all architectures within the budget: the expected
            loss of an architecture drawn at random.
        largest: `best` minus the accuracy of the architecture with the most multiply-accumulates
            within the budget: the loss without any search.
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
    """Score the strongest architecture of each case, whatever its costs, if it was kept.

    The result shows how well the search itself kept the budget, without a derivation.
    """
    kept = [(one.case, one.case.strongest) for one in outcomes]
    return [score_case(replace(case, architecture=text)) for case, text in kept if text is not None]


def _within(device: str, budget_ms: float, size_mb: float | None) -> NDArray[np.bool_]:
    """Return a mask of the table's networks that are within the budget; unmeasured ones are not."""
    within = nasbench201.latency(device) <= budget_ms * (1 + ROUNDING)
    return within if size_mb is None else within & (sizes_mb() <= size_mb * (1 + ROUNDING))


def mean_regrets(
    outcomes: Sequence[CaseScore], of: Literal["regrets", "drawn", "largest"] = "regrets"
) -> dict[str, float]:
    """Return the mean regret in points by data set, of the architectures found or of a baseline."""
    return {name: mean(getattr(one, of)[name] for one in outcomes) for name in DATASETS}


def read_cases(path: Path) -> Cases:
    """Read the cases in a file.

    Raises:
        RunError: it holds something else, or an architecture that the table does not have.
    """
    return read_typed_results(path, Cases, "rows", Case.from_json, "case")
