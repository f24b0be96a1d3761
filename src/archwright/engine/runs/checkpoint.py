"""Checkpoints: the state from which a run continues as if it had not stopped."""

import io
import textwrap
import zipfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import torch

from archwright.errors import RunError
from archwright.io.files import write_bytes

SCHEMA = 1
LAST, PREVIOUS = "last", "previous"
"""Names of the checkpoint from which a run continues, and of the one before it."""


def save_checkpoint(path: Path, state: dict[str, Any], device: torch.device) -> None:
    """Write `state` and the random state of the CPU and of `device`, completely or not at all.

    Raises:
        RunError: the file cannot be written; an older one is left as it was.
    """
    content = io.BytesIO()
    torch.save({"schema": SCHEMA, "random": random_state(device), **state}, content)
    try:
        write_bytes(path, content.getvalue())
    except OSError as error:
        raise RunError(
            f"cannot write {path}: {error.strerror}; make room, then go on with --resume"
        ) from None


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Return the saved state.

    Raises:
        RunError: the file is cut short, damaged (each of its parts carries a checksum), or of
            another version.
    """
    try:
        _require_checksums(path)
        content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise RunError(f"no checkpoint at {path}") from None
    except Exception as error:  # torch raises a dozen types for a damaged file
        raise RunError(
            f"checkpoint {path} is cut short or damaged ({_reason(error)}): {_remedy(path)}"
        ) from None
    if not isinstance(content, dict) or cast("dict[str, Any]", content).get("schema") != SCHEMA:
        raise RunError(f"checkpoint {path} is of another version: this one reads schema {SCHEMA}")
    return cast("dict[str, Any]", content)


@contextmanager
def loading(path: Path) -> Generator[None]:
    """Load the state of the checkpoint `path` into modules and optimisers.

    Raises:
        RunError: they are not of the kind that it was saved from.
    """
    try:
        yield
    except (KeyError, RuntimeError, TypeError, ValueError) as error:
        raise RunError(
            f"checkpoint {path} is of another network ({_reason(error)}): {_remedy(path)}"
        ) from None


def _require_checksums(path: Path) -> None:
    """Check that each part of the file has the CRC-32 stored beside it: PyTorch does not check.

    Raises:
        BadZipFile: one has not, or there are no parts.
    """
    with zipfile.ZipFile(path) as parts:
        broken = parts.testzip()
    if broken is not None:
        raise zipfile.BadZipFile(f"the checksum of its part {broken} is another")


def _remedy(path: Path) -> str:
    before = path.with_name(f"{PREVIOUS}.pt")
    if path.stem == LAST and before.is_file():
        return f"delete it, and --resume goes on from the one before it, {before.name}"
    if path.stem in (LAST, PREVIOUS):
        return "delete it to start this run from the beginning"
    return "give the folder of its run, or make the run again"


def random_state(device: torch.device) -> dict[str, Any]:
    """Return the random state of the CPU and of `device`, for `restore_random`.

    All processes draw alike, so the state of the first one is that of all.
    """
    states = {"cpu": torch.get_rng_state()}
    if device.type != "cpu":
        states[device.type] = torch.get_device_module(device).get_rng_state()
    return states


def restore_random(state: dict[str, Any], device: torch.device) -> None:
    """Restore the saved random state of the CPU and of `device`."""
    random = state["random"]
    torch.set_rng_state(random["cpu"])
    if device.type != "cpu" and device.type in random:
        torch.get_device_module(device).set_rng_state(random[device.type])


def _reason(error: Exception) -> str:
    lines = str(error).splitlines() or [type(error).__name__]
    return textwrap.shorten(lines[0], 120, placeholder=" ...")
