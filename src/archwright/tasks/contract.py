"""The contract of a task: head, loss, metrics, and the form of targets.

Everything that differs from task to task stands behind this contract: the search loop, training,
evaluation and pruning hand on outputs and targets without looking into them.

Legend: B batch, C channels, H height, W width.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar, Union, cast

from typing_extensions import override

from archwright.errors import ConfigError
from archwright.graph import Expr, Network, Primitive, Shape, Step, walk_network

if TYPE_CHECKING:  # a page or a help text names tasks without PyTorch
    import torch
    from torch import Tensor

Outputs = Union["Tensor", tuple["Tensor", ...]]
"""Output of a network for a batch: one tensor, or several maps; the first axis is the image's."""
Targets = Union["Tensor", Sequence[Any]]
"""Targets of a batch, indexed by image: a tensor whose first axis is the image's ([B], [B, H, W]),
or a list with an entry an image, where they differ in length (boxes [N, 4] and their labels
[N])."""
Batch = tuple["Tensor", Targets]
"""Images [B, C, H, W] and their targets."""
State = Mapping[str, "Tensor"]
"""All that an accumulator has seen, as tensors by name."""


@dataclass(frozen=True, kw_only=True)
class Metric:
    """A number that says how well a network does.

    Attributes:
        key: its name in results and logs.
        label: its name in a table.
        unit: its unit, as it stands behind a number.
        higher_is_better: its direction.
    """

    key: str
    label: str
    unit: str = "%"
    higher_is_better: bool = True

    def rank(self, value: float) -> float:
        """Return a number that is the larger, the better the value is."""
        return value if self.higher_is_better else -value

    def text(self, value: float | None, digits: int = 1) -> str:
        """Return the value with its unit; a dash where there is none."""
        return "-" if value is None else f"{value:.{digits}f} {self.unit}".rstrip()


class Accumulator(ABC):
    """The metrics of one pass over images, whatever batches and processes it is cut into.

    A metric that is no mean over images (a mean over classes, an area under a curve) is exact too:
    what a batch shows is added to the state, and the metric computed from the state of the pass.
    """

    @abstractmethod
    def update(self, outputs: Outputs, targets: Targets) -> None:
        """Add a batch: what the network gave, and what it was to give. Gradients are not kept."""

    @abstractmethod
    def state(self) -> State:
        """Return all that was added, as tensors that a checkpoint can hold; {} for nothing."""

    @abstractmethod
    def merge(self, state: State) -> None:
        """Add what another accumulator has seen: of another process, or before an interruption."""

    @abstractmethod
    def compute(self) -> dict[str, float]:
        """Return every metric by key; {} if nothing was added."""


class SumAccumulator(Accumulator):
    """Metrics that follow from sums over images: of hits, of a confusion matrix."""

    def __init__(self) -> None:
        self.sums: Tensor | None = None

    def add(self, sums: "Tensor") -> None:
        """Add the sums of a batch, of the same shape in every batch."""
        sums = sums.detach().double()
        self.sums = sums if self.sums is None else self.sums.to(sums.device) + sums

    @override
    def state(self) -> State:
        return {} if self.sums is None else {"sums": self.sums}

    @override
    def merge(self, state: State) -> None:
        if "sums" in state:
            self.add(state["sums"])


@dataclass(frozen=True, kw_only=True)
class Features:
    """Features that a skeleton offers to the head of a task.

    Attributes:
        image: the shape of an image.
        trunk: the steps that are there already.
        maps: the steps whose features a head may read, one a resolution, the finest first; the
            last one is what `neck` reads.
        neck: what the space publishes between the last of them and its classifier.
        width: channels behind the neck.
        bias: whether the published classifier has a bias.
    """

    image: Shape
    trunk: tuple[Step, ...]
    maps: tuple[str, ...]
    neck: tuple[Expr | Primitive, ...] = ()
    width: int
    bias: bool = True

    def shapes(self) -> dict[str, Shape]:
        """Return the shape of each map by the name of its step."""
        shapes = walk_network(Network(self.image, self.trunk))
        return {name: shapes[name] for name in self.maps}


@dataclass(frozen=True)
class Task(ABC):
    """Training objective of a network: an immutable value whose fields are its settings.

    Attributes:
        name: what it is asked for by.
        metrics: what a network is measured by; the first one is what networks are ranked by, and
            what results and logs say where there is room for one number.
        options: the settings of a training that it reads (see `for_training`).
    """

    name: ClassVar[str]
    metrics: ClassVar[tuple[Metric, ...]]
    options: ClassVar[tuple[str, ...]] = ()

    @property
    def metric(self) -> Metric:
        """The metric that networks are ranked by."""
        return self.metrics[0]

    def for_training(self, settings: object) -> Self:
        """Return the task with the settings of a training that `options` names."""
        return self

    @abstractmethod
    def head(self, features: Features, classes: int) -> tuple[Step, ...]:
        """Return the steps behind the trunk; the last one gives the outputs."""

    def with_auxiliary(self, network: Network, after: str, classes: int) -> Network:
        """Return `network` with a second head on the step `after`, whose loss joins in training.

        Raises:
            ConfigError: the task has none, or it does not fit on these features.
        """
        raise ConfigError(f"{self.name} has no auxiliary head: leave it out (--auxiliary 0)")

    @abstractmethod
    def loss(self, outputs: Outputs, targets: Targets) -> "Tensor":
        """Return the loss [] of a batch, the mean over its images, in float32 at least."""

    def loss_sum(self, outputs: Outputs, targets: Targets) -> "Tensor":
        """Return the loss [] of a batch, added up over its images."""
        return self.loss(outputs, targets) * len(targets)

    @abstractmethod
    def distillation(self, outputs: Outputs, teacher: Outputs, temperature: float) -> "Tensor":
        """Return how far outputs are from those of a teacher [], the mean over images."""

    @abstractmethod
    def predict(self, outputs: Outputs) -> Targets:
        """Return what outputs say, in the form of targets."""

    @abstractmethod
    def accumulator(self) -> Accumulator:
        """Return a fresh accumulator, whose `compute` gives every metric of `metrics`."""

    @abstractmethod
    def random_targets(
        self, images: "Tensor", classes: int, generator: "torch.Generator | None" = None
    ) -> Targets:
        """Return targets of the right form for images [B, C, H, W], drawn at random."""


_T = TypeVar("_T")


def move(value: _T, device: "torch.device") -> _T:
    """Return outputs or targets with every tensor in them on `device`."""
    return cast("_T", _moved(value, device))


def _moved(value: object, device: "torch.device") -> object:
    from torch import Tensor

    match value:
        case Tensor():
            return value.to(device, non_blocking=True)
        case dict():
            held = cast("dict[str, object]", value)
            return {name: _moved(item, device) for name, item in held.items()}
        case list() | tuple():
            items = [_moved(item, device) for item in cast("Sequence[object]", value)]
            return items if isinstance(value, list) else tuple(items)
        case _:
            return value


def join_outputs(parts: Sequence[Outputs]) -> Outputs:
    """Return the outputs of a batch from those of its parts, map by map."""
    import torch

    tensors = [part for part in parts if isinstance(part, torch.Tensor)]
    if tensors:
        return torch.cat(tensors)
    maps = cast("Sequence[tuple[Tensor, ...]]", parts)
    return tuple(torch.cat(one) for one in zip(*maps, strict=True))
