"""Read the pixels of an image file: upright, in 8 bits, or one reason why not."""

import io
import warnings
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

from archwright.data.decoding.orientation import read_orientation, upright
from archwright.data.decoding.pixels import ImageError, Meaning, Seen, to_pixels
from archwright.errors import silenced

if TYPE_CHECKING:
    from PIL.Image import Image

SUFFIXES = frozenset(
    {
        *(".jpg", ".jpeg", ".jpe", ".jfif", ".jp2", ".j2k", ".png", ".apng", ".gif", ".webp"),
        *(".avif", ".heic", ".heif", ".hif", ".tif", ".tiff", ".bmp", ".dib", ".ico", ".tga"),
        *(".pgm", ".ppm", ".pbm", ".pnm", ".pfm", ".pcx", ".qoi"),
    }
)
"""Suffixes of image files, in lower case. The format is determined by the bytes alone."""

_NOT_PIXELS = frozenset({"BUFR", "EPS", "GRIB", "HDF5", "MPEG", "WMF"})
"""Formats of Pillow that another program would have to draw, or that it knows by name only."""
_HEIF_BRANDS = frozenset(
    {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1"}
)
_MARGIN = 2  # a JPEG is decoded at least this much larger than asked for, and then resized


def read_image(content: bytes, meant: Meaning, side: int | None = None) -> "tuple[Image, Seen]":
    """Return the image in a file, of mode L or RGB, and its observed properties.

    Of several frames or pages it is the first. With a `side` in pixels, an image whose shorter side
    is a multiple of that may be returned smaller; its `Seen` has the true size. Raises ImageError.
    The call must be inside `without_warnings`.
    """
    from PIL import Image

    if not content:
        raise ImageError("is an empty file")
    if _is_heif(content) and not reads_heif():
        raise ImageError(
            "is a HEIC image, which needs the extra 'heif'",
            "pip install pillow-heif, or store it as JPEG",
        )
    try:
        image = Image.open(io.BytesIO(content), formats=_formats())
        frames = image.format != "MPO" and getattr(image, "is_animated", False)
        orientation, (width, height) = read_orientation(image), image.size
        if side is not None:
            image.draft(None, (_MARGIN * side, _MARGIN * side))
        image, seen = to_pixels(image, meant)
    except (ImageError, MemoryError):
        raise
    except Image.DecompressionBombError as error:
        most = 2 * (Image.MAX_IMAGE_PIXELS or 0)
        raise ImageError(f"has over {most} pixels", "make it smaller or remove it") from error
    # Each of Pillow's forty formats is a parser of its own, and fails in its own way.
    except Exception as error:
        raise ImageError("is not a readable image") from error
    size = (height, width) if orientation >= 5 else (width, height)
    return upright(image, orientation), replace(seen, size=size, frames=frames)


@contextmanager
def without_warnings() -> Generator[None]:
    """Suppress Pillow's warnings about oddities that this module handles.

    These are unreadable tags (only the orientation matters), palettes with transparency, and sizes
    that Pillow still decodes. Faults that change pixels are errors, and stay errors. Filters belong
    to the process: enter this context once, before threads are started.
    """
    with warnings.catch_warnings(), silenced("PIL"):
        warnings.simplefilter("ignore")
        yield


def _formats() -> tuple[str, ...]:
    from PIL import Image

    Image.preinit()  # the usual formats are tried first
    Image.init()
    return tuple(name for name in Image.ID if name not in _NOT_PIXELS)


@cache
def reads_heif() -> bool:
    """Teach Pillow to read HEIF; return whether this is possible."""
    try:
        import pillow_heif
    except ImportError:
        return False
    pillow_heif.register_heif_opener()
    return True


def _is_heif(content: bytes) -> bool:
    """Return whether a file is of the family of HEIC, and not of AVIF, which Pillow reads by
    itself.
    """
    brands = content[8 : int.from_bytes(content[:4])]
    return content[4:8] == b"ftyp" and brands[:4] in _HEIF_BRANDS and b"avif" not in brands
