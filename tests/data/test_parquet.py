"""Parquet files, whoever wrote them: splits by name, columns by type, and what is refused."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from archwright.data import MemorySet, load
from archwright.data.readers import hub
from archwright.errors import DataError

Write = Callable[..., Path]
_LABELS = [0, 1, 2] * 4
_WORDS = ["elm", "oak", "ash"] * 4


@pytest.fixture
def table(tmp_path: Path, encoded: Callable[..., Any]) -> Callable[..., Path]:
    """Twelve images with the columns given; the bytes of an image stand for an absent one."""
    held = [encoded(index)["bytes"] for index in range(12)]

    def write(name: str = "t.parquet", image: Any = None, label: Any = _LABELS) -> Path:
        columns = {"image": held if image is None else image, "label": label}
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.table(columns), path)
        return path

    return write


def refused(match: str, path: Path) -> None:
    with pytest.raises(DataError, match=match) as caught:
        load(str(path))
    assert "\n" not in str(caught.value)


def reds(path: Path) -> list[int]:
    data = load(str(path))
    both = [part.images for part in (data.train, data.test) if isinstance(part, MemorySet)]
    return sorted(torch.cat(both)[:, 0, 0, 0].tolist())


@pytest.mark.parametrize(
    ("train", "test"),
    [
        *[("train/0000", "test/0000"), ("Train/0000", "TEST/0000"), ("a/train/0", "a/test/0")],
        *[("train", "valid"), ("train-00000-of-00001", "test-00000-of-00001")],
        *[("training", "testing"), ("birds_train", "birds_val"), ("trainSet", "evalSet")],
        *[("default/train/train-0", "default/test/test-0")],
    ],
)
def test_splits_by_folder_and_by_name(write_parquet: Write, train: str, test: str) -> None:
    write_parquet(f"birds/{train}.parquet")
    write_parquet(f"birds/{test}.parquet")
    data = load(str(train and write_parquet(f"birds/{train}.parquet").parents[train.count("/")]))
    assert (len(data.train), len(data.test), data.left_out) == (10, 10, ())


def test_what_is_of_no_use_is_said(write_parquet: Write) -> None:
    for name in ("train", "test", "validation", "extra"):
        folder = write_parquet(f"birds/{name}.parquet").parent
    data = load(str(folder))
    assert data.left_out == ("the validation split", "extra.parquet (of no split)")


def test_a_file_of_two_splits_is_refused(write_parquet: Write) -> None:
    folder = write_parquet("birds/train/test-0.parquet").parents[1]
    refused(r"test-0.parquet could be of the test or the train split: rename it$", folder)


@pytest.mark.parametrize(
    "kind",
    [pa.binary(), pa.large_binary(), pa.binary_view(), pa.dictionary(pa.int8(), pa.binary())],
)
def test_images_as_bytes(table: Write, encoded: Callable[..., Any], kind: Any) -> None:
    cells = pa.array([encoded(index)["bytes"] for index in range(12)], pa.binary()).cast(kind)
    assert reds(table(image=cells)) == list(range(12))


@pytest.mark.parametrize("inner", [pa.binary(), pa.large_binary()])
def test_images_as_structs(table: Write, encoded: Callable[..., Any], inner: Any) -> None:
    cells = [encoded(index) for index in range(12)]
    kind = pa.struct([("path", pa.large_string()), ("bytes", inner), ("more", pa.int8())])
    assert reds(table(image=pa.array(cells, kind))) == list(range(12))


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.string_view()])
def test_images_as_paths_beside_the_table(
    table: Write, tmp_path: Path, picture: Callable[..., Any], kind: Any
) -> None:
    for index in range(12):
        picture(index).save(tmp_path / f"{index}.png")
    paths = pa.array([f"{index}.png" for index in range(12)], kind)
    assert reds(table(image=paths)) == list(range(12))


@pytest.mark.parametrize(
    "kind", [pa.int8(), pa.int16(), pa.int32(), pa.uint8(), pa.uint64(), "categories"]
)
def test_labels_as_numbers(table: Write, kind: Any) -> None:
    labels = pa.array(_LABELS, pa.int32() if kind == "categories" else kind)
    data = load(str(table(label=labels.dictionary_encode() if kind == "categories" else labels)))
    assert data.classes == ("0", "1", "2")


@pytest.mark.parametrize(
    "kind", [pa.string(), pa.large_string(), pa.string_view(), "categories", "large categories"]
)
def test_labels_as_words(table: Write, kind: Any) -> None:
    if isinstance(kind, str):
        inner = pa.large_string() if "large" in kind else pa.string()
        labels = pa.array(_WORDS, inner).dictionary_encode()
    else:
        labels = pa.array(_WORDS, kind)
    assert load(str(table(label=labels))).classes == ("ash", "elm", "oak")


def test_what_pandas_writes(tmp_path: Path, encoded: Callable[..., Any]) -> None:
    pandas = pytest.importorskip("pandas")
    images = [encoded(index)["bytes"] for index in range(12)]
    for column in (_WORDS, pandas.Categorical(_WORDS)):
        pandas.DataFrame({"image": images, "label": column}).to_parquet(tmp_path / "p.parquet")
        assert load(str(tmp_path / "p.parquet")).classes == ("ash", "elm", "oak")


@pytest.mark.parametrize(
    ("label", "kind"),
    [
        ([0.0, 1.0] * 6, "double"),
        ([True, False] * 6, "bool"),
        ([b"a", b"b"] * 6, "binary"),
        ([[0], [1]] * 6, "list<.*>"),
        ([None] * 12, "null"),
    ],
)
def test_labels_of_another_type_are_named(
    write_parquet: Write, table: Write, label: Any, kind: str
) -> None:
    refused(
        rf"t.parquet has a column label of type {kind}, which holds no labels: give texts, or "
        rf"whole numbers 0 to N-1 for N classes$",
        table(image=[{"bytes": b""}] * 12, label=label),
    )


def test_images_of_another_type_are_named(table: Write) -> None:
    refused(
        r"t.parquet has a column image of type list<.*>, which holds no images: give encoded",
        table(image=[[0, 1]] * 12),
    )


@pytest.mark.parametrize(
    ("label", "match"),
    [
        ([1, 2, 3] * 4, r"^no image of \S*t.parquet has the label 0, though labels go up to 3: "),
        ([0, 5, 0] * 4, r"has the label 1, 2, 3 and 1 more, though .* number the classes 0 to N"),
        (["elm", "", "oak"] * 4, r"^row 1 of \S*t.parquet has no label: remove it$"),
        ([2**63, 0, 1] * 4, r"has the label 9223372036854775808: labels must be texts, or 0"),
        ([-(2**62), 0, 1] * 4, r"holds label -4611686018427387904, outside its 2 classes"),
    ],
)
def test_labels_that_count_nothing(table: Write, label: Any, match: str) -> None:
    refused(match, table(label=pa.array(label, pa.uint64()) if 2**63 in label else label))


def test_classes_that_the_file_names_may_have_no_image(write_parquet: Write) -> None:
    path = write_parquet("cats.parquet", img=[_png(n) for n in range(4)], label=[0] * 4)
    assert load(str(path)).classes == ("cat", "dog")


def test_files_of_two_kinds_are_refused(table: Write) -> None:
    folder = table("two/a.parquet").parent
    table("two/b.parquet", label=_WORDS)
    refused(r"two/a.parquet has texts and numbers as labels: give files of one kind$", folder)
    pq.write_table(pa.table({"img": [b"x"], "label": [0]}), folder / "b.parquet")
    refused(r"b.parquet has other columns or classes than \S*a.parquet: give files of", folder)


def test_nothing_is_written_for_files_that_fit_into_memory(
    table: Write, tmp_path: Path, monkeypatch: Any
) -> None:
    import datasets.config

    nowhere = tmp_path / "file"
    nowhere.write_text("no folder")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", nowhere / "hf")
    monkeypatch.setenv("ARCHWRIGHT_CACHE", str(nowhere / "cache"))
    assert reds(table()) == list(range(12))
    monkeypatch.setattr(hub, "HELD_BYTES", 0)
    refused(r"cannot write \S*file/cache/images \(Not a directory\): set HF_HOME and ARCH", table())
    with pytest.raises(DataError, match=r"cannot write \S*file/hf \(Not a directory\): set"):
        load("someone/trees")


def test_larger_files_are_mapped_from_the_cache(
    table: Write, tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.setattr(hub, "HELD_BYTES", 0)
    monkeypatch.setenv("ARCHWRIGHT_CACHE", str(tmp_path / "cache"))
    path = table()
    assert reds(path) == list(range(12))
    (kept,) = (tmp_path / "cache").rglob("*.arrow")
    for decoded in (tmp_path / "cache").rglob("*.pt"):
        decoded.unlink()
    kept.write_bytes(b"damaged")
    assert reds(path) == list(range(12))


def test_metadata_that_makes_no_sense_is_passed_over(
    tmp_path: Path, encoded: Callable[..., Any]
) -> None:
    for held in (b"{", b"[]", b'{"info": 1}', b'{"info": {"features": {"label": {"names": 1}}}}'):
        columns = {"image": [encoded(n)["bytes"] for n in range(12)], "label": _LABELS}
        held_table = pa.table(columns).replace_schema_metadata({b"huggingface": held})
        pq.write_table(held_table, tmp_path / "m.parquet")
        assert load(str(tmp_path / "m.parquet")).classes == ("0", "1", "2")


def _png(index: int) -> dict[str, Any]:
    from PIL import Image

    buffer = io.BytesIO()
    Image.new("RGB", (6, 6), (index, 0, 0)).save(buffer, "PNG")
    return {"bytes": buffer.getvalue(), "path": None}
