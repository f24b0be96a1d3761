import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from archwright.data import Augmentation, ImageData, MemorySet, default_augmentation, load
from archwright.data.decoding import decode
from archwright.data.readers import cache, hub
from archwright.errors import DataError


def pixels(data: ImageData, split: str = "train") -> torch.Tensor:
    images = getattr(data, split)
    assert isinstance(images, MemorySet)
    return images.images


def test_digits() -> None:
    data = load("digits")
    assert (data.name, data.title, data.channels, data.image_size) == (
        "digits",
        "scikit-learn digits",
        1,
        8,
    )
    assert data.classes == tuple("0123456789")
    assert (len(data.train), len(data.test)) == (1438, 359)
    assert pixels(data).dtype == torch.uint8
    assert (int(pixels(data).min()), int(pixels(data).max())) == (0, 255)
    assert data.fingerprint == load("digits").fingerprint == "8dc547ad4707"
    assert torch.bincount(data.test.labels, minlength=10).min() > 20
    as_float = pixels(data).double() / 255
    assert data.mean[0] == pytest.approx(float(as_float.mean()))
    assert data.std[0] == pytest.approx(float(as_float.std(correction=0)))


def test_a_folder_of_classes_is_split_80_to_20(write_folder: Callable[..., Path]) -> None:
    data = load(str(write_folder({"owl": 12, "auk": 8})))
    assert data.classes == ("auk", "owl")
    assert (data.name, data.title) == ("birds", "birds")
    assert (len(data.train), len(data.test), data.channels, data.image_size) == (16, 4, 3, 6)
    # Owls were written first: their red is below 12. Each image is in one split, with its label.
    both = torch.cat([pixels(data), pixels(data, "test")])
    labels = torch.cat([data.train.labels, data.test.labels])
    red = both[:, 0, 0, 0].long()
    assert red.sort().values.equal(torch.arange(20))
    assert labels.equal((red < 12).long())
    assert both[:, 1, 3, 3].long().equal(2 * red)


@pytest.mark.parametrize("test", ["test", "val"])
def test_a_folder_of_splits(write_folder: Callable[..., Path], test: str) -> None:
    write_folder({"train/auk": 3, "train/owl": 3, f"{test}/auk": 1, f"{test}/owl": 1})
    data = load(str(write_folder({"train/.hidden": 1})))
    assert (len(data.train), len(data.test)) == (6, 2)
    assert data.classes == ("auk", "owl")


@pytest.mark.parametrize("features", [True, False])
def test_parquet_with_and_without_metadata(
    write_parquet: Callable[..., Path], features: bool
) -> None:
    folder = write_parquet("small/train.parquet", features=features).parent
    write_parquet("small/test.parquet", features=features)
    data = load(str(folder))
    assert data.classes == (("cat", "dog") if features else ("0", "1"))
    assert (len(data.train), len(data.test)) == (10, 10)
    assert pixels(data)[:, 0, 0, 0].tolist() == list(range(10))
    assert data.train.labels.tolist() == [0, 1] * 5


def test_shards_are_read_in_order_and_validation_serves_as_test(
    write_parquet: Callable[..., Path],
) -> None:
    for shard in ("train-00000-of-00002", "train-00001-of-00002", "validation-00000-of-00001"):
        folder = write_parquet(f"shards/data/{shard}.parquet").parent.parent
    data = load(str(folder))
    assert pixels(data)[:, 0, 0, 0].tolist() == [*range(10), *range(10)]
    assert len(data.test) == 10


def test_a_single_parquet_file_is_split(write_parquet: Callable[..., Path]) -> None:
    data = load(str(write_parquet("pets.parquet")))
    assert (data.name, len(data.train), len(data.test)) == ("pets", 8, 2)


def test_labels_may_be_words_and_fine_labels_win(
    write_parquet: Callable[..., Path], encoded: Callable[..., Any]
) -> None:
    path = write_parquet(
        "words.parquet",
        features=False,
        image=[encoded(index)["bytes"] for index in range(6)],
        coarse_label=[0] * 6,
        fine_label=["rose", "elm", "rose", "oak", "elm", "oak"],
    )
    data = load(str(path))
    assert data.classes == ("elm", "oak", "rose")


def test_names_are_looked_for_under_the_root(
    write_folder: Callable[..., Path], monkeypatch: Any
) -> None:
    folder = write_folder({"auk": 5, "owl": 5}, name="cifar10")
    assert load("cifar10", root=folder.parent).classes == ("auk", "owl")
    monkeypatch.setenv("ARCHWRIGHT_DATA", str(folder.parent))
    data = load("cifar10")
    assert (data.name, data.title) == ("cifar10", "cifar10")
    (folder / "archwright.json").write_text(json.dumps({"title": "CIFAR-10 (JPEG)"}))
    assert load("cifar10").title == "CIFAR-10 (JPEG)"


def test_a_folder_of_digits_under_the_root_wins_over_the_embedded_ones(
    write_folder: Callable[..., Path], monkeypatch: Any
) -> None:
    folder = write_folder({"auk": 5, "owl": 5}, name="digits")
    data = load("digits", root=folder.parent)
    assert data.classes == ("auk", "owl")
    assert default_augmentation(data).flip
    assert len(load("digits", root=folder).classes) == 10  # there is none below
    monkeypatch.setenv("ARCHWRIGHT_DATA", str(folder.parent))
    assert load("digits").classes == ("auk", "owl")
    monkeypatch.delenv("ARCHWRIGHT_DATA")
    monkeypatch.chdir(folder.parent)
    assert load("digits").left_out == ("the folder digits (give ./digits for it)",)
    assert load("./digits").classes == ("auk", "owl")


def test_limits_keep_the_rest_whole(write_folder: Callable[..., Path]) -> None:
    folder = str(write_folder({"auk": 50, "owl": 50}))
    whole, few = load(folder), load(folder, limit=10)
    assert (len(few.train), len(few.test)) == (10, 20)
    assert pixels(few, "test").equal(pixels(whole, "test"))
    kept = set(pixels(few)[:, 0, 0, 0].tolist())
    assert kept < set(pixels(whole)[:, 0, 0, 0].tolist())
    assert len(load(folder, test_limit=3).test) == 3
    assert few.fingerprint != whole.fingerprint


def test_images_are_resized_by_their_shorter_side_and_centred(tmp_path: Path) -> None:
    for name in ("auk", "owl"):
        (tmp_path / "wide" / name).mkdir(parents=True)
        for index in range(3):
            # Black sides, white square in the middle.
            image = Image.new("RGB", (16, 8))
            image.paste((255, 255, 255), (4, 0, 12, 8))
            image.save(tmp_path / "wide" / name / f"{index}.png")
    data = load(str(tmp_path / "wide"), image_size=4)
    assert data.image_size == 4
    # Some of the black beside the square bleeds into it, as it does in any resizing.
    assert int(pixels(data).min()) > 200


@pytest.mark.parametrize(
    ("modes", "channels"),
    [(["L"], 1), (["1", "L", "LA"], 1), (["L", "RGB"], 3), (["RGBA", "P", "L"], 3)],
)
def test_channels_are_grey_only_if_all_are(
    write_folder: Callable[..., Path],
    picture: Callable[..., Any],
    modes: list[str],
    channels: int,
) -> None:
    def mixed(index: int) -> Any:
        return picture(index, mode=modes[index % len(modes)])

    data = load(str(write_folder({"auk": 6, "owl": 6}, draw=mixed)))
    assert data.channels == channels
    assert pixels(data).shape[1] == pixels(data, "test").shape[1] == channels
    assert len(data.mean) == len(data.std) == channels


def test_sixteen_bit_grey_is_scaled_and_not_clipped(write_folder: Callable[..., Path]) -> None:
    def deep(index: int) -> Any:
        return Image.new("I;16", (4, 4), 256 * 25 * index + 255)

    data = load(str(write_folder({"auk": 5, "owl": 5}, draw=deep)))
    assert data.channels == 1
    both = torch.cat([pixels(data), pixels(data, "test")])
    assert sorted(both[:, 0, 0, 0].tolist()) == list(range(0, 250, 25))


def test_a_photo_stands_upright(tmp_path: Path) -> None:
    image = Image.new("RGB", (4, 4))
    image.paste((255, 255, 255), (0, 0, 4, 2))
    exif = Image.Exif()
    exif[0x0112] = 3  # upside down
    for name in ("auk", "owl"):
        (tmp_path / name).mkdir()
        for index in range(2):
            image.save(tmp_path / name / f"{index}.png", exif=exif)
    data = load(str(tmp_path))
    assert pixels(data)[0, 0, :, 0].tolist() == [0, 0, 255, 255]


def test_what_was_decoded_once_is_not_decoded_again(
    write_folder: Callable[..., Path], monkeypatch: Any
) -> None:
    folder = write_folder({"auk": 5, "owl": 5})
    first = load(str(folder))

    def never(*_: Any) -> Any:
        raise AssertionError("decoded twice")

    with monkeypatch.context() as patch:
        patch.setattr(decode, "decode_all", never)
        patch.setattr(hub, "optional", never)
        again = load(str(folder))
        with pytest.raises(AssertionError):
            load(str(folder), image_size=3)
    assert again.fingerprint == first.fingerprint
    assert pixels(again).equal(pixels(first))
    assert (again.mean, again.std, again.classes) == (first.mean, first.std, first.classes)
    # A file that changes is decoded again, even if it is as long as before.
    for file in (folder / "auk").iterdir():
        before = file.stat()
        Image.new("RGB", (6, 6), (200, 0, 0)).save(file)
        file.write_bytes(file.read_bytes().ljust(before.st_size, b"\0"))
        assert file.stat().st_size == before.st_size
        os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns + 1_000_000))
    assert int(pixels(load(str(folder)))[:, 0].max()) == 200


def test_a_broken_or_unwritable_cache_is_done_without(
    write_folder: Callable[..., Path], monkeypatch: Any, tmp_path: Path
) -> None:
    folder = str(write_folder({"auk": 5, "owl": 5}))
    monkeypatch.setenv("ARCHWRIGHT_CACHE", str(tmp_path / "cache"))
    first = load(folder)
    (file,) = (tmp_path / "cache").rglob("*.pt")
    for content in (b"", b"not a checkpoint", file.read_bytes()[:500]):
        file.write_bytes(content)
        assert cache.read(file) is None
        assert pixels(load(folder)).equal(pixels(first))
    shutil.rmtree(tmp_path / "cache")
    (tmp_path / "cache").write_text("a file where the folder should be")
    assert pixels(load(folder)).equal(pixels(first))


def test_the_fingerprint_sees_labels_classes_and_size(memory_set: MemorySet) -> None:
    def data(**changes: Any) -> ImageData:
        values: dict[str, Any] = {
            "name": "x",
            "title": "x",
            "classes": ("a", "b"),
            "channels": 3,
            "image_size": 12,
            "train": memory_set,
            "test": memory_set,
            "mean": (0.5,) * 3,
            "std": (0.5,) * 3,
        }
        return ImageData(**(values | changes))

    shuffled = memory_set.subset(torch.arange(49, -1, -1))
    fingerprints = {
        images.fingerprint
        for images in (
            data(),
            data(classes=("a", "c")),
            data(train=shuffled),
            data(test=shuffled),
            data(image_size=16),
        )
    }
    assert len(fingerprints) == 5
    assert data(name="y", mean=(0.1,) * 3).fingerprint == data().fingerprint


def test_default_augmentation(write_folder: Callable[..., Path]) -> None:
    assert default_augmentation(load("digits")) == Augmentation(crop_padding=1)
    folder = str(write_folder({"auk": 5, "owl": 5}))
    resized = load(folder, image_size=32)
    assert default_augmentation(resized) == Augmentation(crop_padding=4, flip=True)


def test_tables_without_files_are_not_mistaken_for_one_another(
    monkeypatch: Any, encoded: Callable[..., Any]
) -> None:
    import datasets

    def load_dataset(name: str) -> Any:
        count = 10 if name == "a/b" else 20
        kinds = datasets.Features(
            {"img": datasets.Image(), "label": datasets.ClassLabel(names=["cat", "dog"])}
        )
        columns = {
            "img": [encoded(index) for index in range(count)],
            "label": [0, 1] * (count // 2),
        }
        return {"train": datasets.Dataset.from_dict(columns, features=kinds)}

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    assert (len(load("a/b").train), len(load("c/d").train)) == (8, 16)


class TestHub:
    """`datasets.load_dataset` replaced: what the hub would give."""

    @pytest.fixture
    def serve(self, monkeypatch: Any, encoded: Callable[..., Any]) -> Callable[..., list[str]]:
        import datasets

        def serve(**splits: list[int]) -> list[str]:
            asked: list[str] = []
            kinds = datasets.Features(
                {
                    "img": datasets.Image(),
                    "fine_label": datasets.ClassLabel(names=["oak", "elm"]),
                    "coarse_label": datasets.ClassLabel(names=["tree"]),
                }
            )

            def load_dataset(name: str) -> Any:
                asked.append(name)
                return {
                    split: datasets.Dataset.from_dict(
                        {
                            "img": [encoded(index) for index in range(len(labels))],
                            "fine_label": labels,
                            "coarse_label": [0] * len(labels),
                        },
                        features=kinds,
                    )
                    for split, labels in splits.items()
                }

            monkeypatch.setattr(datasets, "load_dataset", load_dataset)
            return asked

        return serve

    def test_known_names_have_a_repository_and_a_title(self, serve: Any) -> None:
        asked = serve(train=[0, 1, 1], test=[0, 1])
        data = load("cifar100")
        assert asked == ["uoft-cs/cifar100"]
        assert (data.name, data.title, data.classes) == ("cifar100", "CIFAR-100", ("oak", "elm"))
        assert data.train.labels.tolist() == [0, 1, 1]

    def test_imagenet_has_its_size_and_constants(self, serve: Any) -> None:
        serve(train=[0, 1, 1], validation=[0, 1], test=[-1, -1, -1])
        data = load("imagenet")
        assert (data.image_size, data.mean) == (224, (0.485, 0.456, 0.406))
        # The test labels are hidden.
        assert data.test.labels.tolist() == [0, 1]

    def test_any_other_name_is_asked_for_as_it_is(self, serve: Any) -> None:
        asked = serve(train=[0, 1] * 5)
        data = load("someone/trees")
        assert asked == ["someone/trees"]
        assert (len(data.train), len(data.test)) == (8, 2)

    def test_a_split_without_images(self, serve: Any) -> None:
        serve(train=[0, 1], test=[])
        with pytest.raises(DataError, match=r"^someone/trees test holds no images: add some"):
            load("someone/trees")

    def test_a_train_split_is_needed(self, serve: Any) -> None:
        serve(extra=[0, 1])
        with pytest.raises(DataError, match=r"^someone/trees has no train split, only extra$"):
            load("someone/trees")
