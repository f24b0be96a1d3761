"""The configuration of a bench of searches on the NAS-Bench-201 space."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archwright.bench.command import PLACES, command_line
from archwright.bench.contestants import (
    BASELINES,
    RANDOM,
    Contestant,
    parse_contestants,
    parse_seeds,
    write_seeds,
)
from archwright.runs.options import (
    Precision,
    require,
    require_kinds,
    require_positive,
    require_threads,
)
from archwright.search.config import SearchConfig

if TYPE_CHECKING:
    from archwright.bench.searches import Search

_LISTS = ("methods", "simplify", "seeds", "no_baselines")
"""Options that say which searches are run; all others are alike for every search."""


@dataclass(frozen=True, kw_only=True)
class Nasbench201Config:
    """Search NAS-Bench-201 by several methods, and look up what they found (TopoNAS, Table III).

    Searches run one after the other; what has ended is kept, and the same command goes on where it
    was stopped. Accuracies are looked up when a search has ended; no search reads one.
    """

    methods: str = "darts,beta-darts,pc-darts,gdas"
    """Search methods, separated by commas; beta-darts/doubled gives one a preset of its own."""
    simplify: str = "none,all"
    """Each method is run with each of these simplifications, separated by commas. none is lowered
    as it is written, all else fused; none/fused or all/naive name the lowering."""
    seeds: str = "0-4"
    """Seeds, such as 0-4 or 0,2,100-104."""
    data: str = "cifar10"
    """Images to search on: cifar10, digits, or anything that a search takes."""
    data_root: Path | None = None
    """Folder in which a plain name is looked for before the hub (else $ARCHWRIGHT_DATA)."""
    preset: str = "proxy"
    """paper (each method as published) or proxy (minutes a search on two cores)."""
    supernets: int = 1
    """Supernets that decide together in each search, but in those of the baselines."""
    no_baselines: bool = False
    """Leave out random-ws where it is not named; random, which is nearly free, always runs."""
    channels: int | None = None
    """Width of the supernet (else the preset's)."""
    cells: int | None = None
    """Cells a stage (else the preset's)."""
    epochs: int | None = None
    """Epochs of a search (else the preset's)."""
    batch_size: int | None = None
    """Images a step (else the preset's)."""
    limit: int | None = None
    """Use so many of the training images (else the preset's)."""
    test_limit: int = 1000
    """Score what was found on so many held-out images; the tables do not show it."""
    device: str = "auto"
    """auto, cpu, cuda or cuda:1."""
    precision: Precision = "32-true"
    """32-true, or bf16-mixed for autocast."""
    threads: int | None = None
    """Threads on the CPU (else PyTorch's own choice)."""
    runs: Path = Path("runs/nasbench201")
    """Folder for the run folders of the searches."""
    out: Path | None = None
    """File for the results (else searches.json in the folder of the runs)."""

    def __post_init__(self) -> None:
        """Check each setting.

        Raises:
            ConfigError: one is out of range (its flag is named), or a name is unknown.
        """
        require_kinds(self)
        require_positive(self, "channels", "cells", "epochs", "batch_size", "limit", "test_limit")
        require_positive(self, "supernets")
        require_threads(self)
        require(not self.file.is_dir(), f"--out {self.file} is a folder: name a file")
        _ = self.contestants, self.all_seeds

    @property
    def contestants(self) -> tuple[Contestant, ...]:
        """Who searches."""
        return parse_contestants(
            self.methods, self.simplify, self.preset, baselines=not self.no_baselines
        )

    @property
    def all_seeds(self) -> tuple[int, ...]:
        """The seeds, each once."""
        return parse_seeds(self.seeds)

    @property
    def file(self) -> Path:
        """The results file."""
        return self.out or self.runs / "searches.json"

    def settings(self) -> dict[str, Any]:
        """Every setting that is alike for all searches and decides a result."""
        left_out = (*_LISTS, *PLACES)
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name not in left_out}

    def search(self, contestant: Contestant, seed: int) -> SearchConfig:
        """The configuration of one search; an unfinished one is gone on with."""
        one = contestant
        supernets = 1 if one.method in BASELINES else self.supernets
        several = (f"x{supernets}",) if supernets > 1 else ()
        parts = (one.method, one.supernet.replace("/", "-"), one.preset, Path(self.data).stem)
        shared = ("data", "data_root", "channels", "cells", "epochs", "batch_size", "limit")
        return SearchConfig(
            **{name: getattr(self, name) for name in (*shared, "test_limit", "device")},
            precision=self.precision,
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
        """The command line that runs `searches`, all of these `settings`, again."""
        methods = dict.fromkeys(s.contestant.title(settings["preset"]) for s in searches)
        supernets = dict.fromkeys(
            s.contestant.supernet for s in searches if s.contestant.method != RANDOM
        )
        config = cls(
            **settings,
            methods=",".join(name for name in methods if name != RANDOM) or RANDOM,
            simplify=",".join(supernets) or cls.simplify,
            seeds=write_seeds(search.seed for search in searches),
            no_baselines="random-ws" not in methods,
        )
        return command_line(
            "nasbench201", config, always=("methods", "simplify", "seeds", "data", "preset")
        )
