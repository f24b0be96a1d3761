"""Typed JSON: settings, log lines, results and model cards as dataclasses, checked when read.

msgspec converts and checks (also nested dataclasses, literals, unions and tuples); the errors here
name the file and the field. Fields that a dataclass does not have are ignored, so that an older
version reads what a newer one wrote.
"""

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar, cast

import msgspec

from archwright.errors import RunError
from archwright.io.files import decoded

T = TypeVar("T")

RESTORE = "restore the file, or make the run again"


def read_as(
    kind: type[T], content: object, where: str, *, remedy: str = RESTORE, finite: bool = True
) -> T:
    """Convert decoded JSON to `kind`: a dataclass, or a dict or tuple of typed values.

    `where` names the file and the place in it, `remedy` what the reader can do. Numbers must be
    finite, unless `finite` is false.

    Raises:
        RunError: a field is missing, or of another type (the field is named).
    """
    if finite:
        _require_finite(content, where, "", remedy)
    try:
        return msgspec.convert(content, kind, dec_hook=_decode)
    except msgspec.ValidationError as error:
        raise RunError(f"{where}{_explained(str(error))}: {remedy}") from None
    except UnicodeEncodeError:  # a lone surrogate, which JSON can escape
        raise RunError(f"{where} holds a text that is not valid Unicode: {remedy}") from None


def read_json(kind: type[T], path: Path, *, remedy: str = RESTORE) -> T:
    """Read the JSON file at `path` as `kind`.

    Raises:
        RunError: it is missing or no JSON, or as `read_as`.
    """
    try:
        content = decoded(path.read_bytes())
    except FileNotFoundError:
        raise RunError(f"{path} is missing: {remedy}") from None
    except (OSError, ValueError) as error:
        raise RunError(f"{path} cannot be read as JSON ({error}): {remedy}") from None
    return read_as(kind, content, str(path), remedy=remedy)


def to_json(value: object, *, skip_none: bool = False) -> dict[str, Any]:
    """Convert a dataclass to what JSON holds: paths and texts as strings, tuples as lists.

    With `skip_none`, fields that are None are left out at the top.
    """
    content = cast("dict[str, Any]", _listed(msgspec.to_builtins(value, enc_hook=_encode)))
    return {n: v for n, v in content.items() if v is not None} if skip_none else content


def result_of(out: str) -> str:
    """Name the place of the result of the run in the folder `out`."""
    return f"the result in {Path(out) / 'log.jsonl'}"


def _decode(kind: type[Any], value: object) -> Any:
    if kind is Path and isinstance(value, str):
        return Path(value)
    raise msgspec.ValidationError(f"Expected `{kind.__name__}`, got `{_name(value)}`")


def _encode(value: object) -> object:
    return str(value) if isinstance(value, Path) else _unknown(value)


def _listed(value: object) -> object:
    """Return a value with its tuples as lists, as JSON gives it back."""
    if isinstance(value, dict):
        named = cast("dict[str, object]", value)
        return {name: _listed(item) for name, item in named.items()}
    if isinstance(value, list | tuple):
        return [_listed(item) for item in cast("Sequence[object]", value)]
    return value


def _unknown(value: object) -> object:
    raise NotImplementedError(f"{type(value).__name__} has no JSON form")


_PLACE = re.compile(r"(?P<text>.*?)(?: - at `\$\.?(?P<at>[^`]*)`)?$", re.S)
_MISSING = re.compile(r"Object missing required field `(\w+)`")


def _explained(text: str) -> str:
    """Put msgspec's message behind the place that it is about: `: rows[2].params: expected int`."""
    found = _PLACE.match(text)
    assert found is not None, "the pattern matches every text"
    message, at = found["text"], found["at"]
    place = f": {at}" if at else ""
    if lacks := _MISSING.match(message):
        return f"{place} lacks its {lacks[1]}"
    return f"{place}: {message[:1].lower()}{message[1:].replace('`', '')}"


def _require_finite(value: object, where: str, at: str, remedy: str) -> None:
    if isinstance(value, float) and not math.isfinite(value):
        raise RunError(f"{where}: {at} cannot be {value}: {remedy}")
    if isinstance(value, Mapping):
        for name, item in cast("Mapping[str, object]", value).items():
            _require_finite(item, where, f"{at}.{name}" if at else str(name), remedy)
    elif isinstance(value, Sequence) and not isinstance(value, str | bytes):
        for number, item in enumerate(cast("Sequence[object]", value)):
            _require_finite(item, where, f"{at}[{number}]", remedy)


def _name(value: object) -> str:
    kinds = {"NoneType": "null", "list": "array", "dict": "object"}
    return kinds.get(type(value).__name__, type(value).__name__)
