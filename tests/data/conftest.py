"""Small sets of images written by the tests, each image recognisable by its colour."""

import io
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from archwright.data import MemorySet


@pytest.fixture(autouse=True)
def _no_shared_caches(tmp_path_factory: pytest.TempPathFactory, monkeypatch: Any) -> None:
    monkeypatch.setenv("ARCHWRIGHT_CACHE", str(tmp_path_factory.mktemp("decoded")))
    monkeypatch.delenv("ARCHWRIGHT_DATA", raising=False)
    import datasets.config

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path_factory.mktemp("hf"))


@pytest.fixture
def memory_set() -> MemorySet:
    """50 random images [3, 12, 12]; the label of each is its index."""
    generator = torch.Generator().manual_seed(1)
    images = torch.randint(0, 256, (50, 3, 12, 12), dtype=torch.uint8, generator=generator)
    return MemorySet(images, torch.arange(50))


def _picture(index: int, size: tuple[int, int] = (6, 6), mode: str = "RGB") -> Image.Image:
    image = Image.new("RGB", size, (index, 2 * index, 255 - index))
    return image.convert(mode)


def _encoded(index: int, **options: Any) -> dict[str, Any]:
    buffer = io.BytesIO()
    _picture(index, **options).save(buffer, "PNG")
    return {"bytes": buffer.getvalue(), "path": f"picture{index}.png"}


@pytest.fixture
def picture() -> Callable[..., Image.Image]:
    """A picture of one colour, (k, 2k, 255 - k) for index k."""
    return _picture


@pytest.fixture
def encoded() -> Callable[..., dict[str, Any]]:
    """The same picture as a cell of a table."""
    return _encoded


@pytest.fixture
def write_folder(tmp_path: Path) -> Callable[..., Path]:
    def write(
        classes: Mapping[str, int], name: str = "birds", draw: Callable[[int], Any] = _picture
    ) -> Path:
        index = 0
        for class_name, count in classes.items():
            folder = tmp_path / name / class_name
            folder.mkdir(parents=True, exist_ok=True)
            for number in range(count):
                draw(index).save(folder / f"{number:03}.png")
                index += 1
        return tmp_path / name

    return write


@pytest.fixture
def write_parquet(tmp_path: Path) -> Callable[..., Path]:
    """Ten images a file; columns may be replaced, and the Hugging Face metadata left out."""

    def write(file: str, *, features: bool = True, **columns: Any) -> Path:
        import datasets
        import pyarrow as pa
        import pyarrow.parquet as pq

        path = tmp_path / file
        path.parent.mkdir(parents=True, exist_ok=True)
        columns = columns or {
            "img": [_encoded(index) for index in range(10)],
            "label": [index % 2 for index in range(10)],
        }
        if features:
            kinds = datasets.Features(
                {"img": datasets.Image(), "label": datasets.ClassLabel(names=["cat", "dog"])}
            )
            datasets.Dataset.from_dict(columns, features=kinds).to_parquet(path)
        else:
            pq.write_table(pa.table(columns), path)
        return path

    return write
