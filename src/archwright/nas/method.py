"""Contract of a search method.

A method maps alpha to weights of candidates, can add a term to alpha's loss, and defines which
candidates are executed and whether alpha is trained; the search loop does everything else. Its file
imports PyTorch inside functions, not at its head, so that the command line reads its options in
milliseconds.

Legend: E decisions, O candidates of the largest decision.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, get_type_hints

from archwright.engine.options import choices, require, without_none
from archwright.errors import unknown
from archwright.nas.recipe import Recipe, Unroll

if TYPE_CHECKING:
    from torch import Tensor

    from archwright.cost import Encoding
    from archwright.graph import Network
    from archwright.lowering import Mixture
    from archwright.nas.parameters.alpha import Alpha, Logits

T = TypeVar("T")


@dataclass(frozen=True)
class Progress:
    """Progress of a search."""

    epoch: int
    epochs: int
    fraction: float
    """Fraction of all steps that are completed, 0 to 1."""

    def linear(self, first: float, last: float) -> float:
        """Interpolate linearly from `first` in the first epoch to `last` in the last."""
        return first + (last - first) * self.epoch / max(1, self.epochs - 1)


def option(default: T, check: Callable[[object, str], None]) -> T:
    """Return the default of a method's option whose values are restricted.

    `check` gets an object that has the option as an attribute, and the option's name; it raises
    ConfigError for a value out of range (`engine.options.require_positive`, for example).
    """
    return field(default=default, metadata={"check": check})


@dataclass(frozen=True, kw_only=True)
class Method(ABC):
    """Search method: one small file, found by the registry in `methods`.

    The fields of a method are its options: each is a flag of `archwright search` by its name. The
    string under a field is the flag's help, its default the published value.
    """

    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {"paper": {}}
    """Groups of settings by the preset's name: options of the method, and settings of every search.
    `paper` is as published; channels and cells are those of nasbench201."""
    unpruned: ClassVar[Mapping[str, Any]] = {}
    """Options with which no candidate is pruned during the search."""
    trains: ClassVar[bool] = True
    """Whether a supernet is trained."""
    learns: ClassVar[bool] = True
    """Whether alpha is trained; otherwise architectures are drawn, and the best one wins."""
    finalists: ClassVar[int] = 16
    """Number of top-ranked architectures that are compared by validation loss where budgets rule
    out the top-ranked one."""
    ranks_none: ClassVar[bool] = False
    """Whether the `none` candidate may be selected by its own weight."""

    def __post_init__(self) -> None:
        """Check each option by itself; a subclass checks their combination.

        Raises:
            ConfigError: one is out of range (its flag is named).
        """
        self.check_options({one.name: getattr(self, one.name) for one in fields(self)})

    @classmethod
    def check_options(cls, options: Mapping[str, Any]) -> None:
        """Check the values of some options, each by itself; None is not given.

        Raises:
            ConfigError: one is another word than its type allows (the nearest is named), or out of
                range (its flag is named).
        """
        hints, values = get_type_hints(cls), SimpleNamespace(**options)
        for one in fields(cls):
            value = options.get(one.name)
            if value is None:
                continue
            if words := choices(without_none(hints[one.name])):
                require(value in words, unknown(one.name.replace("_", " "), str(value), words))
            if check := one.metadata.get("check"):
                check(values, one.name)

    @abstractmethod
    def recipe(self, space: str) -> Recipe:
        """Return the published settings on a space, which are the defaults of this method."""

    @abstractmethod
    def mixture(self, logits: "Tensor", progress: Progress) -> "Mixture":
        """Map logits [E, O] to weights of the candidates; padding is -inf."""

    def supernet(self, network: "Network") -> "Network":
        """Return the network that is searched, made from the supernet of the space.

        Raises:
            ConfigError: the method does not suit the network.
        """
        return network

    def alpha(self, network: "Network", deviation: float) -> "Alpha":
        """Return the architecture parameters, drawn with this standard deviation."""
        from archwright.nas.parameters.alpha import Alpha

        return Alpha(network, deviation=deviation)

    def with_graph_encoding(
        self, alpha: "Alpha", network: "Network", encoding: "Encoding"
    ) -> "Alpha":
        """Return `alpha` of a network, conditioned by an encoding of the network's graph."""
        return alpha

    @property
    def progressive_shrinking(self) -> bool:
        """Whether candidates and connections of little weight are pruned during the search."""
        return False

    def candidate_weights(self, logits: "Tensor") -> "Tensor":
        """Return the expected weight of each candidate [E, O], its edge's own weight left out."""
        return logits.softmax(dim=-1)

    def expected_weights(self, logits: "Logits") -> "Tensor":
        """Return the expected weight of each candidate [E, O]; architectures are derived by it."""
        rows = self.candidate_weights(logits.candidates)
        return rows if logits.edge_weights is None else rows * logits.edge_weights[:, None]

    def penalty(self, logits: "Tensor", progress: Progress) -> "Tensor | None":
        """Return a scalar that is added to alpha's loss; None: nothing."""
        return None

    @property
    def unrolling(self) -> Unroll | None:
        """Computation of the second-order gradient of alpha; None: first order."""
        return None

    @property
    def alpha_draws(self) -> int:
        """Number of mixtures that a step of alpha averages, each on its part of the batch."""
        return 1

    @property
    def num_samples(self) -> int:
        """Number of architectures that are drawn where alpha does not learn."""
        return 0
