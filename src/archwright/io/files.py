"""Write files completely or not at all, and check that a file contains what was written."""

import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import UnionType
from typing import IO, Any, Literal, Union, get_args, get_origin


def write_atomic(path: Path, write: Callable[[IO[bytes]], object]) -> None:
    """Let `write` fill a temporary file beside `path`, then move it into place in one step.

    If the process is killed at any moment, the old file or the new one exists, never a part.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, 0o666 & ~_umask())
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def write_bytes(path: Path, content: bytes) -> None:
    """Write `content` to `path`, completely or not at all."""
    write_atomic(path, lambda file: file.write(content))


def write_text(path: Path, content: str) -> None:
    """Write `content` to `path` as UTF-8, completely or not at all."""
    write_bytes(path, content.encode())


def write_json(path: Path, content: Any) -> None:
    """Write `content` to `path` as indented JSON, completely or not at all."""
    write_text(path, json.dumps(content, indent=2) + "\n")


def decoded(text: str | bytes) -> Any:
    """Decode a JSON text; bytes are read as UTF-8.

    Raises:
        ValueError: it is none, or nested more deeply than Python can follow.
    """
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def is_of(value: object, kind: Any) -> bool:
    """Return whether a value decoded from JSON is of a type: plain, a literal, a list, or a union.

    A tuple is written as a list, a float may be written as an integer, a dict may have any values.
    """
    if get_origin(kind) in (Union, UnionType):
        return any(is_of(value, part) for part in get_args(kind))
    if get_origin(kind) is dict:
        return isinstance(value, dict)
    if get_origin(kind) is Literal:
        return value in get_args(kind)
    if get_origin(kind) in (list, tuple):
        return isinstance(value, list) and all(is_of(item, get_args(kind)[0]) for item in value)
    return type(value) in ((int, float) if kind is float else (kind,))


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
