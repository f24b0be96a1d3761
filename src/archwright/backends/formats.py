"""The formats that there are, by name."""

from pathlib import Path
from typing import Literal

from archwright.errors import ConfigError

Format = Literal["onnx", "torch", "executorch"]
Weights = Literal["float32", "int8"]

SUFFIXES: dict[str, str] = {"onnx": ".onnx", "torch": ".pt2", "executorch": ".pte"}
"""How the name of a file of each format ends."""

WEIGHT_BYTES = {"float32": 4, "int8": 1}
"""Bytes of a weight."""


def check_format(form: Format, weights: Weights, out: Path) -> None:
    """Check that a file of the format has such weights, and that it is named after it.

    Raises:
        ConfigError: it has not, or it is not (the flag is named).
    """
    if weights != "float32" and form != "onnx":
        raise ConfigError(f"--weights {weights} is a matter of ONNX: give --format onnx with it")
    if out.suffix != SUFFIXES[form]:
        raise ConfigError(
            f"--out {out} must end in {SUFFIXES[form]}, as files of --format {form} do"
        )
    if out.is_dir():
        raise ConfigError(f"--out {out} is a folder: name a file in it")
