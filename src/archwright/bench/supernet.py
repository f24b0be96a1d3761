"""What a supernet takes to train, stage by stage of its simplification."""

import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from archwright.bench.config import SupernetConfig
from archwright.bench.contest import Contest, Entrant
from archwright.bench.results import Results, write_results
from archwright.bench.rows import rows_of
from archwright.bench.variants import Variant
from archwright.cost import estimate_training_bytes
from archwright.errors import ConfigError
from archwright.ir import Architecture, BatchNorm, Module, Network, Shape, walk_network
from archwright.lower import FusedNetwork, NaiveNetwork, logits_table
from archwright.runs.device import describe_hardware, make_fabric, require_memory, versions
from archwright.runs.progress import Progress
from archwright.simplify import simplification, simplify
from archwright.spaces import (
    Size,
    Space,
    get_space,
    read_architecture,
    reference_architecture,
    write_architecture,
)

if TYPE_CHECKING:
    from lightning_fabric import Fabric

_ALL_3X3 = (
    "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+"
    "|nor_conv_3x3~0|nor_conv_3x3~1|nor_conv_3x3~2|"
)
_ALPHA_INIT = 1e-3
"""Standard deviation of the mixture's logits (Liu et al., DARTS)."""


def bench_supernet(config: SupernetConfig) -> Results:
    """Measure all rows, and write them where the configuration says.

    Raises:
        ConfigError: space, size or device do not exist, or the supernet does not fit into memory.
    """
    space = get_space(config.space)
    size = Size(
        channels=config.channels or space.search_size[0],
        cells=config.cells or space.search_size[1],
        image_size=config.image_size or space.image_size,
    )
    config = replace(config, channels=size.channels, cells=size.cells, image_size=size.image_size)
    fabric = make_fabric(config.device, config.precision)
    if config.out is not None:  # what cannot be written is known before it is measured
        config.out.parent.mkdir(parents=True, exist_ok=True)
    with _threads(config.threads):
        results = _measure(config, space, size, fabric)
    if config.out is not None:
        write_results(config.out, results)
    return results


def discrete_architecture(space: Space, size: Size) -> Architecture:
    """The found network that a supernet of `space` is compared with.

    All 3x3 convs in NAS-Bench-201, DARTS_V2 wherever cells are put together as in DARTS, else the
    space's own reference.
    """
    if space.name == "nasbench201":
        return read_architecture(_ALL_3X3)
    if space.skeleton == get_space("darts").skeleton:
        return read_architecture("darts-v2")
    return reference_architecture(space, size)


def discrete_network(space: Space, size: Size) -> tuple[Network, Architecture]:
    """That network as published (affine batch norms, no auxiliary head), and what it is."""
    architecture = discrete_architecture(space, size)
    named = architecture.space == space.name
    home = space if named else get_space(architecture.space)
    return home.discrete(architecture, size), architecture


def _measure(config: SupernetConfig, space: Space, size: Size, fabric: "Fabric") -> Results:
    supernet = space.supernet(size)
    discrete, architecture = discrete_network(space, size)
    what = f"the supernet of {space.name}"
    require_memory(estimate_training_bytes(supernet, config.batch_size), fabric.device, what)
    _require_statistics(supernet, config.batch_size)
    entrants = [
        _entrant(variant, discrete, supernet, config.seed, fabric.device)
        for variant in config.variants
    ]
    generator = torch.Generator().manual_seed(config.seed)
    images = torch.randn(config.batch_size, *size.image, generator=generator)
    labels = torch.randint(size.classes, (config.batch_size,), generator=generator)
    total = Contest.length(len(entrants), config.repeats)
    with Progress(f"bench {space.name}", total, visible=sys.stderr is not None) as progress:
        contest = Contest(
            fabric,
            entrants,
            images.to(fabric.device),
            labels.to(fabric.device),
            advance=progress.advance,
            note=progress.note,
        )
        measured = contest.run(config.repeats)
    settings: dict[str, Any] = {
        **config.settings(),
        "device": fabric.device.type,
        "discrete": write_architecture(architecture),
        "candidates": len(space.candidates),
    }
    return Results(
        command=config.command(),
        settings=settings,
        versions=versions(),
        hardware=describe_hardware(fabric.device),
        threads=torch.get_num_threads(),
        rows=rows_of(measured),
    )


def _entrant(
    variant: Variant, discrete: Network, supernet: Network, seed: int, device: torch.device
) -> Entrant:
    """The network of a row, the same weights wherever rows have the same slots in order."""
    torch.manual_seed(seed)
    if variant.simplify is None:
        network = NaiveNetwork(discrete).to(device)
        return Entrant(variant=variant, module=network.train(), logits=None)
    simplified = simplify(supernet, simplification(variant.simplify))
    if variant.lowering == "naive":
        module = NaiveNetwork(simplified)
    else:
        options: dict[str, Any] = {"recompute": True} if variant.recompute else {}
        module = FusedNetwork(simplified, **options)
    logits = None
    if module.decisions:
        table = logits_table(module.decisions)
        generator = torch.Generator().manual_seed(seed)
        noise = torch.randn(table.shape, generator=generator)
        logits = nn.Parameter((table + _ALPHA_INIT * noise).to(device))
    return Entrant(variant=variant, module=module.to(device).train(), logits=logits)


def _require_statistics(network: Network, batch_size: int) -> None:
    def check(module: Module, shape: Shape) -> None:
        alone = batch_size * shape.height * shape.width == 1
        if alone and isinstance(module.primitive, BatchNorm):
            raise ConfigError(
                f"--batch-size {batch_size} leaves the batch norm {module.slot} a single value a "
                f"channel: give at least 2"
            )

    walk_network(network, check)


@contextmanager
def _threads(count: int | None) -> Generator[None]:
    """Compute with so many threads inside."""
    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)
