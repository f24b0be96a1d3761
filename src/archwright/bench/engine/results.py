"""Result files: rows of a benchmark, with everything needed to repeat and to judge them."""

import tempfile
from collections.abc import Callable, Generator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Protocol, TypeVar, cast, get_type_hints

from archwright.engine.runs.lock import locked
from archwright.errors import ArchwrightError, RunError
from archwright.io.files import decoded, is_of, write_json

SCHEMA = 1
"""Raised when a field changes its meaning."""
_PATIENCE_S = 120.0
"""How long a process waits until another has added to a file of results."""


@dataclass(frozen=True, kw_only=True)
class Conditions:
    """Conditions under which results were measured.

    Attributes:
        command: the commands that measure them again, a line each.
        settings: resolved settings that are alike for all results of the file.
        versions: of libraries.
        hardware: the machine, in words.
        threads: number of threads on the CPU.
    """

    command: str
    settings: dict[str, Any]
    versions: dict[str, str]
    hardware: str
    threads: int


@dataclass(frozen=True, kw_only=True)
class Results(Conditions):
    """Rows of a benchmark, as JSON has them."""

    rows: list[dict[str, Any]]


class TypedRow(Protocol):
    """Typed row of a results file."""

    def to_json(self) -> dict[str, Any]:
        """Return the row as JSON has it."""
        ...


_C = TypeVar("_C", bound=Conditions)


def write_results(path: Path, results: Conditions) -> None:
    """Write `results` to `path`, whole or not at all; its folder is made if it is missing."""
    content = {field.name: _to_json(getattr(results, field.name)) for field in fields(results)}
    write_json(path, {"schema": SCHEMA, **content})


def _to_json(value: Any) -> Any:
    if not isinstance(value, tuple):
        return value
    rows = cast("tuple[str | TypedRow, ...]", value)
    return [row if isinstance(row, str) else row.to_json() for row in rows]


def read_results(path: Path) -> Results:
    """Read the results in a file.

    Raises:
        RunError: there is none, it holds something else, or results of another version.
    """
    content = read_content(path)
    if missing := _missing(content, Results):
        raise RunError(f"{path} lacks {missing}: run the bench again")
    try:
        return Results(**checked(content, kinds_of(Results)))
    except RunError as error:
        raise RunError(f"{path}: {error}") from None


def read_typed_results(
    path: Path, cls: type[_C], field: str, read_row: Callable[[dict[str, Any]], Any], row: str
) -> _C:
    """Read a file whose `field` holds rows that `read_row` turns into values, each called `row`.

    Raises:
        RunError: as `read_results`, or a row cannot be read (it is named).
    """
    content = read_content(path)
    if missing := _missing(content, cls):
        raise RunError(f"{path} holds no {field} (it lacks {missing})")
    try:
        common = checked(content, kinds_of(cls, field))
        rows = checked(content, {field: list[dict[str, Any]]})[field]
    except RunError as error:
        raise RunError(f"{path}: {error}") from None
    found: list[Any] = []
    for number, one in enumerate(rows, 1):
        try:
            found.append(read_row(one))
        except ArchwrightError as error:
            raise RunError(f"{path}, {row} {number}: {error}") from None
    return cls(**cast("dict[str, Any]", {**common, field: tuple(found)}))


def _missing(content: Mapping[str, Any], cls: type[Conditions]) -> str:
    return ", ".join(field.name for field in fields(cls) if field.name not in content)


def read_or(path: Path, empty: _C, read: Callable[[Path], _C]) -> _C:
    """Read the results in `path` to be extended; return `empty` if there are none.

    Raises:
        RunError: as `read` and `require_same`.
    """
    if not path.exists():
        return empty
    results = read(path)
    require_same(path, results, empty)
    return results


def require_writable(path: Path) -> None:
    """Check, before any measurement, that results can be written to `path`; leave nothing behind.

    Raises:
        RunError: they cannot be written.
    """
    try:
        folder = next(parent for parent in path.absolute().parents if parent.exists())
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise RunError(f"cannot write {path}: {error.strerror}; give another --out") from None


@contextmanager
def adding_to(path: Path) -> Generator[None]:
    """Lock the results in `path` against other processes between reading and writing them.

    Raises:
        RunError: another process holds the lock for minutes (it is named), or the lock beside the
            file cannot be written.
    """
    with ExitStack() as held:
        lock = path.with_name(f".{path.name}.lock")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            held.enter_context(locked(lock, path, wait_s=_PATIENCE_S))
        except OSError as error:
            raise RunError(f"cannot write {lock}: {error.strerror}") from None
        yield


def read_content(path: Path) -> dict[str, Any]:
    """Read the content of a results file, if it is of this version.

    Raises:
        RunError: as `read_results`.
    """
    try:
        content: Any = decoded(path.read_bytes())
    except FileNotFoundError:
        raise RunError(f"no results at {path}: run the bench with --out {path}") from None
    except ValueError as error:
        raise RunError(f"{path} cannot be read as results: {error}") from None
    if not isinstance(content, dict) or "schema" not in content:
        raise RunError(f"{path} holds no results of a bench")
    if content["schema"] != SCHEMA:
        raise RunError(
            f"{path} holds results of schema {content['schema']}, this version reads {SCHEMA}: "
            f"run the bench again"
        )
    return cast("dict[str, Any]", content)


def checked(row: object, kinds: Mapping[str, Any]) -> dict[str, Any]:
    """Return these fields of a row, each checked to be of its type.

    Raises:
        RunError: it lacks one, or holds something else in its place (without the place of the row).
    """
    if not isinstance(row, dict):
        raise RunError("it is no row of a bench")
    held = cast("dict[str, Any]", row)
    for name, kind in kinds.items():
        if name not in held:
            raise RunError(f"it lacks {name}")
        if not is_of(held[name], kind):
            raise RunError(f"its {name} cannot be {held[name]!r}")
    return {name: held[name] for name in kinds}


def kinds_of(cls: type, *left_out: str) -> dict[str, Any]:
    """Return the types of a dataclass's fields by name, without those that are left out."""
    hints = get_type_hints(cls)
    return {field.name: hints[field.name] for field in fields(cls) if field.name not in left_out}


def require_same(path: Path, held: Conditions, wanted: Conditions) -> None:
    """Check that measurements of `wanted` belong in the file `path`, whose conditions are `held`.

    Raises:
        RunError: it was measured with other settings, or elsewhere (named).
    """

    def common(results: Conditions) -> dict[str, Any]:
        named = {"hardware": results.hardware, "threads": results.threads}
        return {**results.settings, **results.versions, **named}

    before, now = common(held), common(wanted)
    for name in dict.fromkeys([*before, *now]):
        if before.get(name) != now.get(name):
            raise RunError(
                f"{path} was measured with {name}={before.get(name)!r}, not {now.get(name)!r}: "
                f"repeat its settings, or give another --out"
            )
