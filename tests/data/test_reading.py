"""Files as they come: damaged in any way, many of them damaged, and large."""

import io
import random
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from archwright.data import MemorySet, load, loading
from archwright.data.decoding import decode
from archwright.data.decoding.pixels import ImageError, Meaning
from archwright.data.readers.reading import read_image, without_warnings
from archwright.errors import DataError

_NOISE = np.random.default_rng(0).integers(0, 256, (24, 20, 3), dtype=np.uint8)
_PHOTO = Image.fromarray(_NOISE)
_DEEP = Image.fromarray(_NOISE[..., 0].astype(np.uint16) * 257)
_EXIF = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0"

_SAMPLES: dict[str, tuple[Image.Image, str, dict[str, Any]]] = {
    "jpeg": (_PHOTO, "JPEG", {"exif": _EXIF}),
    "jpeg-progressive": (_PHOTO, "JPEG", {"progressive": True}),
    "jpeg-cmyk": (_PHOTO.convert("CMYK"), "JPEG", {}),
    "mpo": (_PHOTO, "MPO", {"save_all": True, "append_images": [_PHOTO]}),
    "png": (_PHOTO.convert("RGBA"), "PNG", {"exif": _EXIF}),
    "png-palette": (_PHOTO.convert("P"), "PNG", {"transparency": bytes(range(256))}),
    "png-deep": (_DEEP, "PNG", {}),
    "apng": (_PHOTO, "PNG", {"save_all": True, "append_images": [_PHOTO.rotate(180)]}),
    "gif": (_PHOTO, "GIF", {"save_all": True, "append_images": [_PHOTO.rotate(180)]}),
    "tiff": (_PHOTO, "TIFF", {"exif": _EXIF[6:]}),
    "tiff-lzw": (_PHOTO, "TIFF", {"compression": "tiff_lzw"}),
    "tiff-deep": (_DEEP, "TIFF", {}),
    "tiff-float": (Image.fromarray(_NOISE[..., 0].astype(np.float32) / 255), "TIFF", {}),
    "tiff-pages": (_PHOTO, "TIFF", {"save_all": True, "append_images": [_PHOTO]}),
    "webp": (_PHOTO.convert("RGBA"), "WEBP", {"exif": _EXIF}),
    "avif": (_PHOTO, "AVIF", {}),
    "heif": (_PHOTO, "HEIF", {}),
    "jpeg2000": (_PHOTO, "JPEG2000", {}),
    "bmp": (_PHOTO, "BMP", {}),
    "ico": (_PHOTO, "ICO", {"sizes": [(20, 24)]}),
    "tga": (_PHOTO, "TGA", {"compression": "tga_rle"}),
    "ppm": (_PHOTO, "PPM", {}),
    "pcx": (_PHOTO, "PCX", {}),
    "qoi": (_PHOTO, "QOI", {}),
}


def _sample(name: str) -> bytes:
    import pillow_heif

    pillow_heif.register_heif_opener()
    image, form, options = _SAMPLES[name]
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def _mutated(content: bytes, chance: random.Random) -> bytes:
    """The content cut, with bytes changed, taken out or put in; most changes are near the head."""
    changed = bytearray(content)
    if chance.random() < 0.2:
        return bytes(changed[: chance.randrange(len(changed))])
    for _ in range(chance.choice((1, 1, 2, 4, 16))):
        reach = len(changed) if chance.random() < 0.4 else min(len(changed), 200)
        place = chance.randrange(reach)
        kind = chance.random()
        if kind < 0.7:
            changed[place] = chance.choice((0, 1, 0x7F, 0x80, 0xFF, chance.randrange(256)))
        elif kind < 0.85:
            del changed[place : place + chance.randrange(1, 9)]
        else:
            changed[place:place] = chance.randbytes(chance.randrange(1, 9))
        if not changed:
            break
    return bytes(changed)


@pytest.mark.parametrize("name", _SAMPLES)
def test_mutated_bytes_give_pixels_or_one_reason(
    name: str, monkeypatch: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    # Headers that promise millions of pixels are refused: no time is spent on empty ones.
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 50_000)
    content, chance, lines = _sample(name), random.Random(name), list[str]()
    with without_warnings():
        whole, _ = read_image(content, Meaning())
        assert sorted(whole.size) == [20, 24]
        for _ in range(60):
            damaged = _mutated(content, chance)
            try:
                image, seen = read_image(damaged, Meaning(), chance.choice((None, 4)))
            except ImageError as error:
                lines.append(str(error))
            else:
                assert image.mode == ("L" if seen.grey else "RGB")
                assert decode.to_tensor(decode.centre_view(image, 4)).shape == (3, 4, 4)
    assert not any("\n" in line for line in lines)
    shown = capfd.readouterr()
    # Of a damaged TIFF libtiff itself says a line, past Python; it goes by this name there.
    said = [line for line in shown.err.splitlines() if not line.startswith("tempfile.tif: ")]
    assert (shown.out, said) == ("", [])
    assert len(lines) >= len(set(shown.err.splitlines()))


def test_all_unusable_images_of_both_splits_are_named(write_folder: Callable[..., Path]) -> None:
    folder = write_folder({"auk": 10, "owl": 10})
    for number in range(7):
        (folder / "auk" / f"{number:03}.png").write_bytes(b"no image")
    with pytest.raises(DataError) as caught:
        load(str(folder))
    message = str(caught.value)
    assert message.startswith("7 of 20 images cannot be used, as each is not a readable image (")
    assert message.endswith("): replace or remove them")
    assert all(f"auk/{number:03}.png" in message for number in range(7))
    for number in range(5):
        (folder / "owl" / f"{number:03}.png").write_bytes(b"")
    with pytest.raises(DataError, match=r"^12 of 20 images cannot be used \(.*, 2 more\): ") as e:
        load(str(folder))
    assert str(e.value).count(".png is ") == 10
    assert "\n" not in str(e.value)
    for file in folder.rglob("*.png"):
        file.write_bytes(b"no image")
    with pytest.raises(DataError, match=r"^16 of 16 images cannot be used"):
        load(str(folder))


def test_a_file_that_may_not_be_read_says_why(
    write_folder: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_folder({"auk": 5, "owl": 5})
    closed, opened = folder / "auk" / "000.png", Path.read_bytes

    def read_bytes(path: Path) -> bytes:  # root may read anything
        if path.name == closed.name and path.parent.name == "auk":
            raise PermissionError(13, "Permission denied")
        return opened(path)

    monkeypatch.setattr(Path, "read_bytes", read_bytes)
    with pytest.raises(DataError, match=r"auk/000.png cannot be read \(Permission denied\): repl"):
        load(str(folder))


@pytest.mark.parametrize("stream", [False, True])
def test_few_images_are_held_at_a_time(
    write_folder: Callable[..., Path], monkeypatch: Any, stream: bool
) -> None:
    folder = write_folder({"auk": 60, "owl": 60})
    alive, most = 0, 0

    def gone() -> None:
        nonlocal alive
        alive -= 1

    def counted(*arguments: Any) -> Any:
        nonlocal alive, most
        image, seen = read_image(*arguments)
        alive += 1
        weakref.finalize(image, gone)
        most = max(most, alive)
        return image, seen

    monkeypatch.setattr(decode, "read_image", counted)
    monkeypatch.setattr(decode.os, "cpu_count", lambda: 1)
    if stream:
        monkeypatch.setattr(loading, "STREAM_ABOVE_BYTES", 100)
    assert load(str(folder), image_size=4).image_size == 4
    assert 1 <= most <= 4


@pytest.mark.parametrize(("turned", "size"), [(b"\x01", (1600, 1200)), (b"\x06", (1200, 1600))])
def test_a_large_jpeg_is_decoded_small_and_looks_the_same(
    turned: bytes, size: tuple[int, int]
) -> None:
    # 6 is the last byte but nine of the EXIF above.
    exif = _EXIF.replace(b"\0\0\0\x06", b"\0\0\0" + turned)
    buffer = io.BytesIO()
    _PHOTO.resize((1600, 1200), Image.Resampling.BICUBIC).save(buffer, "JPEG", exif=exif)
    whole, seen = read_image(buffer.getvalue(), Meaning())
    small, seen_small = read_image(buffer.getvalue(), Meaning(), 32)
    assert whole.size == seen.size == seen_small.size == size
    assert max(small.size) == 200
    views = [decode.to_tensor(decode.centre_view(image, 32)).int() for image in (whole, small)]
    assert (views[0] - views[1]).abs().float().mean() < 2


def test_images_of_the_size_asked_for_keep_every_pixel(tmp_path: Path) -> None:
    for name in ("auk", "owl"):
        (tmp_path / name).mkdir()
        for number in range(3):
            square = Image.fromarray(np.roll(_NOISE[:20], number, 0))
            square.save(tmp_path / name / f"{number}.png")
            square.save(tmp_path / name / f"{number}.jfif", "JPEG")
    expected = sorted(
        np.asarray(Image.open(file)).tobytes()
        for file in tmp_path.rglob("*.*")
        if file.suffix in (".png", ".jfif")
    )
    for size in (None, 20):
        data = load(str(tmp_path), image_size=size)
        assert isinstance(data.train, MemorySet)
        assert isinstance(data.test, MemorySet)
        both = torch.cat([data.train.images, data.test.images]).permute(0, 2, 3, 1).contiguous()
        assert sorted(image.numpy().tobytes() for image in both) == expected
