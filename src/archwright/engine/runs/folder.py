"""Folder of a run; its files have fixed names.

`config.json` (resolved settings), `log.jsonl`, `checkpoints/`, `architecture.json`,
`network.json`, `weights.safetensors`, `report.html`.
"""

import json
import sys
from collections.abc import Generator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NoReturn, TypedDict

from archwright.engine.runs.lock import locked
from archwright.engine.runs.log import RunLog
from archwright.errors import RunError
from archwright.io.files import decoded, write_json
from archwright.io.schema import read_as

SCHEMA = 1

_LOCK = ".lock"
"""File that names the process which writes the folder, while one does."""

CONDITIONS = "computed_with"
"""Setting with the conditions on which the last bits of a result depend."""
_FREE = frozenset(
    {
        CONDITIONS,
        *("out", "resume", "data_root", "data_title", "data_summary", "workers", "command"),
        *("checkpoint_seconds", "task"),
    }
)
"""Settings that a resumed run may change: they do not affect the result."""
_FOLLOWS = frozenset({"classes", "image_channels", "mean", "std", "data_fingerprint"})
"""Settings that follow from the requested images."""


class _Known(TypedDict, total=False):
    """Types of the settings that later commands read."""

    kind: str
    space: str
    space_sha256: str
    architecture: str
    background: str
    data: str
    data_title: str
    data_root: str
    task: str
    method: str
    derivation: str
    simplify: str
    pointwise: str
    granularity: str
    scale: str
    inherit: str
    fusion: str
    per: str
    score: str
    run: str
    gates: str
    computed_with: dict[str, Any]
    asked: dict[str, Any]
    data_summary: dict[str, Any]
    channels: int
    cells: int
    image_size: int
    image_channels: int
    partial: int
    reduction: int
    floor: int
    limit: int
    test_limit: int
    white_level: int
    precision: Literal["32-true", "bf16-mixed"]
    drop_gates: bool
    classes: list[str]
    mean: list[float]
    std: list[float]


class Settings(dict[str, Any]):
    """Settings of a run, read from `file`."""

    def __init__(self, file: Path, content: Mapping[str, Any]) -> None:
        super().__init__(content)
        self._file = file

    def __missing__(self, name: str) -> NoReturn:
        raise RunError(f"{self._file} does not say its {name}: make the run again")


@dataclass(frozen=True)
class RunFolder:
    """Open run folder."""

    path: Path

    @property
    def config(self) -> Path:
        """Path of the resolved settings."""
        return self.path / "config.json"

    @property
    def log(self) -> RunLog:
        """Path of the log, one JSON object per line."""
        return RunLog(self.path / "log.jsonl")

    @property
    def architecture(self) -> Path:
        """Path of the architecture, as JSON."""
        return self.path / "architecture.json"

    @property
    def network(self) -> Path:
        """Path of the graph of the network, as JSON."""
        return self.path / "network.json"

    @property
    def unpruned(self) -> Path:
        """Path of the graph of the network before a pruning."""
        return self.path / "unpruned.json"

    @property
    def weights(self) -> Path:
        """Path of the weights of the network, by slot."""
        return self.path / "weights.safetensors"

    def checkpoint(self, name: str) -> Path:
        """Return the path of the checkpoint of that name (`last`, `best`)."""
        return self.path / "checkpoints" / f"{name}.pt"

    @property
    def ended(self) -> bool:
        """Whether the folder contains a finished run, so that nothing more is written."""
        return self.config.exists() and self.result() is not None

    def result(self) -> dict[str, Any] | None:
        """Result of the run; None if it has not finished."""
        return self.log.last("result")

    def data_summary(self) -> dict[str, Any] | None:
        """Summary of the images that was printed at the start of the run, if any."""
        return read_config(self.path).get("data_summary")


def run_folder_of(path: Path) -> RunFolder:
    """Return the run folder that `path` is, or that a file of a network at `path` belongs to.

    That is a checkpoint, the weights or the graph.

    Raises:
        RunError: there is nothing at `path`, or it lies in no run folder.
    """
    if not path.exists():
        raise RunError(f"no run and no checkpoint at {path}: give the folder of a run")
    if path.is_dir():
        return RunFolder(path)
    folder = RunFolder(path.parent.parent if path.parent.name == "checkpoints" else path.parent)
    own = path.suffix == ".pt" or path in (folder.weights, folder.network)
    if not (folder.config.is_file() and own):
        raise RunError(f"{path} is no checkpoint in a run folder: give the folder of a run")
    return folder


@contextmanager
def hold(out: Path) -> Generator[None]:
    """Keep other processes from writing the run folder `out`; it is created if it is missing.

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
    """Start a run in `out`, or with `resume` continue the existing one.

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
    """Print one line on standard error if a resumed run will end with other bytes."""
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
    """Check that `out` is missing, or contains a run or the rest of a start of one."""
    if out.exists() and not out.is_dir():
        raise RunError(f"{out} is a file: give another --out")
    if not out.exists() or (out / "config.json").exists():
        return
    if any(not (p.name.endswith(".part") or p.name == _LOCK) for p in out.iterdir()):
        raise RunError(f"{out} is not empty and holds no run: give another --out")


def _unwritable(out: Path, error: OSError) -> RunError:
    return RunError(f"cannot write to {out}: {error.strerror}; give another --out")


def read_config(path: Path) -> Settings:
    """Return the settings of the run in the folder `path`.

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
    for name in _Known.__annotations__:
        if content.get(name) is None:
            content.pop(name, None)
    known = {name: value for name, value in content.items() if name in _Known.__annotations__}
    read_as(_Known, known, f"{file} is damaged", finite=False)
    return Settings(file, content)


def changed_settings(held: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
    """Return the names of the settings that differ, of those that affect the result.

    Settings that follow from others come last.
    """
    plain = _as_json(wanted)
    names = sorted({*held, *plain} - _FREE, key=lambda name: (name in _FOLLOWS, name))
    return [name for name in names if held.get(name) != plain.get(name)]


def _as_json(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings as they come back from a file."""
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
