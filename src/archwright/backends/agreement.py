"""Agreement of exported files with torch."""

from collections.abc import Callable, Sequence
from typing import cast

import torch
from torch import Tensor, nn

from archwright.errors import RunError
from archwright.graph import Shape

TOLERANCE = 1e-5
"""Largest allowed difference from the logits of torch, in units of max(1, largest logit)."""


def max_error(
    module: nn.Module,
    exported: Callable[[Tensor], Tensor],
    image: Shape,
    batches: Sequence[int] = (1, 3),
) -> float:
    """Return the largest difference between the logits of a network and of its exported file.

    The inputs are noise. The unit is the largest logit, or 1 if that is larger.

    Args:
        module: torch module that returns logits [B, classes].
        exported: exported network.
        image: shape of an image.
        batches: numbers of images of the batches that are compared.

    Raises:
        RunError: the difference is above `TOLERANCE`.
    """
    generator = torch.Generator().manual_seed(0)
    worst = 0.0
    for batch in batches:
        images = torch.randn(batch, *image, generator=generator)
        with torch.no_grad():
            wanted = cast(Tensor, module(images))
        scale = max(1.0, float(wanted.abs().max()))
        worst = max(worst, float((exported(images) - wanted).abs().max()) / scale)
    if not worst <= TOLERANCE:
        raise RunError(
            f"the logits of the exported network differ from those of torch by {worst:.1e}: the "
            f"file was not written"
        )
    return worst
