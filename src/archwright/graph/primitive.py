"""Primitive: one basic module, described once.

A primitive defines the shape of its output, whether it is linear, its cost, its torch module, its
ONNX form and its resizing. Passes read these descriptions; no pass has a list of operation names.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal, NamedTuple, TypeVar

from typing_extensions import override

from archwright.errors import GraphError
from archwright.graph.onnx_form import OnnxGraph, State

if TYPE_CHECKING:  # torch takes seconds to import, and descriptions alone do not need it
    from torch import nn


class Shape(NamedTuple):
    """Features of one image: channels, height, width."""

    channels: int
    height: int
    width: int

    @override
    def __str__(self) -> str:
        return "x".join(map(str, self))


Channels = tuple[int, ...]
"""Numbers of some of the channels of features, ascending."""


def every_channel(shape: Shape) -> Channels:
    """Return all the channels of `shape`."""
    return tuple(range(shape.channels))


Counted = Literal["conv", "non_conv", "none"]


@dataclass(frozen=True)
class Primitive(ABC):
    """One basic module as a value: equal primitives compute the same function of equal state."""

    kind: ClassVar[str] = ""
    """Name of the primitive in files; set by `register_primitive`."""
    counted_as: ClassVar[Counted] = "non_conv"
    """Column of Table II of the TopoNAS paper in which the module is counted."""
    aten: ClassVar[tuple[str, ...]] = ()
    """Operators of torch.ops.aten that its module calls; a file with others is not executed."""

    @abstractmethod
    def out_shape(self, shape: Shape) -> Shape:
        """Return the shape of the output for an input of `shape`.

        Raises:
            GraphError: the primitive does not accept this shape.
        """

    @abstractmethod
    def build(self) -> "nn.Module":
        """Build a new module [B, C, H, W] -> [B, C', H', W'], with the default weights of torch."""

    @abstractmethod
    def label(self) -> str:
        """Return a few characters that name the primitive in a printed expression."""

    @property
    def linear(self) -> bool:
        """Whether f(ax + by) = a f(x) + b f(y), whatever the state."""
        return False

    @property
    def zero(self) -> bool:
        """Whether its output is always zero."""
        return False

    @property
    def identity_like(self) -> bool:
        """Whether it is the identity up to scale and resolution; drop path never drops it."""
        return False

    @property
    def channelwise(self) -> bool:
        """Whether each channel made depends on the same channel of the input alone.

        Of zeros it then makes zeros, unless it normalises.
        """
        return False

    @property
    def normalises(self) -> bool:
        """Whether a scale of its input is gone from what it makes."""
        return False

    @property
    def stateful(self) -> bool:
        """Whether it has parameters or buffers, so that its module must name a slot."""
        return self.params > 0

    @property
    def params(self) -> int:
        """Number of learned weights."""
        return 0

    @property
    def stride(self) -> int:
        """Factor by which height and width shrink."""
        return 1

    @property
    def resizable(self) -> bool:
        """Whether channel pruning is possible: its module, if it has channels, may lose some."""
        return False

    def macs(self, shape: Shape) -> int:
        """Return the multiply-accumulates on one image (convolutions and linear layers only)."""
        return 0

    def split_channels(self, parts: int) -> "Primitive":
        """Return the same module on one of `parts` equal runs of the channels.

        Raises:
            GraphError: its channels do not divide into that many.
        """
        return self

    def resized(self, state: State) -> "Primitive":
        """Return the primitive of a module whose state has the shapes in `state`.

        Raises:
            GraphError: it is not resizable.
        """
        if self.resizable:
            return self
        raise GraphError(f"{self.label()} cannot be made narrower: prune nodes or operations")

    def state_for(self, other: "Primitive", state: State) -> State:
        """Return the state with which a module of `other` computes the function of this `state`.

        If there is none, the returned state does not fit the other module.
        """
        return state

    def channels_needed(self, wanted: Channels, shape: Shape) -> Channels:
        """Return the channels of an input of `shape` that the `wanted` ones made depend on."""
        return wanted if self.channelwise else every_channel(shape)

    def channels_made(self, read: Channels, wanted: Channels, shape: Shape) -> Channels:
        """Return the channels that a narrow module makes of an input of `shape`.

        It reads but the channels in `read`, the others being zero, and makes the `wanted` ones,
        where it can leave others out. What it does not make is zero or not wanted.
        """
        if self.channelwise:
            return wanted if self.normalises else read
        return every_channel(self.out_shape(shape))

    def narrowed(self, read: Channels, made: Channels, shape: Shape) -> "Primitive | None":
        """Return the primitive that reads and makes but these channels of those at `shape`.

        None: what is left of it is the identity.

        Raises:
            GraphError: there is no such primitive.
        """
        if read == every_channel(shape) and made == every_channel(self.out_shape(shape)):
            return self
        if self.channelwise and read != made:
            raise GraphError(
                f"{self.label()} makes {len(made)} channels, and a mask before it leaves it "
                f"{len(read)}: put the mask behind it"
            )
        return self._narrowed(read, made)

    def _narrowed(self, read: Channels, made: Channels) -> "Primitive | None":
        """Return the primitive that reads and makes fewer channels."""
        if self.channelwise and not self.stateful:
            return self
        raise GraphError(
            f"{self.label()} cannot be made narrower, and is to read {len(read)} channels and "
            f"make {len(made)}: leave its width as it is"
        )

    def narrowed_state(self, state: State, read: Channels, made: Channels) -> State:
        """Return, of the state of its module, what belongs to the channels read and made."""
        return {name: value[[*made]] if value.ndim else value for name, value in state.items()}

    def to_onnx(self, graph: OnnxGraph, x: str, shape: Shape, state: State) -> str:
        """Add its function of `x`, features of `shape`, to a graph; return the output's name.

        Raises:
            GraphError: the primitive has no ONNX form.
        """
        raise GraphError(f"{self.label()} has no form in ONNX: it cannot be exported")

    def _part(self, channels: int, parts: int) -> int:
        """Return the channels of one part."""
        if channels % parts:
            raise GraphError(
                f"{self.label()}: {channels} channels do not divide into {parts} equal parts"
            )
        return channels // parts

    def _require_positive(self, *names: str) -> None:
        """Check that fields of these names are at least 1.

        Raises:
            GraphError: one is not (it is named).
        """
        for name in names:
            if getattr(self, name) < 1:
                raise GraphError(
                    f"{type(self).__name__}: {name} must be at least 1, got {getattr(self, name)}"
                )

    def _require_channels(self, shape: Shape, channels: int) -> None:
        if shape.channels != channels:
            raise GraphError(f"{self.label()} takes {channels} channels, got {shape.channels}")

    def _fitted(self, shape: Shape, made: Shape) -> Shape:
        """Return `made`, if anything is left of `shape`."""
        if min(made.height, made.width) < 1:
            raise GraphError(f"{self.label()} does not fit on {shape.height}x{shape.width} pixels")
        return made


REGISTERED: dict[str, type[Primitive]] = {}
"""Registered classes, by name."""

P = TypeVar("P", bound=Primitive)


def register_primitive(kind: str) -> Callable[[type[P]], type[P]]:
    """Register a class of primitives under a name, which is written in files and must not change.

    Raises:
        GraphError: another class has the name.
    """

    def register(cls: type[P]) -> type[P]:
        known = REGISTERED.get(kind, cls)
        if (known.__module__, known.__qualname__) != (cls.__module__, cls.__qualname__):
            raise GraphError(
                f"primitive {kind!r} is {known.__module__}.{known.__qualname__}: give "
                f"{cls.__module__}.{cls.__qualname__} another name"
            )
        cls.kind = kind
        REGISTERED[kind] = cls
        return cls

    return register
