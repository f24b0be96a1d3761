"""Checkpoints: all that a run needs to go on as if it had never stopped."""

from pathlib import Path
from typing import Any

import torch

from archwright.errors import RunError
from archwright.files import write_atomic

SCHEMA = 1


def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write `state` and torch's random state, whole or not at all."""
    content = {"schema": SCHEMA, "random": _random_state(), **state}
    write_atomic(path, lambda file: torch.save(content, file))


def load_checkpoint(path: Path, *, restore_random: bool = True) -> dict[str, Any]:
    """The state that was saved; torch's random state is put back.

    Raises:
        RunError: the file is cut short, damaged, or of another version.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise RunError(f"no checkpoint at {path}") from None
    except Exception as error:  # torch raises a dozen types for a damaged file
        reason = str(error).splitlines()[0][:120] if str(error) else type(error).__name__
        raise RunError(
            f"checkpoint {path} is cut short or damaged ({reason}): delete it to start this run "
            f"from the beginning"
        ) from None
    if not isinstance(content, dict) or content.get("schema") != SCHEMA:  # pyright: ignore[reportUnknownMemberType]
        raise RunError(f"checkpoint {path} is of another version: this one reads schema {SCHEMA}")
    if restore_random:
        _restore_random_state(content["random"])  # pyright: ignore[reportUnknownArgumentType]
    return content  # pyright: ignore[reportUnknownVariableType]


def _random_state() -> dict[str, Any]:
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
    return {"cpu": torch.get_rng_state(), "cuda": cuda}


def _restore_random_state(state: dict[str, Any]) -> None:
    torch.set_rng_state(state["cpu"])
    if state["cuda"] and len(state["cuda"]) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all(state["cuda"])
