"""Rankings of architectures by supernets: result files of them, and how well they agree.

The files hold one-shot accuracies; those of the table are looked up when they are asked for.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from math import isnan
from pathlib import Path
from statistics import mean, median
from typing import Any

from archwright.bench.comparison import permutation_p
from archwright.bench.contestants import Contestant
from archwright.bench.results import SCHEMA, checked, kinds_of, read_content
from archwright.bench.spread import Spread
from archwright.errors import ArchwrightError, RunError
from archwright.io.files import write_json
from archwright.tables import nasbench201


@dataclass(frozen=True, kw_only=True)
class Ranking:
    """What a supernet says of the sampled architectures.

    Attributes:
        contestant: what trained the supernet.
        seed: the seed of everything random in that.
        one_shot: accuracy of each architecture with the supernet's weights, percent.
        images: title of the images.
        options: what the preset set for the method.
        seconds: wall time of the scoring.
    """

    contestant: Contestant
    seed: int
    one_shot: tuple[float, ...]
    images: str
    options: dict[str, Any]
    seconds: float

    def to_json(self) -> dict[str, Any]:
        """The ranking as JSON has it: its contestant's fields stand among its own."""
        content = asdict(self)
        return {**content.pop("contestant"), **content}

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> "Ranking":
        """The inverse of `to_json`; what is not known is left out.

        Raises:
            RunError: a field is missing, or of another type.
        """
        contestant = Contestant(**checked(content, kinds_of(Contestant)))
        own = checked(content, kinds_of(cls, "contestant"))
        own["one_shot"] = tuple(own["one_shot"])
        return cls(contestant=contestant, **own)


@dataclass(frozen=True, kw_only=True)
class Rankings:
    """The rankings of a file, with what they have in common.

    `architectures` is the sample, in the notation of NAS-Bench-201, in the order of `one_shot`.
    """

    command: str
    settings: dict[str, Any]
    versions: dict[str, str]
    hardware: str
    threads: int
    architectures: tuple[str, ...]
    rankings: tuple[Ranking, ...] = ()

    def find(self, contestant: Contestant, seed: int) -> Ranking | None:
        """The ranking by a contestant with that seed, if there is one."""
        for ranking in self.rankings:
            if (ranking.contestant, ranking.seed) == (contestant, seed):
                return ranking
        return None


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """How a contestant's supernets rank the sample, over its seeds: means and deviations.

    Attributes:
        contestant: who.
        n: supernets.
        tau: Kendall's tau-b between one-shot accuracy and that of the table (CIFAR-10, test).
        rho: Spearman's.
        one_shot: mean one-shot accuracy of the sample, percent.
        chosen: the table's accuracy of the architecture that is ranked first, percent.
        seconds: median wall time of scoring the sample.
        difference: mean tau less that of the same method unsimplified, over the seeds that both
            have; None where there are none, or it is that.
        p: two-sided probability of a mean difference as large if signs were drawn at random; None
            of fewer than two pairs.
    """

    contestant: Contestant
    n: int
    tau: Spread
    rho: Spread
    one_shot: float
    chosen: Spread
    seconds: float
    difference: float | None
    p: float | None


def agreements(results: Rankings) -> list[Agreement]:
    """A row for each contestant, in the order in which they first appear."""
    truth = [float(nasbench201.lookup(a).cifar10_test) for a in results.architectures]
    taus = {(r.contestant, r.seed): kendall(r.one_shot, truth) for r in results.rankings}
    rows: list[Agreement] = []
    for one in dict.fromkeys(r.contestant for r in results.rankings):
        own = [r for r in results.rankings if r.contestant == one]
        first = [truth[max(range(len(truth)), key=r.one_shot.__getitem__)] for r in own]
        plain = Contestant(method=one.method, preset=one.preset, simplify="none", lowering="naive")
        pairs = [
            taus[one, r.seed] - taus[plain, r.seed]
            for r in own
            if one != plain and (plain, r.seed) in taus
        ]
        rows.append(
            Agreement(
                contestant=one,
                n=len(own),
                tau=Spread.of(taus[one, r.seed] for r in own),
                rho=Spread.of(spearman(r.one_shot, truth) for r in own),
                one_shot=mean(value for r in own for value in r.one_shot),
                chosen=Spread.of(first),
                seconds=median(r.seconds for r in own),
                difference=mean(pairs) if pairs else None,
                p=permutation_p(_array(pairs)) if len(pairs) > 1 else None,
            )
        )
    return rows


def kendall(one: Sequence[float], other: Sequence[float]) -> float:
    """Kendall's tau-b, which counts ties in neither order; 0 where one side is constant."""
    from scipy.stats import kendalltau

    found: Any = kendalltau(_array(one), _array(other))
    return 0.0 if isnan(found.statistic) else float(found.statistic)


def spearman(one: Sequence[float], other: Sequence[float]) -> float:
    """Spearman's rank correlation; 0 where one side is constant."""
    from scipy.stats import rankdata

    first, second = (rankdata(_array(values)) for values in (one, other))
    first, second = first - first.mean(), second - second.mean()
    norm = float((first @ first) * (second @ second)) ** 0.5
    return float(first @ second) / norm if norm else 0.0


def _array(values: Sequence[float]) -> Any:
    import numpy as np

    return np.asarray(values, dtype=np.float64)


def write_rankings(path: Path, results: Rankings) -> None:
    """Write `results` to `path`, whole or not at all."""
    content = {f.name: getattr(results, f.name) for f in fields(Rankings) if f.name != "rankings"}
    rows = [ranking.to_json() for ranking in results.rankings]
    write_json(path, {"schema": SCHEMA, **content, "rankings": rows})


def read_rankings(path: Path) -> Rankings:
    """The rankings in a file.

    Raises:
        RunError: there is none, it holds something else or results of another version, or an
            architecture is none of NAS-Bench-201.
    """
    content = read_content(path)
    missing = [f.name for f in fields(Rankings) if f.name not in content]
    if missing:
        raise RunError(f"{path} holds no rankings (it lacks {', '.join(missing)})")
    try:
        common = checked(content, kinds_of(Rankings, "rankings"))
        rows = checked(content, {"rankings": list[dict[str, Any]]})["rankings"]
    except RunError as error:
        raise RunError(f"{path}: {error}") from None
    found: list[Ranking] = []
    for number, row in enumerate(rows, 1):
        try:
            found.append(Ranking.from_json(row))
        except RunError as error:
            raise RunError(f"{path}, ranking {number}: {error}") from None
        if len(found[-1].one_shot) != len(content["architectures"]):
            raise RunError(f"{path}, ranking {number}: not one score for each architecture")
    try:
        for architecture in content["architectures"]:
            nasbench201.encode(architecture)
    except ArchwrightError as error:
        raise RunError(f"{path}: {error}") from None
    sample = tuple(common.pop("architectures"))
    return Rankings(**common, architectures=sample, rankings=tuple(found))
