"""The options that every run has, whatever it does."""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

from archwright.errors import ConfigError

Precision = Literal["32-true", "bf16-mixed"]


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """What a run computes on, where it writes, and how it can be repeated."""

    data: str = "digits"
    """Images: digits, cifar10, cifar100, imagenet, a Hugging Face name, a parquet file or folder,
    or a folder with a sub-folder of images a class."""
    data_root: Path | None = None
    """Folder in which a plain name is looked for before the hub (else $ARCHWRIGHT_DATA)."""
    image_size: int | None = None
    """Side in pixels that images are resized to."""
    limit: int | None = None
    """Use so many of the training images, a fixed sample."""
    test_limit: int | None = None
    """Use so many of the test images, a fixed sample."""
    seed: int = 0
    """Seed of everything random."""
    out: Path
    """The run folder."""
    resume: bool = False
    """Go on with the run in the folder; a missing one is started, a finished one returned."""
    device: str = "auto"
    """auto, cpu, cuda, cuda:1 or mps."""
    devices: int = 1
    """Processes, each on a device of its own."""
    precision: Precision = "32-true"
    """32-true, or bf16-mixed for autocast."""
    workers: int = 0
    """Processes that decode images, for sets too large to be held in memory."""
    checkpoint_seconds: float = 60.0
    """A checkpoint is written at each epoch's end, and after so many seconds within one."""

    def settings(self) -> dict[str, Any]:
        """Every option by name, as JSON holds it."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: str(v) if isinstance(v, Path) else v for name, v in values.items()}


def require(condition: bool, message: str) -> None:
    """Raise ConfigError(message) unless `condition` holds."""
    if not condition:
        raise ConfigError(message)


def require_positive(config: object, *names: str) -> None:
    """Check that the named options, where given, are above zero.

    Raises:
        ConfigError: one is not (named).
    """
    for name in names:
        value = getattr(config, name)
        flag = "--" + name.replace("_", "-")
        require(value is None or value > 0, f"{flag} must be above 0, got {value}")
