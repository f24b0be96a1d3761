"""Files that are written whole or not at all, and whether what is read is what was written."""

import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import UnionType
from typing import IO, Any, Literal, Union, get_args, get_origin


def write_atomic(path: Path, write: Callable[[IO[bytes]], object]) -> None:
    """Let `write` fill a temporary file beside `path`, then move it into place in one step.

    A process killed at any moment leaves either the old file or the new one, never a part.
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
    """Write `content` to `path`, whole or not at all."""
    write_atomic(path, lambda file: file.write(content))


def write_text(path: Path, content: str) -> None:
    """Write `content` to `path` as UTF-8, whole or not at all."""
    write_bytes(path, content.encode())


def write_json(path: Path, content: Any) -> None:
    """Write `content` to `path` as indented JSON, whole or not at all."""
    write_text(path, json.dumps(content, indent=2) + "\n")


def decoded(text: str | bytes) -> Any:
    """Decode a JSON text, of UTF-8 if it is bytes.

    Raises:
        ValueError: it is none, or nested more deeply than Python can follow.
    """
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def is_of(value: object, kind: Any) -> bool:
    """Whether a value that JSON gave is of a type: a plain one, a literal, a list, one of several.

    A tuple is written as a list, a float may be written as a whole number, a dict has any values.
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
