"""Largest eigenvalue of a Hessian that is given by its products with vectors."""

from collections.abc import Callable

import torch
from torch import Tensor


def largest_eigenvalue(
    product: Callable[[Tensor], Tensor], start: Tensor, count: int
) -> tuple[float, Tensor]:
    """Estimate the largest eigenvalue of a symmetric matrix from `count` products.

    The estimate is that in the space spanned by `start` [N] and the products (the Lanczos method,
    with full orthogonalisation): never below the result of power iteration, never above the true
    value, also where the eigenvalue of largest magnitude is negative.

    Args:
        product: product of the matrix with a vector of length 1.
        start: first vector; the vector of an earlier estimate is a good one.
        count: number of products.

    Returns:
        The estimate, NaN where a product was not finite, and its vector of length 1.
    """
    basis = [start.double() / start.double().norm()]
    images: list[Tensor] = []
    while len(images) < count:
        images.append(product(basis[-1].to(start.dtype)).double())
        if not images[-1].isfinite().all():
            return float("nan"), start
        rest = images[-1]
        for known in (*basis, *basis):  # the second time for what rounding has left
            rest = rest - (known @ rest) * known
        if rest.norm() <= torch.finfo(start.dtype).eps * images[-1].norm():
            break  # nothing new: the space is invariant
        basis.append(rest / rest.norm())
    vectors = torch.stack(basis[: len(images)])
    projected = vectors @ torch.stack(images).T
    values, combinations = torch.linalg.eigh((projected + projected.T) / 2)
    return float(values[-1]), (combinations[:, -1] @ vectors).to(start.dtype)
