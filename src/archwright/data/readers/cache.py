"""Cache of decoded images between runs: a search is repeated more often than its data change."""

import os
import pickle
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from hashlib import blake2b
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from archwright.errors import DataError
from archwright.io.files import write_atomic

_VERSION = 3  # raised whenever decoding or splitting changes, so that older files are not read


@dataclass(frozen=True)
class Decoded:
    """Both splits of a small data set as they are stored in memory.

    Images are uint8 [N, C, H, W], labels int64 [N]; mean and std one number per channel in 0..1;
    `odd` lists unexpected properties, in words; `unused` is the reason why the images are refused
    if no white level is given (see `pixels.unused_range`).
    """

    classes: list[str]
    train_images: Tensor
    train_labels: Tensor
    test_images: Tensor
    test_labels: Tensor
    mean: list[float]
    std: list[float]
    odd: list[str]
    unused: str


def cache_path(files: Iterable[Path], *settings: object) -> Path:
    """Return the path of the decoded form of `files` under `settings`.

    A file is identified by its path, size and modification time. The folder is `$ARCHWRIGHT_CACHE`,
    or `~/.cache/archwright`; it can be deleted at any time. Raises DataError for a file that cannot
    be read.
    """
    digest = blake2b(repr((_VERSION, settings)).encode(), digest_size=12)
    for file in files:
        try:
            stat = file.stat()
        except OSError as error:  # a link that leads nowhere
            raise DataError(
                f"{file} cannot be read ({error.strerror}): replace or remove it"
            ) from None
        entry = (str(file.absolute()), stat.st_size, stat.st_mtime_ns)
        digest.update(repr(entry).encode())
    folder = os.environ.get("ARCHWRIGHT_CACHE") or Path.home() / ".cache" / "archwright"
    return Path(folder) / "images" / f"{digest.hexdigest()}.pt"


def read(path: Path) -> Decoded | None:
    """Return the content that `write` stored at `path`; None if there is none, or none that can be
    read.
    """
    try:
        content: dict[str, Any] = torch.load(path, weights_only=True)
        return Decoded(**{field.name: content[field.name] for field in fields(Decoded)})
    except (OSError, RuntimeError, ValueError, KeyError, TypeError, EOFError, pickle.PickleError):
        return None


def write(path: Path, decoded: Decoded) -> None:
    """Store `decoded` at `path`; a cache that cannot be written is ignored."""
    content = asdict(decoded)
    with suppress(OSError):
        write_atomic(path, lambda file: torch.save(content, file))
