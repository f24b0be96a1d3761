"""Candidate operations: functions from a site to an expression.

Legend: a site is an edge of a cell; C its width, S its stride.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from archwright.graph import (
    AvgPool,
    BatchNorm,
    Chain,
    Conv,
    Expr,
    MaxPool,
    Primitive,
    ReLU,
    Shuffle,
    Slice,
    Zero,
    chain,
    concat,
)


@dataclass(frozen=True)
class Site:
    """Place of a candidate: widths, stride, and whether it is being searched.

    During a search, batch norms have no scale and shift (these could replace the candidate's
    weight), and pools are normalised if their space requires it (Liu et al., DARTS, ICLR 2019,
    appendix A.1).
    """

    c_in: int
    c_out: int
    stride: int = 1
    searched: bool = False

    @property
    def affine(self) -> bool:
        """Whether batch norms learn scale and shift."""
        return not self.searched


Candidate = Callable[[Site], Expr | Primitive]


def none(site: Site) -> Zero:
    """No connection."""
    return Zero(site.c_out, site.stride)


def skip(site: Site) -> Chain:
    """Return the identity, or a factorised reduction if the resolution or the width changes."""
    if site.stride == 1 and site.c_in == site.c_out:
        return chain()
    return factorised_reduction(site)


def factorised_reduction(site: Site) -> Chain:
    """ReLU, two strided pointwise convs on the even and the odd pixels side by side, batch norm."""
    half = site.c_out // 2
    return chain(
        ReLU(),
        concat(
            Conv(site.c_in, half, 1, site.stride),
            Conv(site.c_in, site.c_out - half, 1, site.stride, offset=site.stride // 2),
        ),
        BatchNorm(site.c_out, site.affine),
    )


def conv(kernel: int, dilation: int = 1) -> Candidate:
    """ReLU, a full convolution, batch norm."""

    def build(site: Site) -> Chain:
        return chain(
            ReLU(),
            Conv(site.c_in, site.c_out, kernel, site.stride, dilation),
            BatchNorm(site.c_out, site.affine),
        )

    return build


def _separable(site: Site, c_out: int, kernel: int, dilation: int = 1) -> Chain:
    return chain(
        ReLU(),
        Conv(site.c_in, site.c_in, kernel, site.stride, dilation, groups=site.c_in),
        Conv(site.c_in, c_out, 1),
        BatchNorm(c_out, site.affine),
    )


def dil_conv(kernel: int, dilation: int = 2) -> Candidate:
    """ReLU, a dilated depthwise conv, a pointwise conv, batch norm."""
    return lambda site: _separable(site, site.c_out, kernel, dilation)


def sep_conv(kernel: int, dilation: int = 1) -> Candidate:
    """Twice: ReLU, a depthwise conv, a pointwise conv, batch norm; the first one strides."""

    def build(site: Site) -> Chain:
        first = _separable(site, site.c_in, kernel, dilation)
        second = _separable(replace(site, stride=1), site.c_out, kernel, dilation)
        return chain(first, second)

    return build


def max_pool(kernel: int = 3, *, normed: bool = False) -> Candidate:
    """Max pooling; `normed`: with a batch norm behind it while searched."""
    return lambda site: MaxPool(kernel, site.stride, _pool_norm(site, normed))


def avg_pool(kernel: int = 3, *, normed: bool = False) -> Candidate:
    """Average pooling; `normed`: with a batch norm behind it while searched."""
    return lambda site: AvgPool(kernel, site.stride, _pool_norm(site, normed))


def _pool_norm(site: Site, normed: bool) -> int:
    return site.c_out if normed and site.searched else 0


def shuffle_block(kernel: int) -> Candidate:
    """Return the ShuffleNet V2 unit with a depthwise convolution of the given size.

    Half of the channels bypass it; if the resolution or the width changes, both branches process
    all of them (Ma et al., ECCV 2018; as a choice block: Guo et al., ECCV 2020).
    """

    def main(site: Site, c_in: int, c_out: int) -> Chain:
        middle = site.c_out // 2
        return chain(
            Conv(c_in, middle, 1),
            BatchNorm(middle, site.affine),
            ReLU(),
            Conv(middle, middle, kernel, site.stride, groups=middle),
            BatchNorm(middle, site.affine),
            Conv(middle, c_out, 1),
            BatchNorm(c_out, site.affine),
            ReLU(),
        )

    return lambda site: _two_branches(site, kernel, main)


def xception_block(site: Site) -> Chain:
    """Return the ShuffleNet V2 unit with three separable 3x3 convolutions ("choice x" of Guo et
    al.).
    """

    def main(site: Site, c_in: int, c_out: int) -> Chain:
        middle = site.c_out // 2
        parts: list[Primitive] = []
        widths = ((c_in, middle, site.stride), (middle, middle, 1), (middle, c_out, 1))
        for before, after, stride in widths:
            parts += [
                Conv(before, before, 3, stride, groups=before),
                BatchNorm(before, site.affine),
                Conv(before, after, 1),
                BatchNorm(after, site.affine),
                ReLU(),
            ]
        return chain(*parts)

    return _two_branches(site, 3, main)


def inverted_residual(kernel: int, expansion: int) -> Candidate:
    """A pointwise conv to `expansion` times the width, a depthwise conv, a pointwise conv back.

    Batch norm after each, ReLU after the first two (Sandler et al., MobileNetV2, CVPR 2018). The
    shortcut is the skeleton's: see `Blocks.residual`.
    """

    def build(site: Site) -> Chain:
        wide = site.c_in * expansion
        return chain(
            *(Conv(site.c_in, wide, 1), BatchNorm(wide, site.affine), ReLU()),
            Conv(wide, wide, kernel, site.stride, groups=wide),
            *(BatchNorm(wide, site.affine), ReLU()),
            *(Conv(wide, site.c_out, 1), BatchNorm(site.c_out, site.affine)),
        )

    return build


def identity_block(site: Site) -> Chain:
    """Nothing beside a shortcut; where there is none, a pointwise conv of that stride, batch norm.

    As in NAS-Bench-Macro (Su et al., CVPR 2021).
    """
    if site.stride == 1 and site.c_in == site.c_out:
        return chain(Zero(site.c_out, site.stride))
    return chain(Conv(site.c_in, site.c_out, 1, site.stride), BatchNorm(site.c_out, site.affine))


def _two_branches(site: Site, kernel: int, main: Callable[[Site, int, int], Chain]) -> Chain:
    if site.stride == 1 and site.c_in == site.c_out:
        half = site.c_in // 2
        rest = site.c_in - half
        return chain(
            Shuffle(half),
            concat(
                Slice(site.c_in, 0, half),
                chain(Slice(site.c_in, half, site.c_in), main(site, rest, rest)),
            ),
        )
    projection = chain(
        Conv(site.c_in, site.c_in, kernel, site.stride, groups=site.c_in),
        BatchNorm(site.c_in, site.affine),
        Conv(site.c_in, site.c_in, 1),
        BatchNorm(site.c_in, site.affine),
        ReLU(),
    )
    return chain(concat(projection, main(site, site.c_in, site.c_out - site.c_in)))
