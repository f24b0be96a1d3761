"""Networks of the study of supernets, and the discrete network that they are compared with."""

from typing import Any

import torch
from torch import Tensor, nn

from archwright.bench.supernet.config import SupernetConfig
from archwright.bench.supernet.external import load_external_network
from archwright.bench.supernet.interleaved import BenchmarkedNetwork
from archwright.bench.supernet.variants import Variant
from archwright.graph import Architecture, Network
from archwright.graph.passes.simplification import simplification, simplify
from archwright.lowering import FusedNetwork, GraphModule, Mixture, logits_table
from archwright.spaces import Size, Space, get_space, read_architecture, reference_architecture

_ALL_3X3 = (
    "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+"
    "|nor_conv_3x3~0|nor_conv_3x3~1|nor_conv_3x3~2|"
)
_ALPHA_INIT = 1e-3
"""Standard deviation of the mixture's logits (Liu et al., DARTS)."""


def discrete_architecture(space: Space, size: Size) -> Architecture:
    """Return the found network that a supernet of `space` is compared with.

    All 3x3 convs in NAS-Bench-201, DARTS_V2 wherever cells are put together as in DARTS, else the
    space's own reference.
    """
    if space.name == "nasbench201":
        return read_architecture(_ALL_3X3)
    if space.skeleton == get_space("darts").skeleton:
        return read_architecture("darts-v2")
    return reference_architecture(space, size)


def discrete_network(space: Space, size: Size) -> tuple[Network, Architecture]:
    """Build that network as published (affine batch norms, no auxiliary head)."""
    architecture = discrete_architecture(space, size)
    named = architecture.space == space.name
    home = space if named else get_space(architecture.space)
    return home.discrete(architecture, size), architecture


def size_of(config: SupernetConfig, space: Space) -> Size:
    """Return the size that `space` is measured at."""
    return Size(
        channels=config.channels or space.search_size[0],
        cells=config.cells or space.search_size[1],
        image_size=config.image_size or space.image_size,
    )


def build_networks(
    config: SupernetConfig, space: Space, device: torch.device
) -> list[BenchmarkedNetwork]:
    """Build the network of every row, in their order."""
    size = size_of(config, space)
    discrete, _ = discrete_network(space, size)
    supernet = space.supernet(size)
    return [
        _build_network(row, discrete, supernet, config.seed, device)
        if config.beside is None or row.lowering
        else load_external_network(config.beside, size, config.seed, device)
        for row in config.variants
    ]


def make_batch(config: SupernetConfig, space: Space, device: torch.device) -> tuple[Tensor, Tensor]:
    """Draw random images [B, C, H, W] and labels [B]: neither memory nor time depends on them."""
    size = size_of(config, space)
    generator = torch.Generator().manual_seed(config.seed)
    images = torch.randn(config.batch_size, *size.image, generator=generator)
    labels = torch.randint(size.classes, (config.batch_size,), generator=generator)
    return images.to(device), labels.to(device)


def _build_network(
    variant: Variant, discrete: Network, supernet: Network, seed: int, device: torch.device
) -> BenchmarkedNetwork:
    """Build the network of a row, with the same weights where rows have the same slots in order."""
    torch.manual_seed(seed)
    if variant.simplify is None:
        module = GraphModule(discrete)
    elif variant.lowering == "naive":
        module = GraphModule(simplify(supernet, simplification(variant.simplify)))
    else:
        options: dict[str, Any] = {"recompute": True} if variant.recompute else {}
        module = FusedNetwork(simplify(supernet, simplification(variant.simplify)), **options)
    module.to(device).train()
    if not module.decisions:
        return BenchmarkedNetwork(
            variant=variant, module=module, scores=lambda images: module(images)[0]
        )
    table = logits_table(module.decisions)
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(table.shape, generator=generator)
    logits = nn.Parameter((table + _ALPHA_INIT * noise).to(device))

    def scores(images: Tensor) -> Tensor:
        return module(images, Mixture.from_logits(logits))[0]

    return BenchmarkedNetwork(variant=variant, module=module, scores=scores, searched=(logits,))
