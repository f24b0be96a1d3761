"""Configuration of the study of searches on the NAS-Bench-201 space."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from archwright.bench.engine.arms import BASELINES, RANDOM, Arm, parse_arms
from archwright.bench.engine.command import arm_commands
from archwright.bench.engine.options import SearchBenchOptions
from archwright.engine.options import require_positive
from archwright.nas.config import SearchConfig

if TYPE_CHECKING:
    from archwright.bench.nasbench201.searches import Search


@dataclass(frozen=True, kw_only=True)
class Nasbench201Config(SearchBenchOptions):
    """Search NAS-Bench-201 by several methods, and look up their architectures (TopoNAS, Table
    III).

    Searches run one after the other; finished ones are kept, and the same command continues after
    an interruption. Accuracies are looked up when a search has ended; no search reads one.
    """

    lists: ClassVar[tuple[str, ...]] = ("methods", "simplify", "seeds", "no_baselines")
    filename: ClassVar[str] = "searches.json"

    methods: str = "darts,beta-darts,pc-darts,gdas"
    """Search methods, separated by commas; beta-darts/doubled gives one a preset of its own."""
    simplify: str = "none,all"
    """Each method is run with each of these simplifications, separated by commas. none is lowered
    as it is written, all else fused; none/fused or all/naive name the lowering."""
    supernets: int = 1
    """Supernets that decide together in each search, but in those of the baselines."""
    no_baselines: bool = False
    """Leave out random-ws where it is not named; random, which is nearly free, always runs."""
    runs: Path = Path("runs/nasbench201")
    """Folder for the run folders of the searches."""

    def __post_init__(self) -> None:
        """Check each setting.

        Raises:
            ConfigError: one is out of range (its flag is named), or a name is unknown.
        """
        super().__post_init__()
        require_positive(self, "supernets")
        _ = self.arms

    @property
    def arms(self) -> tuple[Arm, ...]:
        """Return the methods and supernets of the comparison."""
        return parse_arms(self.methods, self.simplify, self.preset, baselines=not self.no_baselines)

    def search(self, arm: Arm, seed: int) -> SearchConfig:
        """Return the configuration of one search; an unfinished one is resumed."""
        one = arm
        supernets = 1 if one.method in BASELINES else self.supernets
        several = (f"x{supernets}",) if supernets > 1 else ()
        parts = (one.method, one.supernet.replace("/", "-"), one.preset, Path(self.data).stem)
        return SearchConfig(
            **self.shared(),
            method=one.method,
            preset=one.preset,
            simplify=one.simplify,
            lowering=one.lowering,
            seed=seed,
            resume=True,
            supernets=supernets,
            out=self.runs / "-".join((*parts, *several, str(seed))),
        )

    @classmethod
    def command(cls, settings: dict[str, Any], searches: "Sequence[Search]") -> str:
        """Return the command lines that run `searches`, all of these `settings`, again."""
        trained = [
            (s.arm.title(settings["preset"]), s.arm.supernet, s.seed)
            for s in searches
            if s.arm.method != RANDOM  # which takes part in each of them
        ]
        drawn = [(RANDOM, "none", s.seed) for s in searches]

        def configured(**lists: str) -> Self:
            baselines = "random-ws" in lists["methods"].split(",")
            return cls.of(settings, **lists, no_baselines=not baselines)

        always = ("methods", "simplify", "seeds", "data", "preset")
        return arm_commands("nasbench201", configured, trained or drawn, always=always)
