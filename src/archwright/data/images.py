"""A data set as the rest of the package sees it."""

from dataclasses import dataclass
from hashlib import blake2b

from archwright.data.augment import Augmentation
from archwright.data.sets import ImageSet, StreamedSet
from archwright.errors import DataError


@dataclass(frozen=True, kw_only=True)
class ImageData:
    """Training and test images of the same classes, channels and size.

    mean, std: one number a channel, in 0..1, of the training images loaded.
    odd: what the owner of the images may not expect of them, each in words.
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
    odd: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if len(self.classes) < 2:
            only = f"only one class, {self.classes[0]!r}" if self.classes else "no classes"
            raise DataError(f"{self.name} holds {only}: at least two are needed")

    @property
    def fingerprint(self) -> str:
        """Twelve hexadecimal digits, the same on every machine for the same data."""
        header = (self.classes, self.channels, self.image_size, len(self.train), len(self.test))
        digest = blake2b(repr(header).encode(), digest_size=6)
        for images in (self.train, self.test):
            digest.update(images.labels.numpy().astype("<i8").tobytes())
        return digest.hexdigest()


def default_augmentation(data: ImageData) -> Augmentation:
    """The usual augmentation of a data set: of training images, without cutout.

    Digits are shifted by a pixel and never mirrored, since a mirrored digit is another sign.
    Streamed sets take random resized crops and flips, all others flips and shifts of an eighth
    of the image, which is the usual 4 pixels for CIFAR.
    """
    if data.name == "digits":
        return Augmentation(crop_padding=1)
    if isinstance(data.train, StreamedSet):
        return Augmentation(resized_crop=True, flip=True)
    return Augmentation(crop_padding=max(1, data.image_size // 8), flip=True)
