"""`archwright profile`."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from archwright.cli.command import Command
from archwright.cli.console import Show, decimals
from archwright.engine.options import require, require_kinds, require_positive, require_threads

if TYPE_CHECKING:
    from archwright.profiling.profile import Profile

Runtime = Literal["onnxruntime", "torch"]


@dataclass(frozen=True, kw_only=True)
class ProfileConfig:
    """Measure the latency of every operation of a space on this machine: a table for budgets."""

    space: str = "nasbench201"
    """nasbench201, darts, spos, or a Python file."""
    runtime: Runtime = "onnxruntime"
    """onnxruntime (networks as they are exported) or torch."""
    device: str = "cpu"
    """The runtime's device: cpu or cuda."""
    threads: int = 1
    """Threads on the CPU."""
    channels: int | None = None
    """Width of the networks that will be deployed (else as published)."""
    cells: int | None = None
    """Their depth, in the space's own count (else as published)."""
    image_size: int | None = None
    """Side of an image in pixels (else the space's)."""
    image_channels: int = 3
    """Channels of an image: 1 for grey, 3 for colour."""
    classes: int = 10
    """Outputs of the classifier."""
    networks: int = 24
    """Whole networks that are measured too, to scale the sum of the operations."""
    repeats: int = 30
    """Repetitions of each measurement, in turns; the table contains medians."""
    out: Path
    """The table to write: CSV, or parquet if its name ends so."""

    def __post_init__(self) -> None:
        """Check each number, and that the output file is new.

        Raises:
            ConfigError: one is out of range, or the file is there already.
        """
        require_kinds(self)
        require_threads(self)
        require_positive(self, "channels", "cells", "image_size", "image_channels")
        require_positive(self, "classes", "networks", "repeats")
        require(
            not self.out.exists(),
            f"--out {self.out} is there already: name a new file, a table is measured as a whole",
        )


def _run(config: ProfileConfig) -> "tuple[ProfileConfig, Profile]":
    from functools import partial

    from archwright.backends.timing import benchmark_interleaved
    from archwright.bench.instruments.threads import threads
    from archwright.cost.expected.decision_table import DecisionTable
    from archwright.cost.files import write_rows
    from archwright.profiling.profile import profile
    from archwright.profiling.runtimes import runtime
    from archwright.profiling.size import deployed_size
    from archwright.spaces import get_space

    space = get_space(config.space)
    size = deployed_size(config, space)
    with threads(config.threads):
        found = profile(
            DecisionTable(space, size),
            runtime(config.runtime, config.device, config.threads),
            networks=config.networks,
            counted="used" if config.runtime == "onnxruntime" else "picked",
            timer=partial(benchmark_interleaved, repeats=config.repeats),
        )
    write_rows(config.out, found.rows(config.runtime, config.device, config.threads))
    return config, found


def _show(done: "tuple[ProfileConfig, Profile]", show: Show) -> dict[str, Any]:
    config, found = done
    size = found.layout.size
    show.line(
        f"{found.layout.space.name}: {size.text}, in {config.runtime} on {config.device}, "
        f"{config.threads} thread(s)"
    )
    show.table(
        ("operation", "input", "output", "ms", "spread ms", "copies alone ms", "factor"),
        [
            (
                *(one.operation.name, one.operation.input, one.operation.output),
                *(decimals(one.latency_ms, 4), decimals(one.spread_ms, 4)),
                *(decimals(one.alone_ms, 4), decimals(one.factor)),
            )
            for one in found.measured
        ],
        texts=3,
    )
    show.line(
        f"the {found.networks} whole networks that it was fitted to: median error "
        f"{100 * found.median_error:.1f} %"
    )
    show.line(f"table: {config.out}")
    return {
        "out": str(config.out),
        "space": found.layout.space.name,
        **asdict(size),
        "runtime": config.runtime,
        "device": config.device,
        "threads": config.threads,
        "networks": found.networks,
        "median_error": found.median_error,
        "operations": found.rows(config.runtime, config.device, config.threads),
    }


command = Command(name="profile", config=ProfileConfig, run=_run, show=_show)
