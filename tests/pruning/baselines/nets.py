"""Small networks to prune, with cells that join, reduce and separate."""

from functools import cache

import torch
from torch import Tensor

from archwright.graph import Network
from archwright.lowering import GraphModule
from archwright.spaces import Size, get_space, read_architecture
from archwright.training.network_spec import NetworkSpec

NB201 = "|nor_conv_3x3~0|+|skip_connect~0|nor_conv_3x3~1|+|none~0|nor_conv_1x1~1|avg_pool_3x3~2|"
DARTS = "darts-v2"


def spec(text: str = DARTS, channels: int = 4, image_channels: int = 1) -> NetworkSpec:
    """An architecture at three cells, or one a stage."""
    architecture = read_architecture(text)
    cells = 3 if architecture.space == "darts" else 1
    size = Size(
        channels=channels, cells=cells, classes=10, image_size=8, image_channels=image_channels
    )
    return NetworkSpec("found", get_space(architecture.space), architecture, size)


@cache
def graph(text: str = DARTS, channels: int = 4) -> Network:
    """Its network."""
    return spec(text, channels).network


def network(text: str = DARTS, channels: int = 4, seed: int = 0) -> GraphModule:
    """Its module, with statistics that are not the initial ones."""
    torch.manual_seed(seed)
    module = GraphModule(graph(text, channels))
    module(images(8))
    return module.eval()


def images(count: int = 2) -> Tensor:
    """Noise [B, 1, 8, 8]."""
    return torch.randn(count, 1, 8, 8, generator=torch.Generator().manual_seed(1))
