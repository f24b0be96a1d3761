"""Checkpoints: all that a run needs to go on as if it had never stopped."""

import io
import textwrap
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import torch

from archwright.errors import RunError
from archwright.files import write_bytes

SCHEMA = 1


def save_checkpoint(path: Path, state: dict[str, Any], device: torch.device) -> None:
    """Write `state` and the random state of the CPU and of `device`, whole or not at all.

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
    """The state that was saved.

    Raises:
        RunError: the file is cut short, damaged, or of another version.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise RunError(f"no checkpoint at {path}") from None
    except Exception as error:  # torch raises a dozen types for a damaged file
        raise RunError(
            f"checkpoint {path} is cut short or damaged ({_reason(error)}): delete it to start "
            f"this run from the beginning"
        ) from None
    if not isinstance(content, dict) or cast("dict[str, Any]", content).get("schema") != SCHEMA:
        raise RunError(f"checkpoint {path} is of another version: this one reads schema {SCHEMA}")
    return cast("dict[str, Any]", content)


@contextmanager
def loading(path: Path) -> Generator[None]:
    """Put the state of the checkpoint `path` into modules and optimisers.

    Raises:
        RunError: they are not of the kind that it was saved from.
    """
    try:
        yield
    except (KeyError, RuntimeError, TypeError, ValueError) as error:
        raise RunError(
            f"checkpoint {path} is of another network ({_reason(error)}): delete it to start "
            f"this run from the beginning"
        ) from None


def random_state(device: torch.device) -> dict[str, Any]:
    """The random state of the CPU and of `device`, which `restore_random` puts back.

    Each process draws alike, so the first one's state is that of all.
    """
    states = {"cpu": torch.get_rng_state()}
    if device.type != "cpu":
        states[device.type] = torch.get_device_module(device).get_rng_state()
    return states


def restore_random(state: dict[str, Any], device: torch.device) -> None:
    """Put back the random state that was saved, of the CPU and of `device`."""
    random = state["random"]
    torch.set_rng_state(random["cpu"])
    if device.type != "cpu" and device.type in random:
        torch.get_device_module(device).set_rng_state(random[device.type])


def _reason(error: Exception) -> str:
    lines = str(error).splitlines() or [type(error).__name__]
    return textwrap.shorten(lines[0], 120, placeholder=" ...")
