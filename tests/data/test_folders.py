"""Folders of splits and classes: what they are taken for, what is refused, what is left out."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from archwright.data import load
from archwright.data.readers.folders import scan
from archwright.data.readers.roles import folder_role, word_roles
from archwright.errors import DataError

Write = Callable[..., Path]


def split(train: str, test: str, counts: tuple[int, int] = (3, 1)) -> dict[str, int]:
    pairs = ((train, counts[0]), (test, counts[1]))
    return {f"{name}/{kind}": count for name, count in pairs for kind in ("auk", "owl")}


def refused(match: str, folder: Path) -> None:
    with pytest.raises(DataError, match=match) as caught:
        load(str(folder))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("train", "test"),
    [
        *[("Training", "Testing"), ("TRAIN", "Val"), ("train", "dev"), ("train", "eval")],
        *[("train", "validation"), ("train", "Valid"), ("train2017", "val2017")],
        *[("training_set", "test_set"), ("Train Data", "Test Data")],
    ],
)
def test_the_usual_names_of_splits(write_folder: Write, train: str, test: str) -> None:
    data = load(str(write_folder(split(train, test))))
    assert data.classes == ("auk", "owl")
    assert (len(data.train), len(data.test), data.left_out) == (6, 2, ())


@pytest.mark.parametrize(
    ("others", "count"),
    [
        ({"test": 1, "val": 2}, 2),
        ({"eval": 1, "dev": 2}, 2),
        ({"Testing": 1, "eval": 2}, 2),
        ({"test": 1, "valid": 2, "eval": 3}, 2),
    ],
)
def test_validation_and_test_are_taken_apart(
    write_folder: Write, others: dict[str, int], count: int
) -> None:
    counts = {f"{name}/{kind}": n for name, n in others.items() for kind in ("auk", "owl")}
    data = load(str(write_folder({"train/auk": 3, "train/owl": 3, **counts})))
    assert (len(data.train), len(data.test)) == (6, count)
    left = sorted(f"{name} ({2 * n} images)" for name, n in others.items() if n > 1)
    assert sorted(data.left_out) == left


def test_a_class_may_be_called_like_a_split(write_folder: Write) -> None:
    for name in ("train", "test"):
        folder = write_folder({name: 5, "bus": 5, "car": 5}, name=f"vehicles-{name}")
        assert load(str(folder)).classes == tuple(sorted(("bus", "car", name)))


@pytest.mark.parametrize("counts", [{"train": 4, "test": 4}, {"train": 4}, {"Val": 2, "Test": 2}])
def test_splits_without_classes_are_refused(write_folder: Write, counts: dict[str, int]) -> None:
    refused(
        r"holds images directly in .*: a split needs a sub-folder for each class, and a class "
        r"needs another name$",
        write_folder(counts),
    )


def test_an_unsorted_test_split_is_refused(write_folder: Write) -> None:
    folder = write_folder({"train/auk": 3, "train/owl": 3, "test": 4})
    refused(r"birds holds images directly in test: a split needs", folder)
    folder = write_folder({"train": 3, "test": 4, "cat": 5, "dog": 5}, name="flat")
    refused(r"flat holds images directly in test, train: a split needs", folder)


def test_splits_beside_classes_are_refused(write_folder: Write) -> None:
    folder = write_folder({"auk": 3, "owl": 3, "test/auk": 1, "test/owl": 1})
    refused(r"holds test beside auk, owl: put the classes of the training images under", folder)
    folder = write_folder({"train/steam": 3, "bus": 3, "car": 3}, name="vehicles")
    refused(r"holds train beside bus, car: .* give a class another name", folder)


def test_names_that_read_like_splits_are_refused(write_folder: Write) -> None:
    folder = write_folder(split("seg_train", "seg_test"))
    refused(r"birds holds seg_test, seg_train, which read like splits and not like", folder)
    folder = write_folder({f"{c}/{s}": 2 for c in ("auk", "owl") for s in ("train", "test")}, "in")
    refused(r"in/auk holds test, train, which read like splits .* those of classes below$", folder)


def test_splits_within_another_folder_are_refused(write_folder: Write) -> None:
    folder = write_folder(split("outer/train", "outer/test"))
    refused(r"birds holds only the folder outer: give \S*birds/outer, or a sub-folder", folder)
    folder = write_folder({"train/train/auk": 1, "train/train/owl": 1}, name="twice")
    refused(r"twice/train holds only the folder train: give", folder)


def test_two_names_of_one_split_are_refused(write_folder: Write) -> None:
    folder = write_folder({**split("train", "val"), **split("train", "valid")})
    refused(r"birds holds val and valid, both names of the validation split: keep one$", folder)


def test_a_test_split_alone_is_refused(write_folder: Write) -> None:
    folder = write_folder(split("val", "Testing"))
    refused(r"birds holds Testing, val but no training images: add them as train$", folder)


def test_what_is_no_image_is_counted(write_folder: Write) -> None:
    folder = write_folder({"auk": 5, "owl": 5, ".": 2})
    for name in ("auk/a.txt", "auk/b.txt", "owl/c.CR2", "LICENSE", "owl/.DS_Store", "Thumbs.db"):
        (folder / name).write_bytes(b"x")
    (folder / "__MACOSX" / "auk").mkdir(parents=True)
    (folder / "__MACOSX" / "auk" / "._000.png").write_bytes(b"x")
    os.mkfifo(folder / "owl" / "pipe.png")
    (folder / "archwright.json").write_text('{"title": "Birds"}')
    data = load(str(folder))
    assert len(data.train) + len(data.test) == 10
    assert data.left_out == (
        "2 images of birds in no class folder",
        "5 files of no known image format (.txt 2, .cr2 1, .png 1 and 1 more)",
    )


@pytest.mark.parametrize("where", ["", "train/", "test/"])
def test_a_class_without_images_is_refused(write_folder: Write, where: str) -> None:
    counts = {"auk": 5, "owl": 5} if not where else split("train", "test")
    folder = write_folder(counts)
    (folder / where / "emu").mkdir()
    refused(r"^class 'emu' of \S* has no images: add some in a format such as PNG or JPEG", folder)
    for name in ("a.CR2", "b.cr2"):
        (folder / where / "emu" / name).write_bytes(b"x")
    refused(r"has no images, only 2 files of no known image format \(\.cr2 2\): add some", folder)


def test_no_class_with_images_says_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "auk").mkdir()
    (tmp_path / "auk" / "a.cr2").write_bytes(b"x")
    refused(r"no classes \(1 file of no known image format \(\.cr2 1\)\): give each", tmp_path)


def test_jfif_is_jpeg(write_folder: Write, picture: Callable[..., Any]) -> None:
    folder = write_folder({"auk": 5})
    (folder / "owl").mkdir()
    for index in range(5):
        picture(index).save(folder / "owl" / f"{index}.JFIF", "JPEG")
    assert load(str(folder)).classes == ("auk", "owl")


def test_linked_folders_are_followed_and_circles_are_not(
    write_folder: Write, tmp_path: Path
) -> None:
    folder = write_folder({"auk": 5, "owl": 5})
    more = write_folder({"more": 5}, name="elsewhere")
    (folder / "owl" / "linked").symlink_to(more / "more")
    (folder / "owl" / "circle").symlink_to(folder)
    (folder / "emu").symlink_to(more / "more")
    data = load(str(folder))
    assert data.classes == ("auk", "emu", "owl")
    assert len(data.train) + len(data.test) == 20
    assert len(scan(folder).images) == 20


def test_a_folder_that_may_not_be_read_is_named(write_folder: Write, monkeypatch: Any) -> None:
    folder = write_folder({"auk": 5, "owl/deep": 5})
    listed = os.scandir

    def scandir(place: str) -> Any:
        if place.endswith("deep"):
            raise PermissionError(13, "Permission denied", place)
        return listed(place)

    monkeypatch.setattr(os, "scandir", scandir)
    refused(r"owl/deep cannot be read \(Permission denied\): allow it, or take it out of", folder)


def test_a_name_that_is_no_text_is_refused(write_folder: Write) -> None:
    folder = write_folder({"auk": 5, "owl": 5})
    os.mkdir(os.fsencode(folder) + b"/caf\xe9")
    refused(r"holds a folder whose name is no UTF-8, 'caf\\udce9': rename it$", folder)


def test_parquet_beside_images_is_refused(write_folder: Write, write_parquet: Write) -> None:
    folder = write_folder({"auk": 5, "owl": 5})
    write_parquet("birds/extra.parquet")
    refused(r"birds holds 1 parquet file and 10 image files: keep one kind$", folder)


def test_classes_of_one_image_stay_in_training(write_folder: Write) -> None:
    data = load(str(write_folder({"auk": 5, "emu": 1, "owl": 5})))
    assert 1 in data.train.labels
    assert 1 not in data.test.labels


def test_too_few_classes_to_score_are_refused(write_folder: Write) -> None:
    folder = write_folder({"auk": 5, "emu": 1, "jay": 1, "owl": 5})
    assert len(load(str(folder)).test) == 2
    folder = write_folder({"auk": 5, "emu": 1, "jay": 1}, name="few")
    refused(r"^2 of the 3 classes of few have less than two images, one to train on and", folder)


def test_names_of_roles() -> None:
    assert folder_role("train_station") is folder_role("test tube") is folder_role("") is None
    assert folder_role("VALIDATION") == folder_role("dev-set") == "validation"
    assert word_roles("test-00000-of-00001") == word_roles("myTestSet") == {"test"}
    assert word_roles("contest") == word_roles("0000") == set()
