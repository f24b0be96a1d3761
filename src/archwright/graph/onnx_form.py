"""ONNX form of primitives: the protocol of the graph builder that they use.

Legend: B batch, C channels, H height, W width. Shapes are those of one image; the batch is dynamic.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:  # torch takes seconds to import, and descriptions alone do not need it
    from torch import Tensor

State = Mapping[str, "Tensor"]
"""The state dict of a primitive's module; empty if it has none."""


class OnnxGraph(Protocol):
    """Builder of an ONNX graph; tensors in it are known by name."""

    def node(self, kind: str, inputs: Sequence[str], **attributes: Any) -> str:
        """Add a node of one output; return its name."""
        ...

    def constant(self, value: "Tensor | Sequence[int] | float") -> str:
        """Add an initialiser; return its name. Integers become int64, a float float32."""
        ...

    def batch(self) -> str:
        """Return the name of the number of images, an int64 tensor of one element."""
        ...


def slice_of(
    graph: OnnxGraph,
    x: str,
    starts: Sequence[int],
    ends: Sequence[int],
    *,
    axes: Sequence[int],
    steps: Sequence[int] | None = None,
) -> str:
    """Add the part of `x` from `starts` up to but not including `ends` along `axes`."""
    given = (starts, ends, axes, steps or [1] * len(axes))
    return graph.node("Slice", [x, *map(graph.constant, given)])
