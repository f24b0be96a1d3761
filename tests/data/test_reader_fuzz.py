"""Damaged and odd input, drawn: a right answer or one line, and no file left behind."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from archwright.data import load
from archwright.errors import DataError

_NAMES = st.sampled_from(
    [
        "train",
        "Training",
        "test",
        "VAL",
        "dev",
        "cat",
        "dog",
        "seg_train",
        ".git",
        "a b",
        "é",
        "x.png",
    ]
)
_FILES = st.sampled_from(
    [
        "a.png",
        "b.PNG",
        "c.jfif",
        "d.heic",
        "e.txt",
        "f",
        "Thumbs.db",
        "archwright.json",
        "g.parquet",
    ]
)


def _ends_well(place: Path, expected: Callable[[Any], None] = lambda _: None) -> None:
    """Loading gives images that agree with one another, or a DataError of one line."""
    before = sorted(place.parent.rglob("*"))
    refusal, data = "", None
    try:
        data = load(str(place), image_size=4)
    except DataError as error:
        refusal = str(error)
    if data is None:
        assert refusal
        assert "\n" not in refusal
    else:
        for images in (data.train, data.test):
            assert 0 <= int(images.labels.min()) <= int(images.labels.max()) < len(data.classes)
        expected(data)
    assert sorted(place.parent.rglob("*")) == before


@given(st.lists(st.tuples(st.lists(_NAMES, max_size=3), _FILES, st.booleans()), max_size=14))
def test_folders(entries: list[tuple[list[str], str, bool]]) -> None:
    with tempfile.TemporaryDirectory() as made:
        root = Path(made) / "set"
        root.mkdir()
        for number, (parts, name, whole) in enumerate(entries):
            folder = root.joinpath(*parts)
            folder.mkdir(parents=True, exist_ok=True)
            file = folder / name
            if not whole:
                file.write_bytes(b"\x89PNG\r\n\x1a\n broken")
            elif not file.exists() and file.suffix in (".png", ".PNG"):
                Image.new("RGB", (5, 5), (number * 9, 3, 77)).save(file, "PNG")
            else:
                file.touch()

        def all_are_told(data: Any) -> None:
            held = [p for p in root.rglob("*") if p.suffix.lower() in (".png", ".jfif", ".heic")]
            held = [p for p in held if p.is_file() and ".git" not in p.parts]
            assert len(data.train) + len(data.test) == len(held) or data.left_out

        _ends_well(root, all_are_told)


@pytest.fixture(scope="module")
def whole() -> bytes:
    """A parquet file of eight images in two row groups."""
    cells = []
    for index in range(8):
        with tempfile.SpooledTemporaryFile() as file:
            Image.new("RGB", (5, 5), (index * 9, 3, 77)).save(file, "PNG")
            file.seek(0)
            cells.append({"bytes": file.read(), "path": f"{index}.png"})
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table({"image": cells, "label": ["a", "b"] * 4}), sink, row_group_size=4)
    return sink.getvalue().to_pybytes()


@given(st.data())
def test_parquet_with_bytes_changed(whole: bytes, data: st.DataObject) -> None:
    content = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.one_of(st.none(), st.integers(0, len(content))))
    with tempfile.TemporaryDirectory() as made:
        path = Path(made) / "set.parquet"
        path.write_bytes(content[:cut])
        _ends_well(path)


_VALUES: dict[str, st.SearchStrategy[Any]] = {
    "int64": st.one_of(st.none(), st.integers(-3, 5), st.sampled_from([10**6, 2**63 - 1])),
    "string": st.one_of(st.none(), st.sampled_from(["", "a", "b", "é", "a\nb"])),
    "double": st.floats(),
    "bool": st.booleans(),
    "binary": st.one_of(st.none(), st.binary(max_size=9)),
    "large_string": st.sampled_from(["a", "b"]),
}


@given(st.data())
def test_parquet_with_odd_columns(data: st.DataObject) -> None:
    rows = data.draw(st.integers(0, 6))
    columns: dict[str, Any] = {}
    for name in data.draw(
        st.lists(st.sampled_from(["image", "img", "label", "y", "z"]), unique=True)
    ):
        kind = data.draw(st.sampled_from(sorted(_VALUES)))
        values = data.draw(st.lists(_VALUES[kind], min_size=rows, max_size=rows))
        columns[name] = pa.array(values, pa.type_for_alias(kind))
    with tempfile.TemporaryDirectory() as made:
        path = Path(made) / "set.parquet"
        pq.write_table(pa.table(columns), path)
        _ends_well(path)
