"""Sizes that others have published or measured, reproduced exactly."""

import pytest

from archwright.cost import GraphCost, activation_bytes, graph_cost
from archwright.graph import Architecture, AvgPool, CellGenotype, Chain, EdgeOp, Op
from archwright.spaces import Size, get_space, read_architecture

DARTS = get_space("darts")
BENCHMARK = get_space("nasbench201")
BENCHMARK_SIZE = Size(channels=16, cells=5)
CONV = "nor_conv_3x3"
ALL_CONVS = f"|{CONV}~0|+|{CONV}~0|{CONV}~1|+|{CONV}~0|{CONV}~1|{CONV}~2|"


def cost(text: str, size: Size) -> GraphCost:
    architecture = read_architecture(text)
    return graph_cost(get_space(architecture.space).discrete(architecture, size))


# Liu et al., ICLR 2019: 3.3 M weights for both; multiply-adds measured with other code
@pytest.mark.parametrize(
    ("name", "channels", "cells", "params", "macs"),
    [
        ("darts-v2", 36, 20, 3_349_342, 528_359_040),
        ("darts-v2", 36, 13, 2_144_638, 337_256_064),
        ("darts-v2", 16, 8, 246_106, 43_444_736),
        ("darts-v1", 36, 20, 3_169_414, 500_987_520),
    ],
)
def test_darts_on_cifar(name: str, channels: int, cells: int, params: int, macs: int) -> None:
    assert cost(name, Size(channels=channels, cells=cells)) == GraphCost(params, macs)


def test_darts_on_imagenet() -> None:
    """The paper says 4.7 M weights and 574 M multiply-adds.

    The weights come out. The multiply-adds of the published code's convolutions are those below;
    others who counted it found less than 574 M as well, so the paper must count more operations.
    """
    size = Size(channels=48, cells=14, classes=1000, image_size=224)
    assert cost("darts-v2", size) == GraphCost(4_718_752, 529_911_552)


def test_the_darts_supernet() -> None:
    size = Size(channels=16, cells=8)
    supernet = DARTS.supernet(size)
    assert graph_cost(supernet).params == 1_930_618
    assert sum(len(decision.candidates) for decision in supernet.decisions()) == 224
    assert activation_bytes(supernet, 16) == pytest.approx(2009e6, rel=2e-3)
    discrete = DARTS.discrete(read_architecture("darts-v2"), size)
    assert activation_bytes(discrete, 16) == pytest.approx(194e6, rel=2e-3)


def test_nasbench201() -> None:
    # two entries of the benchmark's own table
    assert cost(ALL_CONVS, BENCHMARK_SIZE) == GraphCost(1_531_546, 220_119_680)
    small = (
        "|avg_pool_3x3~0|+|skip_connect~0|none~1|+|nor_conv_1x1~0|avg_pool_3x3~1|nor_conv_1x1~2|"
    )
    assert cost(small, BENCHMARK_SIZE) == GraphCost(129_306, 15_647_360)


def test_the_nasbench201_supernet() -> None:
    supernet = BENCHMARK.supernet(BENCHMARK_SIZE)
    assert activation_bytes(supernet, 64) == pytest.approx(1902e6, rel=2e-3)
    discrete = BENCHMARK.discrete(read_architecture(ALL_CONVS), BENCHMARK_SIZE)
    assert activation_bytes(discrete, 64) == pytest.approx(471e6, rel=2e-3)


def test_spos() -> None:
    """The architecture in the README of megvii-model/SinglePathOneShot: 323 M MACs, 3.5 M."""
    space = get_space("spos")
    names = tuple(space.candidates)
    blocks = (2, 1, 0, 1, 2, 0, 2, 0, 2, 0, 2, 3, 0, 0, 0, 0, 3, 2, 3, 3)
    cells = {
        f"block{position}": CellGenotype(1, ((EdgeOp(names[block], 0),),), (1,))
        for position, block in enumerate(blocks)
    }
    size = Size(channels=64, cells=20, classes=1000, image_size=224)
    network = space.discrete(Architecture("spos", cells), size)
    assert graph_cost(network) == GraphCost(3_558_464, 322_918_720)


# the auxiliary heads of the published code, by hand: pointwise conv, conv, two norms, classifier
@pytest.mark.parametrize(
    ("size", "width", "pool"),
    [
        (Size(channels=36, cells=20), 4 * 4 * 36, AvgPool(5, 3, valid=True)),
        (
            Size(channels=48, cells=14, image_size=224, classes=1000),
            4 * 4 * 48,
            AvgPool(5, 2, valid=True),
        ),
    ],
)
def test_the_auxiliary_head(size: Size, width: int, pool: AvgPool) -> None:
    architecture = read_architecture("darts-v2")
    network = DARTS.discrete(architecture, size, auxiliary=True)
    (head,) = (step for step in network.steps if step.name == "auxiliary")
    assert head.inputs == (f"cell{2 * size.cells // 3}",)
    assert isinstance(head.body, Chain)
    assert Op(pool) in head.body.items
    weights = sum(m.primitive.params for m in network.modules() if m.slot.startswith("auxiliary"))
    assert weights == 128 * (width + 2) + 768 * (4 * 128 + 2) + 769 * size.classes
    assert graph_cost(network) == graph_cost(DARTS.discrete(architecture, size))
