"""What a file says of itself comes back as it went in, or is refused in one line."""

import pytest

from archwright.backends import ModelCard
from archwright.errors import RunError
from archwright.graph import Shape

CARD = ModelCard(
    architecture="|a~0|",
    space="nasbench201",
    channels=16,
    cells=5,
    classes=("cat", "d\u00f6g"),
    image_channels=3,
    image_size=32,
    mean=(0.1, 0.2, 1 / 3),
    std=(1.0, 2.0, 3.0),
)


def test_a_card_comes_back_as_it_was() -> None:
    assert ModelCard.from_metadata({**CARD.to_metadata(), "more": "ignored"}, "a.onnx") == CARD
    assert CARD.image == Shape(3, 32, 32)


@pytest.mark.parametrize("name", list(CARD.to_metadata()))
def test_a_field_that_is_missing_or_damaged(name: str) -> None:
    metadata = CARD.to_metadata()
    line = rf"a\.onnx does not say its {name}: it was not written by archwright export"
    for damaged in ({n: t for n, t in metadata.items() if n != name}, {**metadata, name: "[1,"}):
        with pytest.raises(RunError, match=line):
            ModelCard.from_metadata(damaged, "a.onnx")


@pytest.mark.parametrize(
    ("name", "text", "shown"),
    [
        ("channels", '"16"', "'16'"),
        ("classes", "3", "3"),
        ("classes", "[1, 2]", r"\[1, 2\]"),
        ("mean", '["a"]', r"\['a'\]"),
        ("weights", '"int4"', "'int4'"),
        ("data", "null", "None"),
    ],
)
def test_a_field_of_another_type(name: str, text: str, shown: str) -> None:
    with pytest.raises(
        RunError, match=rf"^a\.onnx is damaged: its {name} is {shown}; export it again$"
    ):
        ModelCard.from_metadata({**CARD.to_metadata(), name: text}, "a.onnx")


def test_a_field_that_is_no_text() -> None:
    with pytest.raises(RunError, match=r"a\.onnx does not say its cells: "):
        ModelCard.from_metadata({**CARD.to_metadata(), "cells": 5}, "a.onnx")  # pyright: ignore
