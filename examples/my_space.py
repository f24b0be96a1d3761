"""A search space of one's own: three candidates on the edges of a small residual-like cell.

archwright search --space examples/my_space.py --data digits --channels 8 --cells 1 --out runs/mine
"""

import archwright as aw
from archwright.graph import BatchNorm, Chain, Conv, MaxPool, ReLU, Zero, chain


def none(site: aw.Site) -> Zero:
    """No connection."""
    return Zero(site.c_out, site.stride)


def wide_conv(site: aw.Site) -> Chain:
    """ReLU, a 5x5 convolution in groups of two channels, batch norm."""
    groups = site.c_in // 2
    return chain(
        ReLU(),
        Conv(site.c_in, site.c_out, 5, site.stride, groups=groups),
        Conv(site.c_out, site.c_out, 1),
        BatchNorm(site.c_out, site.affine),
    )


def pool_conv(site: aw.Site) -> Chain:
    """A max pool before a pointwise convolution."""
    return chain(
        MaxPool(3, site.stride),
        Conv(site.c_in, site.c_out, 1),
        BatchNorm(site.c_out, site.affine),
    )


space = aw.Space(
    name="mine",
    candidates={
        "none": none,
        "skip": aw.ops.skip,
        "wide_conv": wide_conv,
        "pool_conv": pool_conv,
    },
    # two stages of cells with three nodes; every node keeps its two strongest edges
    skeleton=aw.Staged(aw.dense_cell(3, keep=2), multipliers=(1, 2)),
    search_size=(8, 1),
    train_size=(16, 2),
)
