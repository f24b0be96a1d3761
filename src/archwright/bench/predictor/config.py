"""Configuration of the study of predicted latencies."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from archwright.bench.engine.arms import parse_seeds, write_seeds
from archwright.bench.engine.command import command_line, products
from archwright.engine.options import require, require_kinds, require_positive
from archwright.errors import ConfigError, unknown
from archwright.tables.nasbench201 import DEVICES

_FEWEST = 10


@dataclass(frozen=True, kw_only=True)
class PredictorConfig:
    """Learn the latencies of devices from some architectures, and predict those of all others."""

    devices: str = ",".join(DEVICES)
    """Devices of HW-NAS-Bench, separated by commas."""
    samples: int = 300
    """Architectures that are learned from, drawn from those with a measured latency."""
    seeds: str = "0-4"
    """Seeds of the draws, such as 0-4 or 0,2."""
    choices: int = 200
    """Architectures that are chosen within each budget, by random strengths of candidates."""
    out: Path | None = None
    """File for the results; nothing that it holds of the same settings is measured again."""

    def __post_init__(self) -> None:
        """Check each setting.

        Raises:
            ConfigError: one is out of range, or a name is unknown.
        """
        require_kinds(self)
        require_positive(self, "choices")
        require(self.samples >= _FEWEST, f"--samples must be {_FEWEST} or more")
        if self.out is not None:
            require(not self.out.is_dir(), f"--out {self.out} is a folder: name a file")
        _ = self.all_devices, self.all_seeds

    @property
    def all_devices(self) -> tuple[str, ...]:
        """Return the devices, each once."""
        found = tuple(dict.fromkeys(name.strip() for name in self.devices.split(",")))
        for name in found:
            if name not in DEVICES:
                raise ConfigError(f"--devices: {unknown('device', name, DEVICES)}")
        return found

    @property
    def all_seeds(self) -> tuple[int, ...]:
        """Return the seeds, each once."""
        return parse_seeds(self.seeds)

    def settings(self) -> dict[str, Any]:
        """Return every setting that decides a number."""
        left_out: Collection[str] = ("devices", "seeds", "out")
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name not in left_out}

    @classmethod
    def command(cls, settings: dict[str, Any], rows: Sequence[dict[str, Any]]) -> str:
        """Return the command lines that measure `rows`, all of these `settings`, again."""
        return "\n".join(
            command_line(
                "predictor",
                cls(**settings, devices=",".join(devices), seeds=write_seeds(seeds)),
                always=("devices", "samples", "seeds"),
            )
            for devices, seeds in products((row["device"], row["seed"]) for row in rows)
        )
