"""The folder that a run writes, under names that stay fixed.

`config.json` (resolved settings), `log.jsonl`, `checkpoints/`, `architecture.json`,
`weights.safetensors`, `report.html`.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from archwright.errors import RunError
from archwright.files import is_of, write_json
from archwright.runs.log import RunLog

SCHEMA = 1

_FREE = frozenset(
    {
        *("out", "resume", "data_root", "data_title", "data_summary", "workers", "command"),
        "checkpoint_seconds",
    }
)
"""Settings that a resumed run may change: they do not touch the result."""
_FOLLOWS = frozenset({"classes", "image_channels", "mean", "std", "data_fingerprint"})
"""What follows from the images that are asked for."""

_KINDS: dict[str, Any] = {
    **dict.fromkeys(("kind", "space", "architecture", "data"), str),
    **dict.fromkeys(("channels", "cells", "image_size", "image_channels"), int),
    **{"data_summary": dict, "classes": list[str], "mean": list[float], "std": list[float]},
}
"""Types of the settings that later commands read."""


class Settings(dict[str, Any]):
    """The settings of a run, read from `file`."""

    def __init__(self, file: Path, content: Mapping[str, Any]) -> None:
        super().__init__(content)
        self._file = file

    def __missing__(self, name: str) -> NoReturn:
        raise RunError(f"{self._file} does not say its {name}: make the run again")


@dataclass(frozen=True)
class RunFolder:
    """An opened run folder."""

    path: Path

    @property
    def config(self) -> Path:
        """The resolved settings."""
        return self.path / "config.json"

    @property
    def log(self) -> RunLog:
        """One JSON object a line."""
        return RunLog(self.path / "log.jsonl")

    @property
    def architecture(self) -> Path:
        """The architecture, in our JSON."""
        return self.path / "architecture.json"

    @property
    def weights(self) -> Path:
        """The weights of the network, by slot."""
        return self.path / "weights.safetensors"

    def checkpoint(self, name: str) -> Path:
        """The checkpoint of that name (`last`, `best`)."""
        return self.path / "checkpoints" / f"{name}.pt"

    def result(self) -> dict[str, Any] | None:
        """The result, if the run has finished."""
        return self.log.last("result")

    def data_summary(self) -> dict[str, Any] | None:
        """What was said of its images when it started, if anything."""
        return read_config(self.path).get("data_summary")


def open_run(out: Path, kind: str, settings: Mapping[str, Any], *, resume: bool) -> RunFolder:
    """Start a run in `out`, or with `resume` go on with the one that is there.

    A missing folder, and one that was left before its settings were written, are started anew.

    Raises:
        RunError: the folder exists and `resume` is not asked for; it holds something else; it
            cannot be written; or the run in it has other settings (the field is named).
    """
    folder = RunFolder(out)
    content = {"schema": SCHEMA, "kind": kind, **settings}
    try:
        if out.exists() and not out.is_dir():
            raise RunError(f"{out} is a file: give another --out")
        if folder.config.exists():
            if not resume:
                raise RunError(f"{out} holds a run already: add --resume, or give another --out")
            _require_same(folder, content)
            return folder
        if out.exists() and any(not p.name.endswith(".part") for p in out.iterdir()):
            raise RunError(f"{out} is not empty and holds no run: give another --out")
        write_json(folder.config, content)
    except OSError as error:
        raise RunError(f"cannot write to {out}: {error.strerror}; give another --out") from None
    return folder


def read_config(path: Path) -> Settings:
    """The settings of the run in the folder `path`; to ask for one that is not there is a RunError.

    Raises:
        RunError: there is no run, or its settings cannot be read, or are not what a run writes.
    """
    file = path / "config.json"
    if not file.is_file():
        raise RunError(f"{path} is no run folder: it has no config.json")
    try:
        content: Any = json.loads(file.read_text())
    except (json.JSONDecodeError, UnicodeDecodeError):
        raise RunError(f"{file} is damaged: it is no JSON; start a new run") from None
    if not isinstance(content, dict) or content.get("schema") != SCHEMA:
        raise RunError(f"{file} is of another version: this one reads schema {SCHEMA}")
    for name, kind in _KINDS.items():
        value = content.get(name)
        if value is None:
            content.pop(name, None)
        elif not is_of(value, kind):
            raise RunError(
                f"{file} is damaged: its {name} is {value!r}; restore it, or make the run again"
            )
    return Settings(file, content)


def differing(held: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
    """The names of settings that are not the same, of those that touch the result.

    What follows from others comes last.
    """
    plain = _as_json(wanted)
    names = sorted({*held, *plain} - _FREE, key=lambda name: (name in _FOLLOWS, name))
    return [name for name in names if held.get(name) != plain.get(name)]


def _as_json(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings as they come back from a file."""
    return json.loads(json.dumps(dict(settings)))


def _require_same(folder: RunFolder, wanted: Mapping[str, Any]) -> None:
    held = read_config(folder.path)
    if held.get("kind") != wanted["kind"]:
        raise RunError(
            f"{folder.path} is the run of a {held.get('kind')}, not of a {wanted['kind']}: give "
            f"another --out"
        )
    for name in differing(held, wanted):
        raise RunError(
            f"{folder.path} was run with {name}={held.get(name)!r}, not "
            f"{_as_json(wanted).get(name)!r}: resume with the same settings, or give another --out"
        )
