"""The configurations of an export and of an evaluation."""

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
    """The run folder of a search, a training or a pruning, or a checkpoint in one."""
    out: Path
    """The file to write; its name ends as files of its format do, those of onnx in .onnx."""
    format: Format = "onnx"
    """Format of the file."""
    weights: Weights = "float32"
    """Type of weights and features; int8 quantises them after training, where the format has it."""
    data: str | None = None
    """Images on which int8 is calibrated and scored (else those of the run)."""
    data_root: Path | None = None
    """Folder in which a plain name is looked for before the hub (else the run's, or
    $ARCHWRIGHT_DATA)."""
    calibration: int = 512
    """Training images that show int8 the range of each feature."""
    space: str | None = None
    """The Python file of the run's space, if that is one of your own."""
    test_limit: int | None = None
    """Test images on which int8 is scored, a fixed sample (else as many as in the run)."""
    batch_size: int = 1
    """Images at a time while latency is measured."""
    threads: int = 1
    """Threads while latency is measured."""
    repeats: int = 100
    """Times that latency is measured, of which the median counts."""

    def __post_init__(self) -> None:
        """Check each option, and that the file can be of the format.

        Raises:
            ConfigError: it cannot, or one is out of range (the flag is named).
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
    """A run folder, a checkpoint, or an exported file."""
    data: str | None = None
    """Images (else those that the network was trained on, as many as there)."""
    data_root: Path | None = None
    """Folder in which a plain name is looked for before the hub (else the run's, or
    $ARCHWRIGHT_DATA)."""
    test_limit: int | None = None
    """Use so many of the test images, a fixed sample (else as many as in the run)."""
    space: str | None = None
    """The Python file of the run's space, if that is one of your own."""
    device: str = "auto"
    """auto, cpu, cuda or cuda:1; exported files run on the CPU unless cuda is asked for."""
    precision: Precision | None = None
    """32-true, or bf16-mixed for autocast (else the run's); an exported file has its own."""

    def __post_init__(self) -> None:
        """Check each option.

        Raises:
            ConfigError: one is out of range (its flag is named).
        """
        require_kinds(self)
        require_positive(self, "test_limit")
