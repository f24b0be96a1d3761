"""Comparison of searches: means over seeds of accuracies and cost, and paired tests.

Every number is computed from the searches on demand.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np

from archwright.bench.engine.arms import BASELINES, Arm
from archwright.bench.engine.normalised_cost import NormalisedCost
from archwright.bench.engine.statistics import Spread, permutation_p, t_p
from archwright.bench.nasbench201.searches import Search
from archwright.tables import nasbench201
from archwright.tables.nasbench201 import DATASETS


@dataclass(frozen=True, kw_only=True)
class SearchSummary:
    """Summary of an arm over its seeds.

    Attributes:
        arm: what searched.
        n: searches.
        accuracies: by data set, looked up for what was found.
        rank: median rank of 15,625 by CIFAR-10 test accuracy.
        seconds: median wall time of a search.
        cpu_seconds: median processor time of those that were not interrupted.
        saved_bytes: what a step keeps for backward.
        peak_bytes: median peak on a GPU.
        normalised_cost: see `NormalisedCost`; of the saved bytes, and the time (on a CPU the
            processor's, which other work on the machine hardly changes; on a GPU wall time), beside
            the methods that learn alpha, where there are any. None where no supernet is trained, or
            the processor's time is not known.
    """

    arm: Arm
    n: int
    accuracies: dict[str, Spread]
    rank: float
    seconds: float
    cpu_seconds: float | None
    saved_bytes: int | None
    peak_bytes: int | None
    normalised_cost: float | None


@dataclass(frozen=True, kw_only=True)
class PairedTest:
    """Test of the difference that a simplification makes to a method, paired by seed.

    Attributes:
        arm: the method on the simplified supernet.
        dataset: whose test accuracy is compared.
        n: seeds that both have.
        difference: mean accuracy with it less that without, in points.
        permutation_p: two-sided probability of a mean difference as large if signs were drawn at
            random, over all 2^n of them (from 17 seeds on, over a fixed sample).
        t_p: that of the paired t-test; None where all differences are equal.
    """

    arm: Arm
    dataset: str
    n: int
    difference: float
    permutation_p: float
    t_p: float | None


def accuracies(search: Search) -> dict[str, float]:
    """Return the test accuracy by data set of a search's architecture, in percent."""
    entry = nasbench201.lookup(search.architecture)
    return {name: float(getattr(entry, f"{name}_test")) for name in DATASETS}


def summarise_searches(searches: Sequence[Search]) -> list[SearchSummary]:
    """Return a summary for each arm, in the order in which they first appear."""
    groups = {
        one: [s for s in searches if s.arm == one] for one in dict.fromkeys(s.arm for s in searches)
    }
    least = _least(groups)
    return [_summary(one, own, least) for one, own in groups.items()]


def _least(groups: dict[Arm, list[Search]]) -> NormalisedCost | None:
    """Take the least of methods that learn alpha; if none does, of all that train a supernet."""
    learning = [own for one, own in groups.items() if one.method not in BASELINES]
    counted = learning or list(groups.values())
    return NormalisedCost.of(pair for own in counted if (pair := _pair(own)) is not None)


def _pair(own: Sequence[Search]) -> tuple[int, float] | None:
    """Return bytes and seconds; None: one of the two is not known."""
    saved, taken = own[0].saved_bytes, _taken(own)
    return None if saved is None or taken is None else (saved, taken)


def _taken(own: Sequence[Search]) -> float | None:
    """Return the relevant time: of the processor (None: not known), unless a GPU did the work."""
    on_gpu = any(search.peak_bytes for search in own)
    return median(s.seconds for s in own) if on_gpu else _processor(own)


def _processor(own: Sequence[Search]) -> float | None:
    known = [search.cpu_seconds for search in own if search.cpu_seconds is not None]
    return median(known) if known else None


def _summary(one: Arm, own: Sequence[Search], least: NormalisedCost | None) -> SearchSummary:
    found = [accuracies(search) for search in own]
    ranks = [nasbench201.lookup(search.architecture).rank for search in own]
    pair = _pair(own)
    peaks = [s.peak_bytes for s in own if s.peak_bytes is not None]
    return SearchSummary(
        arm=one,
        n=len(own),
        accuracies={name: Spread.of(values[name] for values in found) for name in DATASETS},
        rank=median(ranks),
        seconds=median(search.seconds for search in own),
        cpu_seconds=_processor(own),
        saved_bytes=own[0].saved_bytes,
        peak_bytes=round(median(peaks)) if peaks else None,
        normalised_cost=least.cost(*pair) if least and pair else None,
    )


def paired_tests(searches: Sequence[Search]) -> list[PairedTest]:
    """Test each simplified arm against its method without, where two seeds or more have both."""
    found: list[PairedTest] = []
    for one in dict.fromkeys(s.arm for s in searches):
        plain = {s.seed: s for s in searches if s.arm == _plain(one)}
        pairs = [(s, plain[s.seed]) for s in searches if s.arm == one and s.seed in plain]
        if one == _plain(one) or len(pairs) < 2:
            continue
        looked_up = [(accuracies(with_it), accuracies(without)) for with_it, without in pairs]
        for name in DATASETS:
            differences = np.array([after[name] - before[name] for after, before in looked_up])
            found.append(
                PairedTest(
                    arm=one,
                    dataset=name,
                    n=len(pairs),
                    difference=float(differences.mean()),
                    permutation_p=permutation_p(differences),
                    t_p=t_p(differences),
                )
            )
    return found


def _plain(one: Arm) -> Arm:
    """Return the same method without the simplification, as it is published."""
    return Arm(method=one.method, preset=one.preset, simplify="none", lowering="naive")
