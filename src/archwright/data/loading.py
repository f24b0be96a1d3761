"""`load`: from a name to images in memory, or to images that stream."""

from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from archwright.data.alike import one_colour, require_different, same
from archwright.data.augment import Augmentation
from archwright.data.decoding import decode
from archwright.data.decoding.decode import EncodedImages
from archwright.data.decoding.pixels import Meaning, meaning, unused_range
from archwright.data.image_sets import MemorySet, StreamedSet
from archwright.data.images import ImageData
from archwright.data.readers import cache, hub, sources
from archwright.data.readers.cache import Decoded
from archwright.data.readers.sources import Source, Splits
from archwright.data.splits import digits_holdout, subset_indices
from archwright.errors import DataError

STREAM_ABOVE_BYTES = 2 * 2**30  # decoded size, as RGB, from which a set streams
_PROBED = 64  # images of a streamed set whose size and mode are looked at
_MEASURED = 2048  # images of a streamed set whose mean and deviation are taken


def load(
    name: str,
    *,
    root: Path | str | None = None,
    image_size: int | None = None,
    limit: int | None = None,
    test_limit: int | None = None,
    background: str | None = None,
    white_level: int | None = None,
) -> ImageData:
    """Load the images that `name` stands for.

    name: a folder or file of that name under `root`, or else under `$ARCHWRIGHT_DATA`; else
        `digits` (bundled with scikit-learn, 8x8), a path to a folder or file, or `cifar10`,
        `cifar100`, `imagenet` or another name on the Hugging Face hub. A folder holds parquet
        files, or a sub-folder of images for each class. Splits are told by their usual names
        (train, val, dev, test, ...), in any case, of folders or in the names of parquet files;
        scored on is the test split, else eval, else the validation. A title may be given in an
        `archwright.json` such as {"title": "My birds"}.
    image_size: pixels that images are resized to, by their shorter side, and centre cropped.
    limit, test_limit: use at most so many training and test images, a fixed random choice.
    background: the colour behind transparent pixels, a name or #rrggbb (else white).
    white_level: the value of white in images of 16 bits (else 65535, and images that all stay
        below a quarter of it are refused).

    Of a set without a test split a fifth of each class is held out, by a fixed permutation. Images
    are grey if all are, and RGB otherwise. What is over STREAM_ABOVE_BYTES decoded is streamed;
    anything else is decoded once, and kept in the cache of decoded images. Raises DataError.
    """
    if image_size is not None and image_size < 1:
        raise DataError(f"an image size of {image_size} is empty: give a number of pixels")
    if not name.strip():
        raise DataError("no images are named: give a folder, a file, or a name such as digits")
    meant = meaning(background, white_level)
    own = sources.under_root(name, root)
    if name == "digits" and not (own and own.exists()):
        return _digits(image_size, limit, test_limit)
    source = sources.find(name, root)
    image_size = image_size or source.image_size
    path = cache.cache_path(source.files, image_size, limit, test_limit, meant)
    decoded = cache.read(path) if source.files else None
    if decoded is None:
        splits = source.open()
        splits = Splits(
            splits.classes,
            _part(splits.train, limit, meant),
            _part(splits.test, test_limit, meant),
        )
        if _decoded_bytes(splits, image_size) > STREAM_ABOVE_BYTES:
            return _streamed(source, splits, image_size, white_level)
        decoded = _decode(splits, image_size)
        if source.files:  # a table kept in memory by `datasets` has nothing to be known by
            cache.write(path, decoded)
    if decoded.unused and white_level is None:
        raise DataError(decoded.unused)
    return _in_memory(
        source.name, source.title, decoded, source.constants, left_out=source.left_out
    )


def _digits(image_size: int | None, limit: int | None, test_limit: int | None) -> ImageData:
    bundle = hub.optional("sklearn.datasets").load_digits()
    if image_size not in (None, 8):
        raise DataError(f"digits are 8x8 images, not {image_size}: leave out --image-size")
    # 17 levels, 0 to 16, over the range of a byte.
    images = torch.from_numpy(bundle.images).mul(255 / 16).round().to(torch.uint8)[:, None]
    labels = torch.from_numpy(bundle.target).long()
    train, test = digits_holdout(len(labels))
    train = train[subset_indices(len(train), limit)]
    test = test[subset_indices(len(test), test_limit)]
    classes = [str(digit) for digit in range(10)]
    decoded = _measured(classes, images[train], labels[train], images[test], labels[test])
    beside = ("the folder digits (give ./digits for it)",) if Path("digits").is_dir() else ()
    return _in_memory(
        *("digits", "scikit-learn digits", decoded),
        left_out=beside,
        # A mirrored digit is another sign.
        augmentation=Augmentation(crop_padding=1),
    )


def _part(images: EncodedImages, limit: int | None, meant: Meaning) -> EncodedImages:
    return replace(images.subset(subset_indices(len(images), limit)), meaning=meant)


def _decoded_bytes(splits: Splits, image_size: int | None) -> int:
    if image_size is None:
        width, height = decode.first_size(splits.train)
        pixels = width * height
    else:
        pixels = image_size**2
    return 3 * pixels * (len(splits.train) + len(splits.test))


def _decode(splits: Splits, image_size: int | None) -> Decoded:
    decoded = decode.decode_all((splits.train, splits.test), image_size)
    train, test = decoded.parts
    if train.shape[2:] != test.shape[2:]:
        raise DataError(
            f"train images are {train.shape[2]} and test images {test.shape[2]} pixels wide: "
            "say what to resize them to with --image-size"
        )
    if all(seen.grey for seen in decoded.seen):
        train, test = train[:, :1].contiguous(), test[:, :1].contiguous()
    labels = splits.train.labels, splits.test.labels
    measured = _measured(list(splits.classes), train, labels[0], test, labels[1])
    return replace(
        measured,
        odd=decode.odd(decoded.seen, splits.train.meaning),
        unused=unused_range(decoded.seen, splits.train.place),
    )


def _measured(
    classes: list[str], train: Tensor, train_labels: Tensor, test: Tensor, test_labels: Tensor
) -> Decoded:
    mean, std = decode.statistics(train)
    return Decoded(classes, train, train_labels, test, test_labels, list(mean), list(std), [], "")


def _in_memory(
    name: str,
    title: str,
    decoded: Decoded,
    constants: sources.Constants | None = None,
    *,
    left_out: tuple[str, ...],
    augmentation: Augmentation | None = None,
) -> ImageData:
    train = MemorySet(decoded.train_images, decoded.train_labels)
    mean, std = tuple(decoded.mean), tuple(decoded.std)
    if constants is not None and train.channels == 3:
        mean, std = constants
    return ImageData(
        name=name,
        title=title,
        classes=tuple(decoded.classes),
        channels=train.channels,
        image_size=train.image_size,
        train=train,
        test=MemorySet(decoded.test_images, decoded.test_labels),
        mean=mean,
        std=std,
        left_out=left_out,
        odd=(*decoded.odd, *_odd(decoded.train_images, name)),
        augmentation=augmentation,
    )


def _streamed(
    source: Source, splits: Splits, image_size: int | None, white_level: int | None
) -> ImageData:
    probed = [_spread(images, _PROBED) for images in (splits.train, splits.test)]
    seen = decode.look(probed)
    unused = unused_range(seen, source.name)
    if unused and white_level is None:
        raise DataError(unused)
    size = image_size or decode.common_size([image.size for image in seen], source.name)
    channels = 1 if all(image.grey for image in seen) else 3
    train = StreamedSet(splits.train, image_size=size, channels=channels)
    (few,) = decode.decode_all([probed[0]], size).parts
    if source.constants is not None and channels == 3:
        mean, std = source.constants
    else:
        (sample,) = decode.decode_all([_spread(splits.train, _MEASURED)], size).parts
        mean, std = decode.statistics(sample[:, :channels])
    return ImageData(
        name=source.name,
        title=source.title,
        classes=splits.classes,
        channels=channels,
        image_size=size,
        train=train,
        test=StreamedSet(splits.test, image_size=size, channels=channels),
        mean=mean,
        std=std,
        left_out=source.left_out,
        odd=(
            *decode.odd(seen, splits.train.meaning),
            *_odd(few, source.name, sample=True),
        ),
    )


def _odd(images: Tensor, name: str, *, sample: bool = False) -> tuple[str, ...]:
    """Return unusual properties of training images, uint8 [N, C, H, W], in words; refuse equal
    ones.
    """
    require_different(images, name)
    if same(images):
        return (f"all {len(images):,} training images are the same picture",)
    flat = one_colour(images)
    which = "training images looked at" if sample else "training images"
    return (f"{flat:,} of {len(images):,} {which} are of one colour",) if flat else ()


def _spread(images: EncodedImages, count: int) -> EncodedImages:
    return images.subset(subset_indices(len(images), min(count, len(images))))
