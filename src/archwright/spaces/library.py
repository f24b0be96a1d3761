"""Spaces of the package."""

from archwright.spaces import operations as op
from archwright.spaces.cells import dense_cell
from archwright.spaces.operations import Candidate
from archwright.spaces.skeletons import Blocks, Staged, TwoInput
from archwright.spaces.space import Space


def nasbench201() -> Space:
    """Return NAS-Bench-201: 4 nodes, 6 edges, 5 operations, 15,625 cells.

    Source: Dong & Yang, ICLR 2020.
    """
    return Space(
        name="nasbench201",
        candidates={
            "none": op.none,
            "skip_connect": op.skip,
            "nor_conv_1x1": op.conv(1),
            "nor_conv_3x3": op.conv(3),
            "avg_pool_3x3": op.avg_pool(3),
        },
        skeleton=Staged(dense_cell(3)),
        search_size=(16, 5),
        train_size=(16, 5),
        # a basic residual block: two 3x3 convs, and a shortcut past them
        reference="|nor_conv_3x3~0|+|none~0|nor_conv_3x3~1|+|skip_connect~0|none~1|skip_connect~2|",
    )


def darts() -> Space:
    """Return the space of DARTS (Liu et al., ICLR 2019): 4 nodes, 14 edges, 8 operations, two
    kinds.
    """
    cell = dense_cell(4, inputs=2, output=(2, 3, 4, 5), keep=2)
    separable = ", ".join(["('sep_conv_3x3', 0), ('sep_conv_3x3', 1)"] * 4)
    pooled = ", ".join(["('max_pool_3x3', 0), ('max_pool_3x3', 1)"] * 4)
    return Space(
        name="darts",
        candidates={
            "none": op.none,
            "max_pool_3x3": op.max_pool(3, normed=True),
            "avg_pool_3x3": op.avg_pool(3, normed=True),
            "skip_connect": op.skip,
            "sep_conv_3x3": op.sep_conv(3),
            "sep_conv_5x5": op.sep_conv(5),
            "dil_conv_3x3": op.dil_conv(3),
            "dil_conv_5x5": op.dil_conv(5),
        },
        skeleton=TwoInput(cell, cell),
        search_size=(16, 8),
        train_size=(36, 20),
        # what a person would write down first: separable convs on both inputs, pools to reduce
        reference=(
            f"Genotype(normal=[{separable}], normal_concat=range(2, 6), "
            f"reduce=[{pooled}], reduce_concat=range(2, 6))"
        ),
    )


def spos() -> Space:
    """Return single path one-shot (Guo et al., ECCV 2020): 20 shuffle blocks of four sorts."""
    return Space(
        name="spos",
        candidates={
            "shuffle_3x3": op.shuffle_block(3),
            "shuffle_5x5": op.shuffle_block(5),
            "shuffle_7x7": op.shuffle_block(7),
            "xception_3x3": op.xception_block,
        },
        skeleton=Blocks(depths=(4, 4, 8, 4), multipliers=(1, 2.5, 5, 10), stem=0.25, head=16),
        null="",
        search_size=(64, 20),
        train_size=(64, 20),
        image_size=224,
    )


def nasbench_macro() -> Space:
    """NAS-Bench-Macro (Su et al., CVPR 2021): 8 inverted residuals of 3 sorts, 6,561 networks."""
    return Space(
        name="nasbench-macro",
        candidates={
            "identity": op.identity_block,
            "mb3_3x3": op.inverted_residual(3, 3),
            "mb6_5x5": op.inverted_residual(5, 6),
        },
        skeleton=Blocks(
            depths=(2, 3, 3),
            multipliers=(2, 4, 8),
            stem=1,
            head=40,
            stem_stride=1,
            residual=True,
            bias=True,
        ),
        null="",
        search_size=(32, 8),
        train_size=(32, 8),
    )


_SEPARABLE: tuple[tuple[str, Candidate], ...] = tuple(
    (f"sep_conv_{kernel}x{kernel}", op.sep_conv(kernel)) for kernel in (3, 5, 7, 9, 11, 13, 15)
)
_DILATED: tuple[tuple[str, Candidate], ...] = (
    ("dil_conv_3x3", op.dil_conv(3)),
    ("dil_conv_5x5", op.dil_conv(5)),
    ("dil_conv_7x7", op.dil_conv(7)),
    ("dil_conv_3x3_d3", op.dil_conv(3, 3)),
    ("dil_conv_5x5_d3", op.dil_conv(5, 3)),
    ("dil_conv_3x3_d4", op.dil_conv(3, 4)),
)


def toponas_exaggerated() -> Space:
    """Return the exaggerated space of TopoNAS (Table VI): skip, two pools, 5 dilated, 7 separable
    convolutions.

    The paper states the numbers, not the sizes. Chosen here: double-stacked separable convolutions
    of every odd kernel from 3 to 15, and dilated ones of kernels 3, 5, 7 at dilation 2 and of 3, 5
    at dilation 3, the smallest first of each.
    """
    return _on_darts("toponas-exaggerated", (*_DILATED[:5], *_SEPARABLE))


def toponas(candidates: int) -> Space:
    """Return the space of TopoNAS (Fig. 8) with 4 to 16 candidates: skip, two pools, and
    convolutions.

    The paper does not list the convolutions. Chosen here: separable and dilated ones alternately,
    each kind in order of size, so that a space contains all smaller ones of the family.
    """
    dilated = (*_DILATED, None)  # there is one separable conv more
    in_turn = (conv for pair in zip(_SEPARABLE, dilated, strict=True) for conv in pair if conv)
    convs = tuple(in_turn)[: candidates - 3]
    return _on_darts(f"toponas-{candidates}", convs)


def _on_darts(name: str, convs: tuple[tuple[str, Candidate], ...]) -> Space:
    """Return skip, both pools and these convolutions on the skeleton of DARTS, without `none`."""
    cell = dense_cell(4, inputs=2, output=(2, 3, 4, 5), keep=2)
    separable = "+".join(["|sep_conv_3x3~0|sep_conv_3x3~1|"] * 4)
    pooled = "+".join(["|max_pool_3x3~0|max_pool_3x3~1|"] * 4)
    return Space(
        name=name,
        candidates={
            "max_pool_3x3": op.max_pool(3, normed=True),
            "avg_pool_3x3": op.avg_pool(3, normed=True),
            "skip_connect": op.skip,
            **dict(convs),
        },
        skeleton=TwoInput(cell, cell),
        null="",
        search_size=(16, 8),
        train_size=(36, 20),
        reference=f"{name}:normal={separable};reduce={pooled}",
    )
