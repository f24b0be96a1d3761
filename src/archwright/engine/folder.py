"""The folder that a run writes, under names that stay fixed.

`config.json` (resolved settings), `log.jsonl`, `checkpoints/`, `architecture.json`,
`weights.safetensors`, `report.html`.
"""

import json
import sys
from collections.abc import Generator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NoReturn

from archwright.engine.lock import locked
from archwright.engine.log import RunLog
from archwright.errors import RunError
from archwright.io.files import decoded, is_of, write_json

SCHEMA = 1

_LOCK = ".lock"
"""The file that says which process writes the folder, while one does."""

CONDITIONS = "computed_with"
"""The setting that holds what decides the last bits of a result."""
_FREE = frozenset(
    {
        CONDITIONS,
        *("out", "resume", "data_root", "data_title", "data_summary", "workers", "command"),
        *("checkpoint_seconds", "task"),
    }
)
"""Settings that a resumed run may change: they do not touch the result, or follow from others."""
_FOLLOWS = frozenset({"classes", "image_channels", "mean", "std", "data_fingerprint", "inherited"})
"""What follows from the images that are asked for."""

_KINDS: dict[str, Any] = {
    **dict.fromkeys(("kind", "space", "space_sha256", "architecture", "background"), str),
    **dict.fromkeys(("data", "data_title", "data_root", "task"), str),
    **dict.fromkeys(("method", "derivation", "simplify", "pointwise", "granularity", "scale"), str),
    **dict.fromkeys(("inherit", "fusion", "per", "score", "run", "gates"), str),
    **dict.fromkeys((CONDITIONS, "inherited", "asked", "data_summary"), dict[str, Any]),
    **dict.fromkeys(("channels", "cells", "image_size", "image_channels", "partial"), int),
    **dict.fromkeys(("reduction", "floor", "limit", "test_limit", "white_level"), int),
    **{"precision": Literal["32-true", "bf16-mixed"], "drop_gates": bool},
    **{"classes": list[str], "mean": list[float], "std": list[float]},
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

    @property
    def ended(self) -> bool:
        """Whether there is a run that has come to its end, so that nothing more is written."""
        return self.config.exists() and self.result() is not None

    def result(self) -> dict[str, Any] | None:
        """The result, if the run has finished."""
        return self.log.last("result")

    def data_summary(self) -> dict[str, Any] | None:
        """What was said of its images when it started, if anything."""
        return read_config(self.path).get("data_summary")


@contextmanager
def hold(out: Path) -> Generator[None]:
    """Keep other processes from writing the run folder `out`, which is made if it is missing.

    Raises:
        RunError: another process holds it (it is named); it holds something else than a run, or
            cannot be written.
    """
    with ExitStack() as held:
        try:
            _require_run(out)
            out.mkdir(parents=True, exist_ok=True)
            held.enter_context(locked(out / _LOCK, out))
        except OSError as error:
            raise _unwritable(out, error) from None
        yield


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
        _require_run(out)
        if folder.config.exists():
            if not resume:
                raise RunError(f"{out} holds a run already: add --resume, or give another --out")
            _require_same(folder, content)
            return folder
        write_json(folder.config, content)
    except OSError as error:
        raise _unwritable(out, error) from None
    return folder


def say_changes(folder: RunFolder, settings: Mapping[str, Any]) -> None:
    """Say on standard error, in one line, if a run goes on where it will end in other bytes."""
    held, now = read_config(folder.path).get(CONDITIONS, {}), settings[CONDITIONS]
    changed = [name for name in {**held, **now} if held.get(name) != now.get(name)]
    if not changed or folder.result() is not None:
        return
    was, is_now = (
        ", ".join(f"{name} {of.get(name, 'not fixed')}" for name in changed) for of in (held, now)
    )
    print(
        f"{folder.path} was begun with {was}, and goes on with {is_now}: it will end in other "
        f"bytes than it would have (threads are set by OMP_NUM_THREADS)",
        file=sys.stderr,
        flush=True,
    )


def _require_run(out: Path) -> None:
    """Check that at `out` there is nothing, or a run, or what is left of the start of one."""
    if out.exists() and not out.is_dir():
        raise RunError(f"{out} is a file: give another --out")
    if not out.exists() or (out / "config.json").exists():
        return
    if any(not (p.name.endswith(".part") or p.name == _LOCK) for p in out.iterdir()):
        raise RunError(f"{out} is not empty and holds no run: give another --out")


def _unwritable(out: Path, error: OSError) -> RunError:
    return RunError(f"cannot write to {out}: {error.strerror}; give another --out")


def read_config(path: Path) -> Settings:
    """The settings of the run in the folder `path`; to ask for one that is not there is a RunError.

    Raises:
        RunError: there is no run, or its settings cannot be read, or are not what a run writes.
    """
    file = path / "config.json"
    if not file.is_file():
        raise RunError(f"{path} is no run folder: it has no config.json")
    try:
        content: Any = decoded(file.read_bytes())
    except ValueError:
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


def changed_settings(held: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
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
    names = changed_settings(held, wanted)
    if "space_sha256" in names and held.get("space") == wanted.get("space"):
        raise RunError(
            f"{held.get('space')} was edited since {folder.path} was begun: resume with the file "
            f"as it was, or give another --out"
        )
    for name in names:
        raise RunError(
            f"{folder.path} was run with {name}={held.get(name)!r}, not "
            f"{_as_json(wanted).get(name)!r}: resume with the same settings, or give another --out"
        )
