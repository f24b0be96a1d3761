"""Meaning of the pixels of an image: every mode of Pillow becomes 8-bit grey or RGB, or is refused.

An image is grey (mode L) if its file stores one intensity per pixel, and RGB otherwise.
"""

import io
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from archwright.errors import DataError

if TYPE_CHECKING:
    from PIL.Image import Image

BACKGROUND = "white"
WHITE_LEVEL = 2**16 - 1

_DEEP = frozenset({"I", "I;16", "I;16B", "I;16L", "I;16N"})
_PLAIN = frozenset({"L", "LA", "RGB", "RGBA", "RGBX"})
_COLOURS = frozenset({"RGB", "RGBX", "YCbCr", "LAB", "HSV", "P"})
_SCALES = {"L;2": 85, "L;4": 17}
_LEAST_USED = 2**14


class ImageError(Exception):
    """Image without usable pixels: the fault and the remedy."""

    def __init__(self, fact: str, remedy: str = "replace or remove it") -> None:
        super().__init__(f"{fact}: {remedy}")
        self.fact, self.remedy = fact, remedy


@dataclass(frozen=True)
class Meaning:
    """Interpretation of pixels that their file leaves open.

    background: the colour behind what is transparent, red, green and blue of 0 to 255.
    white_level: the value of white in images of more than 8 bits.
    """

    background: tuple[int, int, int] = (255, 255, 255)
    white_level: int = WHITE_LEVEL


@dataclass(frozen=True)
class Seen:
    """Observed properties of an image that was decoded.

    size: width and height, upright, in pixels.
    grey: whether it stores one intensity a pixel, rather than a colour.
    transparent: whether something of the background shows.
    frames: whether there are more frames or pages than the one that was taken.
    peak: its highest value, of 16 bits; None where it holds no more than 8 bits, or its file says
        which value is white.
    rounded: whether only the upper 8 of its 16 bits could be read.
    """

    size: tuple[int, int]
    grey: bool
    transparent: bool = False
    frames: bool = False
    peak: int | None = None
    rounded: bool = False


def meaning(background: str | None = None, white_level: int | None = None) -> Meaning:
    """Return the pixel meaning of the options: a colour by name or as #rrggbb, and the value of
    white.

    Raises DataError for a colour that is unknown or itself transparent, or a white below 1.
    """
    white_level = WHITE_LEVEL if white_level is None else white_level
    if not 1 <= white_level <= WHITE_LEVEL:
        raise DataError(
            f"a white level of {white_level} is no value of 16 bits: give 1 to {WHITE_LEVEL}"
        )
    if background in (None, BACKGROUND):
        return Meaning(white_level=white_level)
    from PIL import ImageColor

    try:
        colour = ImageColor.getrgb(background)
    except ValueError:
        colour = ()
    if len(colour) != 3:
        raise DataError(
            f"{background!r} is no colour to put images on: give a name such as black, or #rrggbb"
        )
    return Meaning(colour, white_level)


def to_pixels(image: "Image", meant: Meaning) -> "tuple[Image, Seen]":
    """Return the opened `image` as it should look, of mode L or RGB, and its observed properties.

    Raises ImageError where its values have no known white, or its mode no known colours; and
    whatever Pillow raises where the file is damaged.
    """
    # What the file stores, of which the mode of Pillow tells only half; gone once it is loaded.
    raw_mode, zero_is_white = _raw_mode(image), getattr(image, "tag_v2", {}).get(262) == 0
    image.load()
    peak, rounded = None, False
    if image.mode in _DEEP:
        white = _declared_white(image, raw_mode)
        values = np.asarray(image)
        peak = int(values.max()) if white is None else None
        alpha = _alpha_of_value(image, values)
        # Pillow itself inverts only what has up to 8 bits.
        levels = _levels(values, white or meant.white_level)
        flat = _grey(~levels if zero_is_white else levels)
    elif image.mode == "F":
        flat, alpha = _grey(_float_levels(np.asarray(image))), None
    else:
        rounded = ";16" in raw_mode
        flat, alpha = _in_eight_bits(image, raw_mode)
        if rounded and image.mode in _PLAIN:
            peak = max(high for _, high in _extrema(flat)) << 8 | 255
    flat, transparent = _on_background(flat, alpha, meant.background)
    grey = flat.mode == "L"
    return flat, Seen(flat.size, grey, transparent=transparent, peak=peak, rounded=rounded)


def unused_range(images: Iterable[Seen], place: str) -> str:
    """Return why images of 16 bits are refused without a white level; "" if they are not.

    All of them stay below a quarter of white: they contain fewer bits, of which few levels would be
    left, or are very dark.
    """
    deep = [seen for seen in images if seen.peak is not None]
    highest = max((seen.peak or 0 for seen in deep), default=0)
    if not 0 < highest < _LEAST_USED:
        return ""
    fact = f"the 16-bit images of {place} reach {highest} of {WHITE_LEVEL}"
    dark = f"--white-level {WHITE_LEVEL} if they are that dark"
    if any(seen.rounded for seen in deep):
        return (
            f"{fact}, and of 16-bit colours only the upper 8 bits are read: store them in 8 bits, "
            f"or give {dark}"
        )
    bits = next(bits for bits in (8, 10, 12, 14) if highest < 2**bits)
    return f"{fact}, as those of {bits} bits do: give --white-level {2**bits - 1}, or {dark}"


def _raw_mode(image: "Image") -> str:
    """Return how an opened file stores its pixels, by Pillow's name of the decoder's mode."""
    for tile in getattr(image, "tile", ()):
        arguments = tile[3] if isinstance(tile[3], tuple) else (tile[3],)
        if arguments and isinstance(arguments[0], str):
            return arguments[0]
    return image.mode


def _declared_white(image: "Image", raw_mode: str) -> int | None:
    """Return the value of white in a file of more than 8 bits that declares it."""
    if image.format == "PPM":
        return WHITE_LEVEL  # Pillow has scaled by the header's value
    return 2**12 - 1 if raw_mode == "I;12" else None


def _levels(values: "np.ndarray[Any, Any]", white: int) -> "np.ndarray[Any, Any]":
    """Return integers of 0 to `white` as uint8: 256 steps of equal width."""
    low, high = int(values.min()), int(values.max())
    if low < 0:
        raise ImageError(
            f"holds values down to {low}, of which none is known to be black",
            f"store 8 bits, or 16 bits of 0 to {WHITE_LEVEL}",
        )
    if high > white:
        raise ImageError(
            f"holds values of up to {high}, where white is {white}",
            f"give --white-level {high} or more"
            if high <= WHITE_LEVEL
            else f"store 8 bits, or 16 bits of 0 to {WHITE_LEVEL}",
        )
    return (values.astype(np.uint32) * 256 // (white + 1)).astype(np.uint8)


def _float_levels(values: "np.ndarray[Any, Any]") -> "np.ndarray[Any, Any]":
    """Return numbers of 0 to 1 as uint8."""
    low, high = float(values.min()), float(values.max())
    if not (low >= 0 and high <= 1):  # nor is what is not a number
        raise ImageError(
            f"holds floating-point values of {low:g} to {high:g}, whose white is not known",
            "store 0 to 1, or whole numbers of 8 or 16 bits",
        )
    return np.rint(values * np.float32(255)).astype(np.uint8)


def _alpha_of_value(image: "Image", values: "np.ndarray[Any, Any]") -> "Image | None":
    """Return where a 16-bit PNG is transparent: at one of its values."""
    key = image.info.get("transparency")
    if not isinstance(key, int):
        return None
    return _grey(np.where(values == key, 0, 255).astype(np.uint8))


def _in_eight_bits(image: "Image", raw_mode: str) -> "tuple[Image, Image | None]":
    """Return an image of 8 bits per channel as L or RGB, and its alpha, of mode L, if it has
    one.
    """
    if image.has_transparency_data:
        return _apart(image, raw_mode)
    if image.mode in ("1", "L"):
        return image.convert("L"), None
    if image.mode == "CMYK":
        return _from_cmyk(image), None
    if image.mode in _COLOURS:
        return image.convert("RGB"), None
    raise ImageError(
        f"is an image of the mode {image.mode}, whose colours are not known",
        "store it as RGB or grey",
    )


def _apart(image: "Image", raw_mode: str) -> "tuple[Image, Image]":
    """Return the colours and the alpha of an image that has one in any form."""
    _scale_transparency(image, raw_mode)
    if image.mode == "1":
        image = image.convert("L")
    # Pillow reads grey of 16 bits with alpha as RGBA.
    grey = image.mode in ("L", "LA", "La") or raw_mode.startswith("LA;16")
    image = image.convert("LA" if grey else "RGBA")
    return image.convert("L" if grey else "RGB"), image.getchannel("A")


def _scale_transparency(image: "Image", raw_mode: str) -> None:
    """Bring the transparent value of a PNG to 8 bits, as Pillow brings the pixels."""
    value = image.info.get("transparency")
    if isinstance(value, int) and raw_mode in _SCALES:
        image.info["transparency"] = value * _SCALES[raw_mode]
    elif isinstance(value, tuple) and ";16" in raw_mode:
        image.info["transparency"] = tuple(part >> 8 for part in value)


def _from_cmyk(image: "Image") -> "Image":
    """Return the colours by the image's profile; without a usable one, those of ideal inks.

    Pillow has undone the inversion of Adobe's JPEG.
    """
    from PIL import ImageCms

    profile = image.info.get("icc_profile")
    if profile:
        try:
            inks = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            screen = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
            seen = ImageCms.profileToProfile(image, inks, screen, outputMode="RGB")
        except (ImageCms.PyCMSError, OSError):
            seen = None  # damaged, or of other colours: as if there were none
        if seen is not None:
            return seen
    return image.convert("RGB")


def _on_background(
    image: "Image", alpha: "Image | None", background: tuple[int, int, int]
) -> "tuple[Image, bool]":
    """Return the image on the background, and whether the background is visible anywhere."""
    from PIL import Image

    if alpha is None or _extrema(alpha)[0][0] == 255:
        return image, False
    red, green, blue = background
    if image.mode == "L" and red == green == blue:
        canvas = Image.new("L", image.size, red)
    else:
        canvas, image = Image.new("RGB", image.size, background), image.convert("RGB")
    canvas.paste(image, mask=alpha)
    return canvas, True


def _grey(levels: "np.ndarray[Any, Any]") -> "Image":
    """uint8 [H, W] as an image."""
    from PIL import Image

    return Image.fromarray(levels)


def _extrema(image: "Image") -> list[tuple[int, int]]:
    """Return the lowest and the highest value of each channel of an 8-bit image."""
    return [channel.getextrema() for channel in image.split()]  # pyright: ignore
