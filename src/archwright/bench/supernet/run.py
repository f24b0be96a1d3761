"""Memory and time of a supernet's training step, stage by stage of its simplification."""

import sys
from collections.abc import Generator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from archwright.bench.engine.results import (
    Results,
    read_or,
    read_results,
    require_writable,
    write_results,
)
from archwright.bench.instruments.threads import processor, threads
from archwright.bench.supernet.config import SupernetConfig
from archwright.bench.supernet.interleaved import InterleavedBenchmark
from archwright.bench.supernet.measurements import (
    Measurement,
    measurement_rows,
    parse_measurements,
    rounds,
)
from archwright.bench.supernet.networks import (
    build_networks,
    discrete_architecture,
    make_batch,
    size_of,
)
from archwright.bench.supernet.peak_in_subprocess import peaks_in_subprocess
from archwright.cost import degenerate_batch_norm, estimate_training_bytes
from archwright.engine.device import describe_hardware, make_fabric, require_memory, versions
from archwright.engine.progress import ProgressBar
from archwright.errors import ConfigError
from archwright.spaces import Size, Space, get_space, write_architecture

if TYPE_CHECKING:
    from lightning_fabric import Fabric


def bench_supernet(config: SupernetConfig) -> Results:
    """Measure all rows, and write them to the file of the configuration, if it has one.

    Raises:
        ConfigError: space, size or device do not exist, or the supernet does not fit into memory.
        RunError: the results file cannot be written, or holds what was measured otherwise.
    """
    space = get_space(config.space)
    size = size_of(config, space)
    config = replace(config, channels=size.channels, cells=size.cells, image_size=size.image_size)
    fabric = make_fabric(config.device, config.precision)
    if config.out is not None:
        require_writable(config.out)
    with threads(config.threads):
        return _measure(config, space, size, fabric)


def _measure(config: SupernetConfig, space: Space, size: Size, fabric: "Fabric") -> Results:
    results = Results(
        command=config.command(),
        settings={
            **config.settings(),
            "device": fabric.device.type,
            "discrete": write_architecture(discrete_architecture(space, size)),
            "candidates": len(space.candidates),
            "cpu": processor(),
        },
        versions=versions(),
        hardware=describe_hardware(fabric.device),
        threads=torch.get_num_threads(),
        rows=[],
    )
    if config.out is not None:
        held = read_or(config.out, results, read_results)
        results = replace(held, command=results.command)
    measured = parse_measurements(results.rows)
    if measured and rounds(measured) >= config.repeats:
        return results
    for known in _rounds(config, space, measured, fabric):
        results = replace(results, rows=measurement_rows(known))
        if config.out is not None:
            write_results(config.out, results)
    return results


def _rounds(
    config: SupernetConfig, space: Space, measured: Sequence[Measurement], fabric: "Fabric"
) -> Generator[Sequence[Measurement]]:
    """Yield all measurements when they have been counted, and after each round of timed steps."""
    supernet = space.supernet(size_of(config, space))
    what = f"the supernet of {space.name}"
    require_memory(estimate_training_bytes(supernet, config.batch_size), fabric.device, what)
    norm = degenerate_batch_norm(supernet, config.batch_size)
    if norm is not None:
        raise ConfigError(
            f"--batch-size {config.batch_size} leaves the batch norm {norm} a single value a "
            f"channel: give at least 2"
        )
    networks = build_networks(config, space, fabric.device)
    images, labels = make_batch(config, space, fabric.device)
    total = InterleavedBenchmark.count_steps(measured, len(networks), config.repeats)
    with ProgressBar(f"bench {space.name}", total, visible=sys.stderr is not None) as progress:
        benchmark = InterleavedBenchmark(
            fabric, networks, images, labels, advance=progress.advance, note=progress.note
        )
        if not measured:
            progress.note("counting operators, bytes and multiply-accumulates")
            measured = [benchmark.count(network) for network in networks]
            yield measured
        if config.repeats and config.peaks and not rounds(measured):
            progress.note("measuring peaks of memory")
            on_cpu = fabric.device.type == "cpu"
            peaks = peaks_in_subprocess(config) if on_cpu else map(benchmark.peak, networks)
            measured = [one.with_peak(peak) for one, peak in zip(measured, peaks, strict=True)]
            yield measured
        yield from benchmark.time(measured, config.repeats)
