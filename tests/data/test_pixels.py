"""What pixels mean: each mode, transparency, more than 8 bits, profiles, orientation, frames."""

import io
import struct
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms

from archwright.data import load, loading
from archwright.data.decoding.pixels import (
    ImageError,
    Meaning,
    Seen,
    meaning,
    to_pixels,
    unused_range,
)
from archwright.data.readers import reading
from archwright.data.readers.reading import read_image, without_warnings
from archwright.errors import DataError

WHITE = (255, 255, 255)


def saved(image: Image.Image, form: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def seen(content: bytes, **meant: Any) -> tuple[Any, Seen]:
    """Pixels as nested lists and what was seen, with any warning an error."""
    image, facts = read_image(content, Meaning(**meant))
    assert image.mode == ("L" if facts.grey else "RGB")
    return np.asarray(image).tolist(), facts


def png(depth: int, kind: int, row: bytes, width: int, transparent: bytes) -> bytes:
    """A PNG of one row, which Pillow cannot write."""

    def chunk(name: bytes, data: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(name + data))
        return struct.pack(">I", len(data)) + name + data + check

    header = struct.pack(">IIBBBBB", width, 1, depth, kind, 0, 0, 0)
    parts = (b"IHDR", header), (b"tRNS", transparent), (b"IDAT", zlib.compress(b"\0" + row))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in (*parts, (b"IEND", b"")))


def in_mode(mode: str) -> Image.Image:
    """One pixel of (200, 100, 50), or of its grey where the mode has no colours."""
    image = Image.new("RGB", (1, 1), (200, 100, 50))
    if mode in ("La", "RGBa"):
        return image.convert({"La": "LA", "RGBa": "RGBA"}[mode]).convert(mode)
    if mode.startswith("I"):
        return Image.fromarray(np.array([[124 << 8]], np.int32)).convert("I;16").convert(mode)
    if mode == "F":
        return Image.new(mode, (1, 1), 124 / 255)
    if mode == "1":
        return Image.new(mode, (1, 1), 1)
    return image.convert(mode)


@pytest.mark.parametrize("mode", Image.MODES)
def test_each_mode_of_pillow_keeps_its_meaning(mode: str) -> None:
    if mode in ("I;16L", "I;16B", "I;16N"):
        image = Image.frombytes(mode, (1, 1), b"\x7c\0" if mode.endswith("B") else b"\0\x7c")
    else:
        image = in_mode(mode)
    flat, facts = to_pixels(image, Meaning())
    (pixel,) = np.asarray(flat).reshape(1, -1).tolist()
    if mode == "1":
        assert pixel == [255]
    elif facts.grey:
        assert pixel == [124]
    else:
        # The web palette of P and PA has steps of 51.
        assert np.abs(np.array(pixel) - (200, 100, 50)).max() <= (4 if mode in ("P", "PA") else 1)
    assert not facts.transparent


def test_a_mode_without_known_colours_is_refused(monkeypatch: Any) -> None:
    image = Image.new("RGB", (1, 1))
    monkeypatch.setattr(image, "_mode", "XYZ")
    with pytest.raises(
        ImageError, match=r"^is an image of the mode XYZ, whose .*: store it as RGB"
    ):
        to_pixels(image, Meaning())


def icon(mode: str) -> Image.Image:
    """A black pixel that is seen, and one that is not."""
    image = Image.new("RGBA", (2, 1), (0, 0, 0, 0))
    image.putpixel((0, 0), (0, 0, 0, 255))
    return image.convert(mode)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "PA"])
@pytest.mark.parametrize(("background", "red"), [(WHITE, 255), ((9, 8, 7), 9)])
def test_what_is_transparent_shows_the_background(mode: str, background: Any, red: int) -> None:
    image, facts = to_pixels(icon(mode), Meaning(background=background))
    assert facts.transparent
    assert facts.grey == (mode == "LA" and background == WHITE)
    assert np.asarray(image.convert("RGB"))[0, :, 0].tolist() == [0, red]


@pytest.mark.parametrize("transparency", [1, b"\xff\x00"])
def test_transparency_of_a_palette(transparency: Any, recwarn: Any) -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([0, 0, 0, 10, 20, 30])
    image.putpixel((1, 0), 1)
    pixels, facts = seen(saved(image, "PNG", transparency=transparency))
    assert (pixels, facts.transparent) == ([[[0, 0, 0], [255, 255, 255]]], True)
    pixels, facts = seen(saved(image, "GIF", transparency=1))
    assert (pixels, facts.transparent) == ([[[0, 0, 0], [255, 255, 255]]], True)
    assert not recwarn.list


@pytest.mark.parametrize(
    ("depth", "kind", "row", "key", "expected"),
    [
        (1, 0, b"\x40", struct.pack(">H", 1), [[0, 9]]),
        (2, 0, b"\x60", struct.pack(">H", 2), [[85, 9]]),
        (4, 0, b"\x3a", struct.pack(">H", 10), [[51, 9]]),
        (8, 0, b"\x03\xc8", struct.pack(">H", 200), [[3, 9]]),
        (16, 0, b"\xf0\x00\xf0\x01", struct.pack(">H", 0xF001), [[240, 9]]),
        (8, 2, bytes([1, 2, 3, 4, 5, 6]), struct.pack(">HHH", 4, 5, 6), [[[1, 2, 3], [9, 9, 9]]]),
    ],
)
def test_a_value_of_a_png_that_is_transparent(
    depth: int, kind: int, row: bytes, key: bytes, expected: Any
) -> None:
    pixels, facts = seen(png(depth, kind, row, 2, key), background=(9, 9, 9))
    assert (pixels, facts.transparent) == (expected, True)


def test_half_transparent_pixels_are_mixed() -> None:
    image = Image.new("RGBA", (1, 1), (0, 100, 200, 51))
    assert seen(saved(image, "PNG"))[0] == [[[204, 224, 244]]]


def test_cmyk_as_inks_and_by_profile(monkeypatch: Any) -> None:
    red = Image.new("CMYK", (8, 8), (0, 255, 255, 0))
    for form in ("TIFF", "JPEG"):  # Adobe's JPEG holds the inverse, as Pillow writes it, too
        (pixel, *_), *_ = seen(saved(red, form))[0]
        assert np.abs(np.array(pixel) - (255, 0, 0)).max() <= 3
    asked: list[Any] = []

    def convert(image: Any, *profiles: Any, outputMode: str) -> Any:
        asked.append(outputMode)
        return Image.new(outputMode, image.size, (1, 2, 3))

    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    with monkeypatch.context() as patch:
        patch.setattr(ImageCms, "profileToProfile", convert)
        assert seen(saved(red, "TIFF", icc_profile=srgb))[0][0][0] == [1, 2, 3]
    assert asked == ["RGB"]
    # Of a profile of other colours, or a damaged one, no use can be made.
    for profile in (srgb, b"no profile"):
        assert seen(saved(red, "TIFF", icc_profile=profile))[0][0][0] == [255, 0, 0]


def deep(*values: Any, kind: Any = np.uint16) -> Image.Image:
    return Image.fromarray(np.atleast_2d(np.array(values, kind)))


def test_white_of_16_bits_is_what_is_asked_for() -> None:
    content = saved(deep(0, 16, 2048, 4095), "TIFF")
    assert seen(content, white_level=4095)[0] == [[0, 1, 128, 255]]
    pixels, facts = seen(content)
    assert (pixels, facts.peak) == ([[0, 0, 8, 15]], 4095)
    assert seen(saved(deep(0, 65535, kind=np.int32), "TIFF"))[0] == [[0, 255]]


def test_a_tiff_of_16_bits_whose_zero_is_white() -> None:
    content = saved(deep(0, 65535), "TIFF", tiffinfo={262: 0})
    assert seen(content)[0] == [[255, 0]]


def test_a_pgm_says_its_white() -> None:
    pixels, facts = seen(b"P5 2 1 4095\n" + struct.pack(">HH", 4095, 2048))
    assert (pixels, facts.peak) == ([[255, 128]], None)
    assert seen(b"P5 2 1 4095\n" + struct.pack(">HH", 4095, 0), white_level=1023)[0] == [[255, 0]]


@pytest.mark.parametrize(
    ("image", "meant", "match"),
    [
        (deep(-5, 3, kind=np.int32), {}, r"down to -5, .*: store 8 bits, or 16 bits of 0 to 65535"),
        (deep(70000, 3, kind=np.int32), {}, r"up to 70000, where white is 65535: store 8 bits"),
        (deep(5000), {"white_level": 4095}, r"5000, where white is 4095: give --white-level 5000"),
        (deep(0, 300, kind=np.float32), {}, r"floating-point values of 0 to 300, whose white"),
        (deep(-1, 0, kind=np.float32), {}, r"values of -1 to 0, whose white .*: store 0 to 1"),
    ],
)
def test_values_without_a_known_white_are_refused(image: Any, meant: Any, match: str) -> None:
    with pytest.raises(ImageError, match=match):
        read_image(saved(image, "TIFF"), Meaning(**meant))


def test_floats_are_zero_to_one_and_numbers() -> None:
    assert seen(saved(Image.fromarray(np.array([[0, 0.5, 1]], np.float32)), "TIFF"))[0] == [
        [0, 128, 255]
    ]
    with pytest.raises(ImageError, match="floating-point values of nan to nan"):
        read_image(saved(Image.new("F", (1, 1), float("nan")), "TIFF"), Meaning())


@pytest.mark.parametrize(
    ("peak", "bits"), [(200, 8), (255, 8), (256, 10), (4095, 12), (4096, 14), (16383, 14)]
)
def test_a_set_that_leaves_most_of_16_bits_unused_is_refused(peak: int, bits: int) -> None:
    images = [Seen((1, 1), True, peak=5), Seen((1, 1), True, peak=peak), Seen((1, 1), True)]
    assert unused_range(images, "x") == (
        f"the 16-bit images of x reach {peak} of 65535, as those of {bits} bits do: give "
        f"--white-level {2**bits - 1}, or --white-level 65535 if they are that dark"
    )
    assert not unused_range([*images, Seen((1, 1), True, peak=16384)], "x")
    assert not unused_range([Seen((1, 1), True, peak=0)], "x")


@pytest.mark.parametrize("stream", [False, True])
def test_twelve_bits_need_their_white(write_folder: Any, monkeypatch: Any, stream: bool) -> None:
    folder = str(write_folder({"auk": 5, "owl": 5}, draw=lambda k: deep(*[[k, 4095 - k]] * 2)))
    if stream:
        monkeypatch.setattr(loading, "STREAM_ABOVE_BYTES", 10)
    for _ in range(2):  # also from the cache
        with pytest.raises(DataError, match=r"reach 4095 of 65535, as those of 12 bits do: give "):
            load(folder)
    assert load(folder, white_level=65535).mean[0] < 0.1
    with pytest.raises(DataError, match="as those of 12 bits do"):
        load(folder)
    assert load(folder, white_level=4095).mean[0] > 0.4


def test_colours_of_16_bits_of_which_the_upper_are_empty(tmp_path: Path) -> None:
    row = struct.pack(">HHHHHH", 4095, 0, 100, 3000, 2000, 1000)
    content = png(16, 2, row, 2, struct.pack(">HHH", 1, 1, 1))
    for name in ("auk/0.png", "auk/1.png", "owl/0.png", "owl/1.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    match = r"reach 4095 of 65535, and of 16-bit colours only the upper 8 bits are read: store them"
    with pytest.raises(DataError, match=match):
        load(str(tmp_path), image_size=2)
    assert load(str(tmp_path), image_size=2, white_level=65535).channels == 3


def test_options_of_meaning() -> None:
    assert meaning("black").background == (0, 0, 0)
    assert meaning("#ff8000", 4095) == Meaning((255, 128, 0), 4095)
    for colour in ("whit", "#ffffff00", ""):
        with pytest.raises(DataError, match=rf"^'{colour}' is no colour to put images on: give a"):
            meaning(colour)
    for white in (0, 65536):
        with pytest.raises(DataError, match=rf"^a white level of {white} is no value of 16 bits"):
            meaning(None, white)


def exif(*entries: bytes, order: str = "<") -> bytes:
    start = {"<": b"II*\0", ">": b"MM\0*"}[order] + struct.pack(f"{order}I", 8)
    count = struct.pack(f"{order}H", len(entries))
    return b"Exif\0\0" + start + count + b"".join(entries) + b"\0" * 4


def turned(value: int, order: str = "<") -> bytes:
    return struct.pack(f"{order}HHIHH", 0x0112, 3, 1, value, 0)


SIGNED_WIDTH = struct.pack("<HHIi", 0x0100, 9, 1, -5)


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize(
    ("tags", "corner"),
    [
        (exif(turned(6)), (1, 0)),  # turned by 90 degrees: what was left above is right above
        (exif(turned(6), SIGNED_WIDTH), (1, 0)),
        (exif(SIGNED_WIDTH, turned(3)), (1, 1)),
        (exif(turned(8, ">"), order=">"), (0, 1)),
        (exif(turned(2)), (1, 0)),
        (exif(turned(9)), (0, 0)),
        (exif(turned(6))[:20], (0, 0)),
        (exif(struct.pack("<HHIf", 0x0112, 11, 1, 6)), (0, 0)),
        (b"Exif\0\0II*\0\xff\xff\xff\xff", (0, 0)),
        (b"Exif\0\0neither", (0, 0)),
    ],
)
def test_orientation_is_read_and_nothing_else_of_exif(
    form: str, tags: bytes, corner: tuple[int, int]
) -> None:
    image = Image.new("RGB", (32, 16))
    image.paste(WHITE, (0, 0, 16, 8))
    with without_warnings():
        upright, facts = read_image(saved(image, form, exif=tags), Meaning())
    assert upright.size == facts.size
    x, y = ((upright.width - 1) * corner[0], (upright.height - 1) * corner[1])
    pixel: Any = upright.getpixel((x, y))
    assert min(pixel) > 200


def test_frames_are_said_and_the_first_is_taken(write_folder: Callable[..., Path]) -> None:
    first, second = (Image.new("L", (6, 6), level) for level in (40, 200))
    folder = write_folder({"auk": 5, "owl": 5})
    for form, name in (("GIF", "a.gif"), ("PNG", "b.png"), ("TIFF", "c.tif"), ("WEBP", "d.webp")):
        content = saved(first, form, save_all=True, append_images=[second])
        pixels, facts = seen(content)
        assert facts.frames
        assert np.abs(np.array(pixels) - 40).max() <= 3
        (folder / "auk" / name).write_bytes(content)
    odd = load(str(folder), image_size=6).odd
    assert odd[0] == "4 of 14 images have several frames, of which the first is taken"


def test_transparent_images_are_said_also_from_the_cache(write_folder: Any) -> None:
    folder = write_folder({"auk": 5, "owl": 5}, draw=lambda _: icon("RGBA").resize((6, 6)))
    for _ in range(2):
        data = load(str(folder), background="red")
        assert data.odd[0] == "10 of 10 images are transparent, and put on #ff0000"
        assert load(str(folder)).mean[1] > data.mean[1]


def test_heic_with_and_without_its_reader(monkeypatch: Any) -> None:
    import pillow_heif

    image = Image.new("RGB", (64, 64), (200, 100, 50))
    buffer = io.BytesIO()
    pillow_heif.from_pillow(image).save(buffer, quality=90)
    (pixel, *_), *_ = seen(buffer.getvalue())[0]
    assert np.abs(np.array(pixel) - (200, 100, 50)).max() <= 4
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    reading.reads_heif.cache_clear()
    match = r"^is a HEIC image, which needs the extra 'heif': pip install pillow-heif, or store it"
    with pytest.raises(ImageError, match=match):
        read_image(buffer.getvalue(), Meaning())
    reading.reads_heif.cache_clear()
    assert seen(saved(image, "AVIF"))[1].size == (64, 64)
    reading.reads_heif.cache_clear()


def test_a_file_is_what_it_holds_and_programs_are_not_run() -> None:
    with pytest.raises(ImageError, match=r"^is not a readable image: replace or remove it$"):
        read_image(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\n", Meaning())
    with pytest.raises(ImageError, match=r"^is an empty file: "):
        read_image(b"", Meaning())


def test_sizes_of_which_pillow_warns_and_of_which_it_does_not(
    monkeypatch: Any, recwarn: Any
) -> None:
    content = saved(Image.new("L", (10, 10)), "PNG")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 60)
    with without_warnings():
        assert read_image(content, Meaning())[1].size == (10, 10)
    assert not recwarn.list
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 40)
    with pytest.raises(ImageError, match=r"^has over 80 pixels: make it smaller or remove it$"):
        read_image(content, Meaning())
