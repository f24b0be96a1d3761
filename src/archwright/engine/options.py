"""Options of every run."""

import math
import os
from dataclasses import dataclass, field, fields
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from archwright.errors import ConfigError, unknown

Precision = Literal["32-true", "bf16-mixed"]

NO_FLAG = {"flag": False}
"""Metadata of a field that the command line fills in itself."""


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """Data, place and conditions of a run."""

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
    background: str | None = None
    """Colour behind transparent pixels, a name or #rrggbb (else white)."""
    white_level: int | None = None
    """Value of white in images of 16 bits, such as 4095 if they contain 12 bits (else 65535)."""
    seed: int = 0
    """Seed of everything random."""
    out: Path
    """The run folder."""
    resume: bool = False
    """Continue the run in the folder; a missing one is started, the result of a finished one is
    returned.
    """
    device: str = "auto"
    """auto, cpu, cuda or cuda:1."""
    devices: int = 1
    """Processes, each on a device of its own."""
    precision: Precision = "32-true"
    """32-true, or bf16-mixed for autocast."""
    workers: int = 0
    """Processes that decode images, for sets that are too large for memory."""
    checkpoint_seconds: float = 60.0
    """Seconds between two checkpoints within an epoch; one is written at each epoch's end too."""
    command: str | None = field(default=None, metadata=NO_FLAG)
    """Command line that asked for this run, if there is one: written down, without further effect.
    """

    def __post_init__(self) -> None:
        """Check each option by itself; a subclass adds its own.

        Raises:
            ConfigError: one is out of range (its flag is named).
        """
        require_kinds(self)
        require_positive(self, "limit", "test_limit", "image_size", "devices")
        require_not_negative(self, "workers", "checkpoint_seconds")
        require(0 <= self.seed < 2**32, f"--seed must be 0 to 2^32 - 1, got {self.seed}")

    def settings(self) -> dict[str, Any]:
        """Return every option by name, as JSON contains it; paths of images are absolute."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        values["data"] = absolute_data_path(self.data, self.data_root)
        if self.data_root is not None:
            values["data_root"] = self.data_root.expanduser().absolute()
        return {name: str(v) if isinstance(v, Path) else v for name, v in values.items()}


def absolute_data_path(data: str, root: Path | None) -> str:
    """Return `data` as an absolute path if it is a folder or file; names, also in `root`, stay."""
    place = Path(data).expanduser()
    if data in ("", "digits") or under_root(data, root):
        return data
    return str(place.absolute()) if place.exists() else data


def under_root(data: str, root: Path | None) -> bool:
    """Return whether a file or folder of that name exists in `root`, or else $ARCHWRIGHT_DATA."""
    base = root or os.environ.get("ARCHWRIGHT_DATA")
    return base is not None and (Path(base).expanduser() / data).exists()


def require(condition: bool, message: str) -> None:
    """Raise ConfigError(message) unless `condition` holds."""
    if not condition:
        raise ConfigError(message)


def require_kinds(config: object) -> None:
    """Check the given options that take a word from a list, or a path.

    The command line's parser checks these types; in Python any value can be passed.

    Raises:
        ConfigError: one is another word (the nearest is named), or no path (its flag is named).
    """
    for name, hint in get_type_hints(type(config)).items():
        value, kind = getattr(config, name), without_none(hint)
        if value is None and kind != hint:
            continue
        if words := choices(kind):
            require(value in words, unknown(name.replace("_", " "), str(value), words))
        if kind is Path:
            got = f"{_flag(name)} must be a pathlib.Path, got {value!r}"
            require(isinstance(value, Path), got)


def without_none(hint: Any) -> Any:
    """Return the type of an option without None."""
    if get_origin(hint) not in (Union, UnionType):
        return hint
    (kind,) = (part for part in get_args(hint) if part is not NoneType)
    return kind


def choices(kind: Any) -> tuple[str, ...]:
    """Return the words that a literal type allows; none for other types."""
    return get_args(kind) if get_origin(kind) is Literal else ()


def require_positive(config: object, *names: str) -> None:
    """Check that the named options, if given, are finite and above zero.

    Raises:
        ConfigError: one is not (its flag is named).
    """
    for flag, value in _given(config, names):
        require(0 < value < math.inf, f"{flag} must be above 0, got {value}")


def require_threads(config: Any) -> None:
    """Check that the option `threads`, if given, is a number that this machine can start.

    Raises:
        ConfigError: it is not (the most is named).
    """
    require_positive(config, "threads")
    most = max(64, 4 * (os.cpu_count() or 1))
    require(
        config.threads is None or config.threads <= most,
        f"--threads {config.threads} is more than is of use here: give at most {most}",
    )


def require_not_negative(config: object, *names: str) -> None:
    """Check that the named options, if given, are finite and not below zero.

    Raises:
        ConfigError: one is not (its flag is named).
    """
    for flag, value in _given(config, names):
        require(0 <= value < math.inf, f"{flag} must not be negative, got {value}")


def require_fraction(config: object, *names: str) -> None:
    """Check that the named options, if given, are at least zero and below one.

    Raises:
        ConfigError: one is not (its flag is named).
    """
    for flag, value in _given(config, names):
        require(0 <= value < 1, f"{flag} must be at least 0 and below 1, got {value}")


def require_unused(config: object, *names: str, beside: str) -> None:
    """Check that options without an effect `beside` another have their default values.

    Raises:
        ConfigError: one is not (the flags are named).
    """
    for name in names:
        require(
            getattr(config, name) == getattr(type(config), name),
            f"{_flag(name)} is of no use with {beside}: leave one of them out",
        )


def require_schedule(lr: float, lr_min: float, epochs: int, warmup_epochs: float) -> None:
    """Check that a learning rate can rise for `warmup_epochs` and then fall to `lr_min`.

    Raises:
        ConfigError: it cannot (the flags are named).
    """
    require(lr_min <= lr, f"--lr-min {lr_min:g} must not be above --lr {lr:g}")
    require(
        warmup_epochs < epochs,
        f"--warmup-epochs {warmup_epochs:g} must be below --epochs {epochs}",
    )


def _given(config: object, names: tuple[str, ...]) -> list[tuple[str, float]]:
    """Yield flag and number of each given option; a pair of numbers yields two."""
    found: list[tuple[str, float]] = []
    for name in names:
        value: Any = getattr(config, name)
        values = value if isinstance(value, tuple) else () if value is None else (value,)
        found += [(_flag(name), number) for number in values]
    return found


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")
