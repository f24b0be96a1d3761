"""Interface to Hugging Face `datasets`: tables in, encoded images with labels out."""

import importlib
import os
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import torch

from archwright.data.decoding.decode import EncodedImages
from archwright.data.readers import cache
from archwright.data.readers.columns import Columns, columns_of, is_bytes, is_text, numbered
from archwright.errors import DataError, not_installed, silenced
from archwright.io.files import write_atomic

HELD_BYTES = 256 * 2**20
"""Parquet files up to this size are loaded into memory; of larger ones a copy is mapped from disk.
"""
_ROWS = 256  # rows read at a time: a few hundred photos at most are held twice
_PATIENCE_S = 5.0  # how long the hub may take to answer at all
_CELL = pa.struct([("bytes", pa.binary()), ("path", pa.string())])  # as `datasets` holds images


class HubError(Exception):
    """Failure to load a data set from the hub, as the first line of its cause."""


@dataclass(frozen=True)
class LabelledBatches:
    """Encoded images of one split, and the class names of its labels.

    `named` states whether the source names the classes; otherwise a label without an image is a
    gap.
    """

    classes: tuple[str, ...]
    images: EncodedImages
    named: bool = True


def optional(module: str) -> Any:
    """Import a module of the `data` extra; raises DataError with the remedy if it is missing."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise DataError(not_installed(module, "load images")) from error


def from_hub(repository: str) -> Mapping[str, Any]:
    """Return all splits of a hub data set, by name.

    Raises:
        HubError: it cannot be had.
        DataError: there is no room to keep it.
    """
    datasets = optional("datasets")
    _require_writable(Path(datasets.config.HF_DATASETS_CACHE))
    with silenced("huggingface_hub"):  # each try again, of which the error speaks
        silent = _unreachable(repository)
        try:
            with _offline(datasets, silent is not None):
                return dict(datasets.load_dataset(repository))
        # Three libraries (datasets, huggingface_hub, httpx) raise here, with no base in common.
        except Exception as error:
            raise HubError(silent or _first_line(error)) from error


def from_parquet(paths: list[Path]) -> LabelledBatches:
    """Return the rows of parquet files, one after the other.

    Raises:
        DataError: one cannot be read or has other columns; columns or labels cannot be used.
    """
    place = ", ".join(map(str, paths[:1]))
    try:
        columns, values = _labels(paths, place)
        classes, labels = numbered(values, columns.label, columns.classes, place)
        table = _images(paths, columns)
    except (pa.ArrowException, OSError, ValueError, KeyError, NotImplementedError) as error:
        where = str(paths[0]) if len(paths) == 1 else f"{paths[0]} and {len(paths) - 1} more"
        raise DataError(
            f"{where} gives no rows ({_first_line(error)}): replace or remove it"
        ) from error
    images = EncodedImages(table, "image", torch.arange(len(labels)), labels, place)
    texts = bool(values) and isinstance(values[0], str)
    return LabelledBatches(classes, images, named=columns.classes is not None or texts)


def from_files(classes: Mapping[str, list[Path]], place: str) -> LabelledBatches:
    """Return image files by class as a table; class k is the k-th key."""
    datasets = optional("datasets")
    features = datasets.Features({"image": datasets.Image(decode=False)})
    paths = [str(path) for files in classes.values() for path in files]
    table = datasets.Dataset.from_dict({"image": paths}, features=features)
    labels = [index for index, files in enumerate(classes.values()) for _ in files]
    images = EncodedImages(table, "image", torch.arange(len(paths)), torch.tensor(labels), place)
    return LabelledBatches(tuple(classes), images)


def files_of(table: Any) -> tuple[Path, ...]:
    """Return the files that contain a table's rows on this machine."""
    return tuple(Path(entry["filename"]) for entry in table.cache_files)


def labelled(table: Any, place: str) -> LabelledBatches:
    """Return the images and labels of a hub data set's split.

    Raises:
        DataError: its columns or labels cannot be used.
    """
    datasets = optional("datasets")
    columns = columns_of(table.features.arrow_schema, place)
    table = table.cast_column(columns.image, datasets.Image(decode=False))
    values: list[Any] = table[columns.label][:]
    classes, labels = numbered(values, columns.label, columns.classes, place)
    images = EncodedImages(table, columns.image, torch.arange(len(labels)), labels, place)
    texts = bool(values) and isinstance(values[0], str)
    return LabelledBatches(classes, images, named=columns.classes is not None or texts)


def hides_labels(table: Any, place: str) -> bool:
    """Return whether a split's labels are kept secret: these are published as -1."""
    if not len(table):
        return False
    label = columns_of(table.features.arrow_schema, place).label
    return table[:1][label] == [-1]


def _labels(paths: list[Path], place: str) -> tuple[Columns, list[Any]]:
    """Return the columns that all files have, and the labels of all their rows."""
    columns: Columns | None = None
    values: list[Any] = []
    for path in paths:
        with pq.ParquetFile(path) as file:
            held = columns_of(file.schema_arrow, str(path))
            if columns is None:
                columns = held
            elif held != columns:
                raise DataError(
                    f"{path} has other columns or classes than {paths[0]}: give files of one kind"
                )
            read = file.read(columns=[held.label])
            values += read.column(held.label).to_pylist()
    assert columns is not None, "there is a file"
    if len({type(value) for value in values} - {type(None)}) > 1:
        raise DataError(f"{place} has texts and numbers as labels: give files of one kind")
    return columns, values


def _images(paths: list[Path], columns: Columns) -> Any:
    """Return the images of all rows as a table of `datasets`, in memory or mapped from our
    cache.
    """
    datasets = optional("datasets")
    info = datasets.DatasetInfo(features=datasets.Features({"image": datasets.Image(decode=False)}))
    batches = (
        pa.record_batch([cell], names=["image"])
        for path in paths
        for cell in _cells(path, columns.image)
    )
    schema = pa.schema([("image", _CELL)])
    if sum(path.stat().st_size for path in paths) <= HELD_BYTES:
        held = datasets.table.InMemoryTable(pa.Table.from_batches(batches, schema))
        # by the content it would be hashed: the fingerprint is of no use here
        return datasets.Dataset(held, info=info, fingerprint="archwright")
    kept = cache.cache_path(paths, columns.image).with_suffix(".arrow")

    def write(sink: Any) -> None:
        with pa.ipc.new_stream(sink, schema) as stream:
            for batch in batches:
                stream.write_batch(batch)

    with suppress(pa.ArrowException, OSError):  # what an earlier run kept
        return datasets.Dataset.from_file(str(kept), info=info)
    _require_writable(kept.parent)
    write_atomic(kept, write)
    return datasets.Dataset.from_file(str(kept), info=info)


def _cells(path: Path, column: str) -> Iterator[Any]:
    """Yield the images of a file as `datasets` stores them, some rows at a time."""
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(batch_size=_ROWS, columns=[column]):
            yield _cell(batch.column(column), path.parent)


def _cell(images: Any, folder: Path) -> Any:
    """Return bytes and paths; a relative path is that of a file beside the table."""
    if pa.types.is_dictionary(images.type):
        images = images.dictionary_decode()
    found: dict[str, Any] = {}
    if pa.types.is_struct(images.type):
        fields = [images.type.field(index) for index in range(images.type.num_fields)]
        found = {field.name: part for field, part in zip(fields, images.flatten(), strict=True)}
    elif is_bytes(images.type):
        found = {"bytes": images}
    elif is_text(images.type):
        found = {"path": images}
    missing = pa.nulls(len(images))
    content = found.get("bytes", missing).cast(pa.binary())
    names: list[str | None] = found.get("path", missing).cast(pa.string()).to_pylist()
    for row, (name, held) in enumerate(zip(names, content.is_valid().to_pylist(), strict=True)):
        if name and not held:
            names[row] = str(folder / name)
    return pa.StructArray.from_arrays([content, pa.array(names, pa.string())], fields=list(_CELL))


def _unreachable(repository: str) -> str | None:
    """Return why the hub does not answer, with one request: it would otherwise try for half a
    minute.
    """
    hub = optional("huggingface_hub")
    try:
        hub.HfApi().dataset_info(repository, timeout=_PATIENCE_S)
    except hub.errors.HfHubHTTPError:
        return None  # it answers; what, is said when the set is loaded
    except Exception as error:  # those of the library for HTTP, which changes, and of names
        return _first_line(error)
    return None


@contextmanager
def _offline(datasets: Any, offline: bool) -> Generator[None]:
    """Load a data set from the files on this machine, without a request."""
    places = (datasets.config, optional("huggingface_hub.constants"))
    before = [place.HF_HUB_OFFLINE for place in places]
    for place, was in zip(places, before, strict=True):
        place.HF_HUB_OFFLINE = was or offline
    try:
        yield
    finally:
        for place, was in zip(places, before, strict=True):
            place.HF_HUB_OFFLINE = was


def _require_writable(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        problem = None if os.access(folder, os.W_OK) else "Permission denied"
    except OSError as error:
        problem = error.strerror
    if problem:
        raise DataError(
            f"cannot write {folder} ({problem}): set HF_HOME and ARCHWRIGHT_CACHE to folders that "
            f"can be written"
        )


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(".: ") if lines else type(error).__name__
