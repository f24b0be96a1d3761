"""What a search method is.

A method says how alpha becomes weights and what joins the loss; everything else is the one loop's.

Legend: E decisions, O candidates of the largest decision.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass

from torch import Tensor

from archwright.lower import Mixture
from archwright.search.recipe import Recipe


@dataclass(frozen=True)
class Moment:
    """How far a search is."""

    epoch: int
    epochs: int
    progress: float
    """Fraction of all steps that are done, 0 to 1."""


class Method(ABC):
    """A way to search; one small file each, found by the registry in `methods`."""

    @abstractmethod
    def recipe(self, space: str) -> Recipe:
        """The published settings on a space, which are this method's defaults."""

    @abstractmethod
    def mixture(self, logits: Tensor, moment: Moment) -> Mixture:
        """The weights that logits [E, O] give to the candidates; padding is -inf."""

    def penalty(self, logits: Tensor, moment: Moment) -> Tensor | None:
        """What is added to alpha's loss, a scalar; None: nothing."""
        return None
