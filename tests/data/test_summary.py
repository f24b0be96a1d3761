"""What is said of images before anything is done with them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from archwright.data import about, load, summary
from archwright.errors import DataError

Write = Callable[..., Path]


def _noise(index: int) -> Any:
    return Image.fromarray(np.random.default_rng(index).integers(0, 255, (6, 6), dtype=np.uint8))


def test_one_line_says_all(write_folder: Write) -> None:
    folder = write_folder({"auk": 5, "emu": 1, "owl": 10}, draw=_noise)
    (folder / "notes.txt").write_text("x")
    data = load(str(folder))
    assert summary(data) == (
        "birds: 3 classes (auk, emu, owl); 13 training and 3 test images, 6x6 grey; no test image "
        "of emu; left out: 1 file of no known image format (.txt 1)"
    )
    assert load(str(folder)).left_out == data.left_out  # also when it comes from the cache
    told = about(data)
    assert told["line"] == summary(data)
    assert (told["classes"], told["train_images"]) == (["auk", "emu", "owl"], 13)
    assert told["remarks"] == ["no test image of emu"]


def test_many_classes_are_shortened(write_folder: Write) -> None:
    data = load(str(write_folder({f"c{n:02}": 2 for n in range(14)}, draw=_noise)))
    assert ": 14 classes (c00, c01, " in summary(data)
    assert "c09 and 4 more); 14 training" in summary(data)


def test_a_limit_that_loses_a_class_says_so() -> None:
    data = load("digits", limit=3, test_limit=5)
    assert "no training image of" in summary(data)
    assert "no test image of" in summary(data)


def test_a_title_of_several_lines_stays_a_line(write_folder: Write) -> None:
    folder = write_folder({"auk": 5, "owl": 5}, draw=_noise)
    (folder / "archwright.json").write_text('{"title": "My\\nbirds"}')
    assert summary(load(str(folder))).startswith("My birds: 2 classes")


@pytest.mark.parametrize("count", [1, 600])
def test_pixels_that_are_all_alike_are_refused(write_folder: Write, count: int) -> None:
    folder = write_folder({"auk": 5, "owl": 5 * count}, draw=lambda _: Image.new("L", (6, 6), 7))
    with pytest.raises(DataError, match=r"training images of birds are all of one and the same"):
        load(str(folder))


def test_pictures_of_one_colour_are_counted(write_folder: Write) -> None:
    def draw(index: int) -> Any:
        return Image.new("L", (6, 6), index) if index < 5 else _noise(index)

    assert "4 of 8 training images are of one colour" in summary(
        load(str(write_folder({"auk": 5, "owl": 5}, draw=draw)))
    )


def test_the_same_picture_throughout_is_said(write_folder: Write) -> None:
    folder = write_folder({"auk": 5, "owl": 5}, draw=lambda _: _noise(1))
    assert "all 8 training images are the same picture" in summary(load(str(folder)))


def test_a_streamed_set_is_looked_at_too(write_folder: Write, monkeypatch: Any) -> None:
    from archwright.data import loading

    monkeypatch.setattr(loading, "STREAM_ABOVE_BYTES", 1)
    folder = write_folder({"auk": 5, "owl": 5}, draw=lambda _: Image.new("L", (6, 6), 7))
    with pytest.raises(DataError, match=r"are all of one and the same colour: look at the files"):
        load(str(folder))
    folder = write_folder({"auk": 5, "owl": 5}, name="flat")
    (folder / "a.txt").write_text("x")
    data = load(str(folder))
    assert "8 of 8 training images looked at are of one colour" in summary(data)
    assert data.left_out == ("1 file of no known image format (.txt 1)",)
