"""The model card of a file is read back as it was written, or refused in one line."""

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
    line = rf"a\.onnx lacks its {name}: it was not written by archwright export"
    for damaged in ({n: t for n, t in metadata.items() if n != name}, {**metadata, name: "[1,"}):
        with pytest.raises(RunError, match=line):
            ModelCard.from_metadata(damaged, "a.onnx")


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("channels", '"16"', "channels: expected int, got str"),
        ("classes", "3", "classes: expected array, got int"),
        ("classes", "[1, 2]", r"classes\[0\]: expected str, got int"),
        ("mean", '["a"]', r"mean\[0\]: expected float, got str"),
        ("mean", "[NaN]", r"mean\[0\] cannot be nan"),
        ("weights", '"int4"', "weights: invalid enum value 'int4'"),
        ("data", "null", "data: expected str, got null"),
    ],
)
def test_a_field_of_another_type(name: str, text: str, problem: str) -> None:
    with pytest.raises(RunError, match=rf"^a\.onnx: {problem}: export it again$"):
        ModelCard.from_metadata({**CARD.to_metadata(), name: text}, "a.onnx")


def test_a_field_that_is_no_text() -> None:
    with pytest.raises(RunError, match=r"a\.onnx lacks its cells: "):
        ModelCard.from_metadata({**CARD.to_metadata(), "cells": 5}, "a.onnx")  # pyright: ignore
