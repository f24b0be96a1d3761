"""Data set, as the rest of the package uses it."""

from dataclasses import dataclass
from hashlib import blake2b

from archwright.data.augment import Augmentation
from archwright.data.image_sets import ImageSet, StreamedSet
from archwright.errors import DataError
from archwright.tasks import CLASSIFICATION, Task


@dataclass(frozen=True, kw_only=True)
class ImageData:
    """Training and test images of the same classes, channels and size.

    left_out, odd: what of the source was left out, and what is odd about the rest, each in words.
    augmentation: the usual one of these very images, where they have one.
    task: what networks are trained to do on them; it says what their targets are.
    mean, std: one number a channel, in 0..1, of the training images loaded.
    fingerprint: changes with the labels, their order, the classes, the channels and the size;
        two runs with the same one saw the same split.

    Raises DataError for less than two classes.
    """

    name: str
    title: str
    classes: tuple[str, ...]
    channels: int
    image_size: int  # pixels, height and width
    train: ImageSet
    test: ImageSet
    mean: tuple[float, ...]
    std: tuple[float, ...]
    left_out: tuple[str, ...] = ()
    odd: tuple[str, ...] = ()
    augmentation: Augmentation | None = None
    task: Task = CLASSIFICATION

    def __post_init__(self) -> None:
        if len(self.classes) < 2:
            only = f"only one class, {self.classes[0]!r}" if self.classes else "no classes"
            raise DataError(f"{self.name} holds {only}: at least two are needed")

    @property
    def fingerprint(self) -> str:
        """Return twelve hexadecimal digits, equal on every machine for equal data."""
        header = (self.classes, self.channels, self.image_size, len(self.train), len(self.test))
        digest = blake2b(repr(header).encode(), digest_size=6)
        for images in (self.train, self.test):
            digest.update(images.labels.numpy().astype("<i8").tobytes())
        return digest.hexdigest()


def default_augmentation(data: ImageData) -> Augmentation:
    """Return the usual augmentation of a data set: of training images, without cutout.

    That of the set itself if it has one, as the embedded digits. Streamed sets use random resized
    crops and flips, all others flips and shifts of an eighth of the image, which is the usual 4
    pixels for CIFAR.
    """
    if data.augmentation is not None:
        return data.augmentation
    if isinstance(data.train, StreamedSet):
        return Augmentation(resized_crop=True, flip=True)
    return Augmentation(crop_padding=max(1, data.image_size // 8), flip=True)
