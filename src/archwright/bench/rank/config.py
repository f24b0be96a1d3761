"""Configuration of the study of rank quality."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from archwright.bench.engine.arms import RANDOM, Arm
from archwright.bench.engine.command import arm_commands
from archwright.bench.engine.options import SearchBenchOptions
from archwright.bench.nasbench201.config import Nasbench201Config
from archwright.engine.options import require, require_positive
from archwright.errors import ConfigError
from archwright.nas.config import SearchConfig
from archwright.nas.methods import METHODS

if TYPE_CHECKING:
    from archwright.bench.rank.rankings import Ranking

_OWN = ("samples", "batches")
_MOST = 5000
"""Architectures at most; a third of the space."""


@dataclass(frozen=True, kw_only=True)
class RankConfig(SearchBenchOptions):
    """Measure whether supernets of NAS-Bench-201 rank architectures as stand-alone training does.

    A supernet is trained as in a search, and a fixed sample of architectures is scored with its
    weights; its order is compared with that of the table. Searches of the bench nasbench201 in the
    same folder are not run again, and the same command continues after an interruption.
    """

    lists: ClassVar[tuple[str, ...]] = ("methods", "simplify", "seeds")
    filename: ClassVar[str] = "rank.json"

    methods: str = "random-ws,darts"
    """Search methods that train the supernets, separated by commas."""
    simplify: str = "none,all"
    """Each supernet with each of these simplifications, separated by commas. none is lowered as it
    is written, all else fused; none/fused or all/naive name the lowering."""
    samples: int = 100
    """Architectures that are ranked, the same ones for every supernet."""
    batches: int = 8
    """Batches of alpha's half of the training images that each is scored on."""
    runs: Path = Path("runs/nasbench201")
    """Folder for the run folders of the searches."""

    def __post_init__(self) -> None:
        """Check each setting.

        Raises:
            ConfigError: one is out of range (its flag is named), or a name is unknown.
        """
        super().__post_init__()
        require_positive(self, "samples", "batches")
        require(2 <= self.samples <= _MOST, f"--samples must be 2 to {_MOST:,}, got {self.samples}")
        _ = self.arms

    @property
    def bench(self) -> Nasbench201Config:
        """Return the bench of the searches that train the supernets."""
        shared: dict[str, Any] = {
            f.name: getattr(self, f.name) for f in fields(self) if f.name not in _OWN
        }
        return Nasbench201Config(**shared, no_baselines=True)

    @property
    def arms(self) -> tuple[Arm, ...]:
        """Return the supernets that rank."""
        if RANDOM in (item.strip().partition("/")[0] for item in self.methods.split(",")):
            raise ConfigError("--methods random trains no supernet to rank with: leave it out")
        return tuple(one for one in self.bench.arms if one.method != RANDOM)

    def search(self, arm: Arm, seed: int) -> SearchConfig:
        """Return the search that trains a supernet; it drops nothing: all are to be ranked."""
        config = self.bench.search(arm, seed)
        return config.with_settings(**METHODS[arm.method].unpruned)

    @classmethod
    def command(cls, settings: dict[str, Any], rankings: "Sequence[Ranking]") -> str:
        """Return the command lines that measure `rankings`, all of these `settings`, again."""
        points = [(r.arm.title(settings["preset"]), r.arm.supernet, r.seed) for r in rankings]
        always = ("methods", "simplify", "seeds", "samples", "data", "preset")
        configured = partial(cls.of, settings)
        return arm_commands("rank", configured, points, always=always)
