"""Configuration of the study of searches within latency budgets."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

from typing_extensions import override

from archwright.bench.budgets.published import MEASURED_AT, PUBLISHED, budget_of, size_of
from archwright.bench.engine.arms import write_seeds
from archwright.bench.engine.command import command_line
from archwright.bench.engine.options import SearchBenchOptions
from archwright.engine.options import (
    require,
    require_not_negative,
    require_positive,
    require_unused,
)
from archwright.errors import ConfigError, unknown
from archwright.graph.passes.simplification.settings import parse_stages
from archwright.nas.config import SearchConfig
from archwright.nas.methods import METHODS, get_method
from archwright.nas.presets import preset_options
from archwright.tables.nasbench201 import DEVICES

_ALL = "all"

Place = tuple[str, float | None, float]
"""A budget: device, the percentile that it is (None: of none), milliseconds."""


@dataclass(frozen=True, kw_only=True)
class BudgetsConfig(SearchBenchOptions):
    """Search NAS-Bench-201 within latency budgets, and measure the distance from the best.

    A budget is a percentile of the latencies that HW-NAS-Bench measured on a device. Accuracies are
    looked up after every decision; no search reads one. Finished cases are kept, and the same
    command continues after an interruption.
    """

    lists: ClassVar[tuple[str, ...]] = ("devices", "percentiles", "seeds")
    filename: ClassVar[str] = "budgets.json"

    devices: str = _ALL
    """Devices of HW-NAS-Bench, separated by commas, or all six."""
    percentiles: str = "20,40,60"
    """Percentiles of the measured latencies that are budgets, separated by commas."""
    published: bool = False
    """Take the six budgets in milliseconds that HELP (NeurIPS 2021) published answers to, on
    eyeriss and fpga, in place of percentiles."""
    size_percentile: float | None = None
    """Limit the weights, too, to this percentile of their size over all networks (else any)."""
    untrained: bool = False
    """Ask alpha as it is before a search: nothing is trained, all else is the same."""
    seeds: str = "0"
    """Seeds, such as 0-4 or 0,2,100-104."""
    method: str = "diffgraph"
    """A search method that learns."""
    separate: bool = False
    """Search for every device and budget anew, the budget held while searching. Otherwise one
    search a seed, without a budget, answers to all of them."""
    penalty: float | None = None
    """With --separate: weigh the latency in alpha's loss by this, in place of a budget."""
    simplify: str = "all"
    """What is done to the supernet's graph first."""
    supernets: int = 1
    """Supernets that decide together for each seed."""
    finalists: int | None = None
    """Architectures compared with the supernet's weights (else as a search does)."""
    spend: float = SearchConfig.spend
    """What taking all of a budget is worth to an architecture, in nats a decision."""
    encoder: bool | None = None
    """Whether the method's graph encoder is on (else as the method has it)."""
    progressive: bool | None = None
    """With --separate: whether candidates are dropped on the way (else as the method does)."""
    runs: Path = Path("runs/budgets")
    """Folder for the run folders of the searches."""

    def __post_init__(self) -> None:
        """Check each setting.

        Raises:
            ConfigError: one is out of range (its flag is named), or a name is unknown.
        """
        super().__post_init__()
        require_positive(self, "finalists", "supernets")
        require_not_negative(self, "penalty", "spend")
        for flag, given in (("--penalty", self.penalty), ("--progressive", self.progressive)):
            require(given is None or self.separate, f"{flag} has no use without --separate")
        require(
            not (self.untrained and (self.separate or self.supernets > 1)),
            "--untrained has no use with --separate or --supernets: leave them out",
        )
        if self.published:
            require_unused(self, "devices", "percentiles", beside="--published")
        require(
            self.size_percentile is None or 0 < self.size_percentile <= 100,
            f"--size-percentile must be up to 100, above 0, got {self.size_percentile}",
        )
        if not get_method(self.method).learns:
            raise ConfigError(f"{self.method} learns no alpha, which budgets are answered from")
        _ = self.all_devices, self.all_percentiles, parse_stages(self.simplify)
        _ = preset_options(self.preset, self.method), self.search(0).build_method()

    @property
    def all_devices(self) -> tuple[str, ...]:
        """Return the devices, each once."""
        names = DEVICES if self.devices == _ALL else tuple(self.devices.split(","))
        for name in names:
            require(name in DEVICES, unknown("device", name, (*DEVICES, _ALL)))
        return tuple(dict.fromkeys(names))

    @property
    def all_percentiles(self) -> tuple[float, ...]:
        """Return the percentiles, each once."""
        found: dict[float, None] = {}
        for item in self.percentiles.split(","):
            try:
                value = float(item)
            except ValueError:
                value = -1.0
            require(0 < value <= 100, f"--percentiles {item}: give numbers up to 100, above 0")
            found[value] = None
        return tuple(found)

    @property
    def places(self) -> tuple[Place, ...]:
        """Return every budget."""
        if self.published:
            return tuple((one.device, None, one.budget_ms) for one in PUBLISHED)
        return tuple(
            (device, percentile, budget_of(device, percentile))
            for device in self.all_devices
            for percentile in self.all_percentiles
        )

    @property
    def pressure(self) -> str:
        """Return the name of what keeps alpha within the budget during the search."""
        if self.penalty is not None:
            return f"weight {self.penalty:g}"
        return "Lagrangian" if self.separate else "none"

    @property
    def size_mb(self) -> float | None:
        """Return the limit on the size of the weights, MB in float32; None: there is none."""
        return None if self.size_percentile is None else size_of(self.size_percentile)

    @override
    def settings(self) -> dict[str, Any]:
        return {**super().settings(), "options": preset_options(self.preset, self.method)}

    def search(self, seed: int) -> SearchConfig:
        """Return the search of a seed, without a budget; an unfinished one is resumed."""
        chosen: dict[str, Any] = {"encoder": self.encoder, "progressive": self.progressive}
        if not self.separate or self.supernets > 1:
            # a candidate that one budget has no use for, another needs
            chosen |= METHODS[self.method].unpruned
        own = ("method", "preset", "simplify", "finalists", "supernets")
        return SearchConfig.from_settings(
            **self.shared(),
            **{name: getattr(self, name) for name in own},
            **chosen,
            seed=seed,
            resume=True,
            out=self.runs / "-".join(self._parts(seed)),
        )

    def within(self, seed: int, device: str, limit_ms: float) -> SearchConfig:
        """Return the search of a seed within a budget, at the size of the measured latencies."""
        config, size_mb = self.search(seed), self.size_mb
        both = "" if size_mb is None else f"-{size_mb:.6g}mb"
        return replace(
            config,
            latency_device=device,
            max_latency_ms=limit_ms,
            max_size_mb=size_mb,
            spend=self.spend,
            **MEASURED_AT,
            out=config.out.with_name(f"{config.out.name}-{device}-{limit_ms:.6g}ms{both}"),
        )

    def weighed(self, seed: int, device: str) -> SearchConfig:
        """Return the search of a seed in which costs are weighted in place of a budget."""
        assert self.penalty is not None, "asked for where there is one"
        config = self.search(seed)
        out = config.out.with_name(f"{config.out.name}-{device}-weight{self.penalty:g}")
        if not self.penalty:
            return replace(config, out=out)
        costs = ("latency_ms",) if self.size_mb is None else ("latency_ms", "size_mb")
        out = out.with_name(f"{out.name}-size") if len(costs) > 1 else out
        objective = "+".join(f"{cost}={self.penalty:g}" for cost in costs)
        return replace(config, latency_device=device, objective=objective, **MEASURED_AT, out=out)

    def _parts(self, seed: int) -> tuple[str, ...]:
        stages = self.simplify.replace("/", "-")
        switched = tuple(
            f"{'' if value else 'no-'}{name}"
            for name, value in (("encoder", self.encoder), ("progressive", self.progressive))
            if value is not None
        )
        several = (f"x{self.supernets}",) if self.supernets > 1 else ()
        parts = (self.method, stages, self.preset, Path(self.data).stem)
        return (*parts, *switched, *several, str(seed))

    @classmethod
    def command(cls, settings: dict[str, Any], rows: Sequence[dict[str, Any]]) -> str:
        """Return the command line that decides `rows`, all of these `settings`, again."""
        seeds = write_seeds(row["seed"] for row in rows) or cls.seeds
        if settings["published"]:
            config = cls.of(settings, seeds=seeds)
            always = ("published", "seeds", "method", "preset", "data")
            return command_line("budgets", config, always=always)
        devices = dict.fromkeys(row["device"] for row in rows)
        percentiles = dict.fromkeys(row["percentile"] for row in rows)
        named = _ALL if set(devices) == set(DEVICES) else ",".join(devices)
        config = cls.of(
            settings,
            devices=named or cls.devices,
            percentiles=",".join(f"{value:.15g}" for value in percentiles) or cls.percentiles,
            seeds=seeds,
        )
        always = ("devices", "percentiles", "seeds", "method", "preset", "data")
        return command_line("budgets", config, always=always)
