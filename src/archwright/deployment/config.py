"""Configurations of an export and of an evaluation."""

from dataclasses import dataclass
from pathlib import Path

from archwright.backends.formats import Weights
from archwright.backends.registry import Format, check_format, get_backend
from archwright.engine.options import (
    Precision,
    require_kinds,
    require_positive,
    require_threads,
    require_unused,
)


@dataclass(frozen=True, kw_only=True)
class ExportConfig:
    """Export the network of a run to a file that other programs run, checked against torch."""

    run: Path
    """Run folder of a search, a training or a pruning, or a checkpoint in it."""
    out: Path
    """File to write, with the suffix of its format (.onnx for onnx)."""
    format: Format = "onnx"
    """Format of the file."""
    weights: Weights = "float32"
    """Type of weights and features; int8 quantises them after training, if the format has int8."""
    data: str | None = None
    """Images for the calibration and the score of int8 (else those of the run)."""
    data_root: Path | None = None
    """Folder in which a data set is searched by name before the hub (else that of the run, or
    $ARCHWRIGHT_DATA)."""
    calibration: int = 512
    """Number of training images from which int8 takes the range of each feature."""
    space: str | None = None
    """Python file of the space of the run, if it is your own."""
    test_limit: int | None = None
    """Number of test images, a fixed sample, for the score of int8 (else that of the run)."""
    batch_size: int = 1
    """Batch size of the latency measurement."""
    threads: int = 1
    """Number of threads of the latency measurement."""
    repeats: int = 100
    """Number of latency measurements; the result is their median."""

    def __post_init__(self) -> None:
        """Check each option, and the options against the limits of the format.

        Raises:
            ConfigError: an option is out of range or not for the format (the flag is named).
        """
        require_kinds(self)
        check_format(self.format, self.weights, self.out)
        require_positive(self, "calibration", "test_limit", "batch_size", "repeats")
        require_threads(self)
        if self.weights == "float32":
            scored = ("data", "calibration", "test_limit")
            require_unused(self, *scored, beside="--weights float32")
        get_backend(self.format).require_threads(self.threads)


@dataclass(frozen=True, kw_only=True)
class EvaluateConfig:
    """Score a run, a checkpoint or an exported file on test images."""

    file: Path
    """Run folder, checkpoint, or exported file."""
    data: str | None = None
    """Images (else those of the training of the network, with its limit)."""
    data_root: Path | None = None
    """Folder in which a data set is searched by name before the hub (else that of the run, or
    $ARCHWRIGHT_DATA)."""
    test_limit: int | None = None
    """Number of test images, a fixed sample (else that of the run)."""
    space: str | None = None
    """Python file of the space of the run, if it is your own."""
    device: str = "auto"
    """auto, cpu, cuda or cuda:1; with auto, exported files run on the CPU."""
    precision: Precision | None = None
    """32-true, or bf16-mixed for autocast (else that of the run); not for exported files."""

    def __post_init__(self) -> None:
        """Check each option.

        Raises:
            ConfigError: an option is out of range (its flag is named).
        """
        require_kinds(self)
        require_positive(self, "test_limit")
