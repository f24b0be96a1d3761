"""Read JSON as typed values; a wrong type is an error of one line that names its place."""

import math
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from types import UnionType
from typing import Any, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from archwright.errors import RunError
from archwright.io.files import is_of

T = TypeVar("T")


def read_dataclass(cls: type[T], content: object, where: str) -> T:
    """Make a dataclass of a JSON object; further fields are ignored.

    `where` is the place that an error names. A float must be finite, as JSON requires.

    Raises:
        RunError: a field without a default is missing, or one is of another type.
    """
    hints = get_type_hints(cls)
    needed = {f.name for f in fields(cast("Any", cls)) if f.default is MISSING}
    kinds = {f.name: hints[f.name] for f in fields(cast("Any", cls))}
    return cls(**read_fields(kinds, content, where, needed=needed))


def read_fields(
    kinds: Mapping[str, Any], content: object, where: str, *, needed: set[str] | None = None
) -> dict[str, Any]:
    """Read the fields of these types from a JSON object; `needed` names the required ones (None:
    all).

    Raises:
        RunError: as `read_dataclass`.
    """
    if not isinstance(content, dict):
        raise _wrong(where, content)
    held = cast("dict[str, Any]", content)
    for name in kinds:
        if name not in held and (needed is None or name in needed):
            raise RunError(f"{where} lacks its {name}: restore the file, or make the run again")
    return {
        name: _read(kind, held[name], f"{where}: {name}")
        for name, kind in kinds.items()
        if name in held
    }


def result_of(out: str) -> str:
    """Return the place of the result of the run in folder `out`, for error messages."""
    return f"the result in {Path(out) / 'log.jsonl'}"


def _read(kind: Any, value: Any, where: str) -> Any:
    """Read one value and the values inside it."""
    origin = get_origin(kind)
    if origin in (Union, UnionType):
        if value is None and type(None) in get_args(kind):
            return None
        (kind,) = (part for part in get_args(kind) if part is not type(None))
        return _read(kind, value, where)
    if is_dataclass(kind):
        return read_dataclass(cast("type[Any]", kind), value, where)
    if origin in (list, tuple) and isinstance(value, list | tuple):
        items = cast("list[Any]", value)
        read = [_read(get_args(kind)[0], item, f"{where} {n}") for n, item in enumerate(items, 1)]
        return tuple(read) if origin is tuple else read
    if origin is dict and isinstance(value, dict):
        named = cast("dict[str, Any]", value)
        return {n: _read(get_args(kind)[1], item, f"{where}.{n}") for n, item in named.items()}
    if kind is Any:
        return value
    if kind is Path and isinstance(value, str):
        return Path(value)
    if kind is float and _finite(value):
        return float(value)
    if kind is not float and is_of(value, kind):
        return value
    raise _wrong(where, value)


def _finite(value: object) -> bool:
    """Return whether the value is a number that a float can represent."""
    try:
        return is_of(value, float) and math.isfinite(cast("float", value))
    except OverflowError:
        return False


def _wrong(where: str, value: object) -> RunError:
    text = repr(value)
    short = text if len(text) <= 60 else text[:57] + "..."
    return RunError(f"{where} cannot be {short}: restore the file, or make the run again")
