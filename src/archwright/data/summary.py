"""Summary of images that is printed before they are used."""

from typing import Any

from archwright.data.image_sets import ImageSet
from archwright.data.images import ImageData
from archwright.data.readers.folders import some_of

_CLASSES = 10  # classes that the line names
_MODES = {1: "grey", 3: "RGB"}


def summary(data: ImageData) -> str:
    """Return one line: the classes, the images of each split, size and mode, and unusual or unused
    ones.
    """
    parts = [
        f"{data.title}: {len(data.classes):,} classes ({some_of(data.classes, _CLASSES)})",
        f"{len(data.train):,} training and {len(data.test):,} test images, "
        f"{data.image_size}x{data.image_size} {_MODES.get(data.channels, data.channels)}",
        *remarks(data),
        *([f"left out: {', '.join(data.left_out)}"] if data.left_out else []),
    ]
    return "; ".join(" ".join(part.split()) for part in parts)


def remarks(data: ImageData) -> tuple[str, ...]:
    """Return unusual properties of the images: single-coloured ones, classes without an image of a
    split.
    """
    missing = [
        f"no {split} image of {some_of(names)}"
        for split, images in (("training", data.train), ("test", data.test))
        if (names := _without(data, images))
    ]
    return (*data.odd, *missing)


def about(data: ImageData) -> dict[str, Any]:
    """Return the summary for machines, with the line."""
    return {
        "line": summary(data),
        "title": data.title,
        "classes": list(data.classes),
        "train_images": len(data.train),
        "test_images": len(data.test),
        "image_size": data.image_size,
        "image_channels": data.channels,
        "remarks": list(remarks(data)),
        "left_out": list(data.left_out),
    }


def _without(data: ImageData, images: ImageSet) -> list[str]:
    """Return the classes without an image."""
    counts = images.labels.flatten().bincount(minlength=len(data.classes)).tolist()
    return [name for name, count in zip(data.classes, counts, strict=False) if not count]
