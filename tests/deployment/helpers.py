"""Run folders that are changed, and folders of images."""

import shutil
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from archwright.engine.runs.folder import RunFolder


def images(folder: Path, classes: list[str], mode: str = "L") -> Path:
    for number, name in enumerate(classes):
        (folder / name).mkdir(parents=True)
        for shade in range(5):
            colour = 10 * number + shade
            image = Image.new(mode, (8, 8), colour if mode == "L" else (colour, 0, 9))
            image.save(folder / name / f"{shade}.png")
    return folder


def copy(run: Path, out: Path) -> RunFolder:
    shutil.copytree(run, out)
    return RunFolder(out)


def changed(run: Path, out: Path, **held: Any) -> Path:
    """The last checkpoint of a copy of the run, which holds something else."""
    path = copy(run, out).checkpoint("last")
    torch.save({**torch.load(path, weights_only=True), **held}, path)
    return path
