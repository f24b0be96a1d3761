"""Rankings of architectures by supernets: result files of them, and their agreement with the table.

The files hold one-shot accuracies; those of the table are looked up when they are needed.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mean, median
from typing import Any, Self

from typing_extensions import override

from archwright.bench.engine.arm_results import ArmResult, find_result
from archwright.bench.engine.arms import Arm
from archwright.bench.engine.results import Conditions, read_typed_results
from archwright.bench.engine.statistics import Spread, kendall, permutation_p, spearman
from archwright.errors import ArchwrightError, RunError
from archwright.tables import nasbench201


@dataclass(frozen=True, kw_only=True)
class Ranking(ArmResult):
    """Ranking of the sampled architectures by a supernet that its arm trained.

    Attributes:
        one_shot: accuracy of each architecture with the supernet's weights, percent.
        images: title of the images.
        options: what the preset set for the method.
        seconds: wall time of the scoring.
    """

    one_shot: tuple[float, ...]
    images: str
    options: dict[str, Any]
    seconds: float

    @classmethod
    @override
    def from_json(cls, content: dict[str, Any]) -> Self:
        found = super().from_json(content)
        return replace(found, one_shot=tuple(found.one_shot))


@dataclass(frozen=True, kw_only=True)
class Rankings(Conditions):
    """Rankings of a file, with the conditions that they have in common.

    `architectures` is the sample, in the notation of NAS-Bench-201, in the order of `one_shot`.
    """

    architectures: tuple[str, ...]
    rankings: tuple[Ranking, ...] = ()

    def find(self, arm: Arm, seed: int) -> Ranking | None:
        """Return the ranking by an arm with that seed, if there is one."""
        return find_result(self.rankings, arm, seed)


def read_rankings(path: Path) -> Rankings:
    """Read the rankings in a file.

    Raises:
        RunError: there is none, it holds something else or results of another version, or an
            architecture is none of NAS-Bench-201.
    """
    found = read_typed_results(path, Rankings, "rankings", Ranking.from_json, "ranking")
    for number, ranking in enumerate(found.rankings, 1):
        if len(ranking.one_shot) != len(found.architectures):
            raise RunError(f"{path}, ranking {number}: not one score for each architecture")
    try:
        for architecture in found.architectures:
            nasbench201.encode(architecture)
    except ArchwrightError as error:
        raise RunError(f"{path}: {error}") from None
    return replace(found, architectures=tuple(found.architectures))


@dataclass(frozen=True, kw_only=True)
class RankAgreement:
    """Agreement of an arm's supernets with the table, over its seeds: means and deviations.

    Attributes:
        arm: the method that trained the supernets.
        n: supernets.
        tau: Kendall's tau-b between one-shot accuracy and that of the table (CIFAR-10, test).
        rho: Spearman's.
        one_shot: mean one-shot accuracy of the sample, percent.
        chosen: the table's accuracy of the top-ranked architecture, percent.
        seconds: median wall time of scoring the sample.
        difference: mean tau minus that of the same method unsimplified, over the seeds that both
            have; None if there are none, or the method is unsimplified.
        p: two-sided probability of a mean difference as large if signs were drawn at random; None
            of fewer than two pairs.
    """

    arm: Arm
    n: int
    tau: Spread
    rho: Spread
    one_shot: float
    chosen: Spread
    seconds: float
    difference: float | None
    p: float | None


def agreements(results: Rankings) -> list[RankAgreement]:
    """Return a summary for each arm, in the order in which they first appear."""
    truth = [float(nasbench201.lookup(a).cifar10_test) for a in results.architectures]
    taus = {(r.arm, r.seed): kendall(r.one_shot, truth) for r in results.rankings}
    rows: list[RankAgreement] = []
    for one in dict.fromkeys(r.arm for r in results.rankings):
        own = [r for r in results.rankings if r.arm == one]
        first = [truth[max(range(len(truth)), key=r.one_shot.__getitem__)] for r in own]
        plain = Arm(method=one.method, preset=one.preset, simplify="none", lowering="naive")
        pairs = [
            taus[one, r.seed] - taus[plain, r.seed]
            for r in own
            if one != plain and (plain, r.seed) in taus
        ]
        rows.append(
            RankAgreement(
                arm=one,
                n=len(own),
                tau=Spread.of(taus[one, r.seed] for r in own),
                rho=Spread.of(spearman(r.one_shot, truth) for r in own),
                one_shot=mean(value for r in own for value in r.one_shot),
                chosen=Spread.of(first),
                seconds=median(r.seconds for r in own),
                difference=mean(pairs) if pairs else None,
                p=permutation_p(pairs) if len(pairs) > 1 else None,
            )
        )
    return rows
