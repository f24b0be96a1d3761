"""Each message that a user can meet is one line with the fact and the remedy."""

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from archwright.data import ImageData, MemorySet, load
from archwright.data.readers import hub
from archwright.errors import DataError


def refused(match: str, name: str | Path, **options: Any) -> None:
    with pytest.raises(DataError, match=match) as caught:
        load(str(name), **options)
    assert "\n" not in str(caught.value)


def test_an_unknown_name() -> None:
    refused(
        r"^unknown data set 'cifar11': did you mean 'cifar10'\? known are .*hub name", "cifar11"
    )


def test_the_hub_out_of_reach(tmp_path: Path) -> None:
    remedy = r"check the name and the network, or give a folder$"
    refused(rf"^cannot load uoft-cs/cifar10 from the Hugging Face hub \(.*{remedy}", "cifar10")
    refused(rf"^cannot load some/one from the Hugging Face hub \(.*{remedy}", "some/one")
    refused(rf"and \S*cifar10 does not exist: {remedy}", "cifar10", root=tmp_path)


def test_no_name_at_all() -> None:
    refused(r"^no images are named: give a folder, a file, or a name such as digits$", "")


@pytest.mark.parametrize("name", ["/no/such/folder", "./none", "~/nothing/here", "a/b/c"])
def test_a_path_that_does_not_exist(name: str) -> None:
    refused(rf"^{name} does not exist: give a folder, a parquet file or a hub name$", name)


@pytest.mark.parametrize("name", ["nest/birdz", "nest/birds.zip", "birds.parquet", "nest\\birds"])
def test_a_path_that_is_mistyped_is_not_asked_for(
    write_folder: Callable[..., Path], monkeypatch: Any, name: str
) -> None:
    def never(*_: Any, **__: Any) -> Any:
        raise AssertionError("the hub was asked")

    monkeypatch.setattr(hub, "from_hub", never)
    folder = write_folder({"auk": 5, "owl": 5}, name="nest/birds")
    monkeypatch.chdir(folder.parents[1])
    hint = r"(did you mean nest/birds\? )?give a folder, a parquet file or a hub name$"
    refused(rf"^{re.escape(name)} does not exist: {hint}", name)
    refused(r"^nest/birdz does not exist: did you mean nest/birds\? give a", "nest/birdz")


def test_a_hub_that_does_not_answer_is_asked_once(monkeypatch: Any) -> None:
    import datasets
    import datasets.config
    import huggingface_hub

    asked: list[bool] = []

    class Silent:
        def dataset_info(self, name: str, *, timeout: float) -> None:
            raise OSError(f"no route for {name} in {timeout:g} s")

    def load_dataset(name: str) -> Any:
        asked.append(datasets.config.HF_HUB_OFFLINE and huggingface_hub.constants.HF_HUB_OFFLINE)
        raise ValueError(f"{name} is not kept here")

    monkeypatch.setattr(huggingface_hub, "HfApi", Silent)
    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", False)
    refused(r"^cannot load some/one from the .* hub \(no route for some/one in 5 s\): ", "some/one")
    assert asked == [True]
    assert datasets.config.HF_HUB_OFFLINE is False


def test_a_folder_without_classes(tmp_path: Path) -> None:
    refused(r"holds no parquet file and no classes: give each class a sub-folder", tmp_path)
    (tmp_path / "empty").mkdir()
    refused(r"holds no parquet file and no classes: give each class a sub-folder", tmp_path)


def test_a_folder_with_one_class(write_folder: Callable[..., Path]) -> None:
    refused(
        r"^birds holds only one class, 'auk': at least two are needed$", write_folder({"auk": 5})
    )


def test_a_single_image(write_parquet: Callable[..., Path], encoded: Callable[..., Any]) -> None:
    path = write_parquet("one.parquet", img=[encoded(0)], label=[0])
    refused(r"^one holds a single image: none would be left for the test$", path)


def test_a_corrupt_file(write_folder: Callable[..., Path]) -> None:
    folder = write_folder({"auk": 5, "owl": 5})
    whole = (folder / "owl" / "002.png").read_bytes()
    for content in (b"not an image", whole[:50]):
        (folder / "owl" / "002.png").write_bytes(content)
        refused(r"^\S*owl/002.png is not a readable image: replace or remove it$", folder)
    (folder / "owl" / "002.png").write_bytes(b"")
    refused(r"^\S*owl/002.png is an empty file: replace or remove it$", folder)


def test_a_link_that_leads_nowhere(write_folder: Callable[..., Path]) -> None:
    folder = write_folder({"auk": 5, "owl": 5})
    (folder / "owl" / "009.png").symlink_to(folder / "gone.png")
    refused(r"owl/009.png cannot be read \(No such file or directory\): replace or remove", folder)


def test_a_corrupt_row(write_parquet: Callable[..., Path], encoded: Callable[..., Any]) -> None:
    cells = [encoded(index) for index in range(10)]
    cells[7]["bytes"] = b"\x89PNG broken"
    path = write_parquet("broken.parquet", img=cells, label=[0, 1] * 5)
    refused(r"^picture7.png \(row 7 of \S*broken.parquet\) is not a readable image", path)
    cells[7] = None
    path = write_parquet("missing.parquet", img=cells, label=[0, 1] * 5)
    refused(r"^row 7 of \S*missing.parquet holds no image: remove it$", path)


def test_a_corrupt_parquet_file(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "train.parquet").write_bytes(b"PAR1 not really")
    refused(r"train.parquet gives no rows \(.*\): replace or remove it$", tmp_path)
    assert capfd.readouterr().err == ""


def test_a_parquet_folder_without_training_images(write_parquet: Callable[..., Path]) -> None:
    folder = write_parquet("half/test.parquet").parent
    refused(r"half holds test.parquet but no train\*.parquet: add it$", folder)


def test_a_split_without_images(write_parquet: Callable[..., Path]) -> None:
    folder = write_parquet("part/train.parquet").parent
    write_parquet("part/test.parquet", img=[], label=[])
    refused(r"test.parquet holds no images: add some or remove it$", folder)


def test_columns_that_cannot_be_told(
    write_parquet: Callable[..., Path], encoded: Callable[..., Any]
) -> None:
    cells = [encoded(index) for index in range(4)]
    path = write_parquet("a.parquet", features=False, img=cells, answer=[0, 1, 0, 1])
    refused(r"a.parquet has no label column among img, answer: name the one to use 'label'$", path)
    path = write_parquet("b.parquet", features=False, size=[1, 2], label=[0, 1])
    refused(r"b.parquet has no image column among size, label: name the one to use 'image'$", path)
    path = write_parquet("c.parquet", features=False, left=cells, right=cells, label=[0, 1, 0, 1])
    refused(r"c.parquet has 2 image columns among left, right, label", path)


def test_labels_that_are_missing_or_out_of_range(
    write_parquet: Callable[..., Path], encoded: Callable[..., Any]
) -> None:
    cells = [encoded(index) for index in range(4)]
    path = write_parquet("a.parquet", img=cells, label=[0, None, 0, 1])
    refused(r"^row 1 of \S*a.parquet has no label: remove it$", path)
    path = write_parquet("id.parquet", features=False, img=cells, label=[0, 10**12, 0, 1])
    refused(r"id.parquet has the label 1000000000000: labels must be texts, or 0 to N-1", path)
    path = write_parquet("b.parquet", features=False, img=cells, label=[0, 1, -1, 1])
    refused(r"b.parquet holds label -1, outside its 2 classes: labels are 0 to 1$", path)


def test_train_and_test_with_other_classes(write_folder: Callable[..., Path]) -> None:
    folder = write_folder({"train/auk": 2, "train/owl": 2, "test/auk": 1, "test/emu": 1})
    refused(
        r"^train and test of birds have different classes \(2 and 2; 'emu' differs\): give both",
        folder,
    )


def test_sizes_that_differ(write_folder: Callable[..., Path], picture: Callable[..., Any]) -> None:
    def draw(index: int) -> Any:
        return picture(index, size=(6, 6) if index < 9 else (8, 5))

    folder = write_folder({"auk": 5, "owl": 5}, draw=draw)
    refused(
        r"differ in size \(6x6 and 8x5\): say what to resize them to with --image-size$", folder
    )
    assert load(str(folder), image_size=5).image_size == 5


def test_sizes_of_the_splits_that_differ(
    write_folder: Callable[..., Path], picture: Callable[..., Any]
) -> None:
    def draw(index: int) -> Any:
        return picture(index, size=(6, 6) if index < 4 else (8, 8))

    counts = {"train/auk": 2, "train/owl": 2, "test/auk": 1, "test/owl": 1}
    folder = write_folder(counts, draw=draw)
    refused(r"^train images are 6 and test images 8 pixels wide: .*--image-size$", folder)


def test_images_that_are_not_square(
    write_folder: Callable[..., Path], picture: Callable[..., Any]
) -> None:
    folder = write_folder({"auk": 5, "owl": 5}, draw=lambda index: picture(index, size=(8, 5)))
    refused(r"are 8x5, not square: say what to resize them to with --image-size$", folder)


@pytest.mark.parametrize("content", ["no json", "[]", '{"name": "x"}'])
def test_a_title_file_that_cannot_be_read(write_folder: Callable[..., Path], content: str) -> None:
    folder = write_folder({"auk": 5, "owl": 5})
    (folder / "archwright.json").write_text(content)
    refused(r"archwright.json (is not JSON|gives no title): write \{\"title\": ", folder)


def test_sizes_and_limits_that_leave_nothing(write_folder: Callable[..., Path]) -> None:
    folder = write_folder({"auk": 5, "owl": 5})
    refused(r"^an image size of 0 is empty: give a number of pixels$", folder, image_size=0)
    refused(r"^a limit of 0 images leaves none: give at least 1$", folder, limit=0)
    refused(r"^digits are 8x8 images, not 32: leave out --image-size$", "digits", image_size=32)


@pytest.mark.parametrize("name", ["cifar10", "folder"])
def test_the_extra_that_is_not_installed(
    write_folder: Callable[..., Path], monkeypatch: Any, name: str
) -> None:
    folder = write_folder({"auk": 5, "owl": 5})
    monkeypatch.setitem(sys.modules, "datasets", None)
    refused(
        r"^datasets is not installed: pip install datasets to load images$",
        name if name == "cifar10" else folder,
    )


def test_no_classes_at_all() -> None:
    images = MemorySet(torch.zeros(1, 1, 2, 2, dtype=torch.uint8), torch.zeros(1))
    with pytest.raises(DataError, match=r"^x holds no classes: at least two are needed$"):
        ImageData(
            name="x",
            title="x",
            classes=(),
            channels=1,
            image_size=2,
            train=images,
            test=images,
            mean=(0.0,),
            std=(1.0,),
        )
