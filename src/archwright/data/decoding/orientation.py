"""Orientation of an image: the one EXIF tag that matters to pixels.

Pillow's own reader reads all tags or none, and fails on tags that cameras write incorrectly. This
module looks up one entry, and ignores content that cannot be read.
"""

import re
import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image

_TAG = 0x0112
_LAYOUTS = {1: "B", 3: "H", 4: "I"}  # TIFF's types of whole numbers
_XMP = re.compile(rb'tiff:Orientation(?:="|>)([1-8])')


def upright(image: "Image", orientation: int) -> "Image":
    """Return the image turned upright by the `orientation` of its file, 1 to 8 (EXIF 2.3)."""
    from PIL.Image import Transpose

    turn = {
        2: Transpose.FLIP_LEFT_RIGHT,
        3: Transpose.ROTATE_180,
        4: Transpose.FLIP_TOP_BOTTOM,
        5: Transpose.TRANSPOSE,
        6: Transpose.ROTATE_270,
        7: Transpose.TRANSVERSE,
        8: Transpose.ROTATE_90,
    }.get(orientation)
    return image if turn is None else image.transpose(turn)


def read_orientation(image: "Image") -> int:
    """Return the orientation in the file of an opened image, 1 to 8; 1 if it cannot be read.

    Pillow turns TIFF by itself while it loads the pixels.
    """
    if image.format == "TIFF":
        return 1
    exif = image.info.get("exif") or _in_text(image.info.get("Raw profile type exif"))
    found = _in_exif(exif) if isinstance(exif, bytes) else None
    return found or _in_xmp(image.info.get("xmp") or image.info.get("XML:com.adobe.xmp")) or 1


def _in_exif(exif: bytes) -> int | None:
    """Return the tag of the first directory of EXIF, which is laid out as a TIFF file."""
    tiff = exif.removeprefix(b"Exif\0\0")
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2])
    if order is None:
        return None
    try:
        (start,) = struct.unpack_from(f"{order}I", tiff, 4)
        (count,) = struct.unpack_from(f"{order}H", tiff, start)
        for place in range(start + 2, start + 2 + 12 * count, 12):
            tag, kind = struct.unpack_from(f"{order}HH", tiff, place)
            if tag == _TAG and kind in _LAYOUTS:
                (value,) = struct.unpack_from(order + _LAYOUTS[kind], tiff, place + 8)
                return value if 1 <= value <= 8 else None
    except struct.error:  # the directory goes on behind the end
        pass
    return None


def _in_text(profile: object) -> bytes | None:
    """Return EXIF as ImageMagick stores it in the text of a PNG: three lines, then hexadecimal
    digits.
    """
    try:
        return bytes.fromhex("".join(str(profile).split("\n")[3:])) if profile else None
    except ValueError:
        return None


def _in_xmp(xmp: object) -> int | None:
    text = xmp.encode("utf-8", "replace") if isinstance(xmp, str) else xmp
    found = _XMP.search(text) if isinstance(text, bytes) else None
    return int(found[1]) if found else None
