"""Channel masks of a mixture: the weighted sum of keeping the first channels, as one scale each.

Legend: K widths, C channels.
"""

from collections.abc import Sequence

from torch import Tensor

from archwright.lowering.coefficients import index_tensor


def channel_mask(channels: int, widths: Sequence[int], weights: Tensor) -> Tensor:
    """Return the scales m [C, 1, 1] of weights [K]: m_c = sum_i p_i over widths w_i >= c.

    Channels are counted from 1. With all weight on one width, it is 1 up to it and 0 from there
    on (Wan et al., FBNetV2, CVPR 2020, channel masking).
    """
    kept = index_tensor(tuple(widths), weights.device)
    positions = index_tensor(tuple(range(channels)), weights.device)
    table = (kept[:, None] > positions).to(weights.dtype)
    # no matrix product: autocast would take it in half precision
    return (weights[:, None] * table).sum(dim=0)[:, None, None]
