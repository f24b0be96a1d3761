"""Primitives, of which architectures are made; one file for each family.

A new one is a class in a file here, decorated with `register_primitive`, and a line in the samples
of the test of the contract. Another package adds one by an entry point in the group
`archwright.primitives`, of the name that it registers.

Legend: C channels, H height, W width, K kernel size, S stride.
"""

from collections.abc import Mapping
from types import MappingProxyType

from archwright.errors import GraphError
from archwright.graph.ops.attention import SqueezeExcite
from archwright.graph.ops.convolutions import Conv, KernelNorm, Linear
from archwright.graph.ops.masks import KeepChannels
from archwright.graph.ops.pointwise import BatchNorm, ReLU, Scale
from archwright.graph.ops.pools import AvgPool, GlobalAvgPool, MaxPool, Pool
from archwright.graph.ops.structure import Shuffle, Slice, Subsample, Zero
from archwright.graph.primitive import REGISTERED, Primitive
from archwright.io.plugins import load_plugin, plugins

__all__ = [
    "AvgPool",
    "BatchNorm",
    "Conv",
    "GlobalAvgPool",
    "KeepChannels",
    "KernelNorm",
    "Linear",
    "MaxPool",
    "Pool",
    "ReLU",
    "Scale",
    "Shuffle",
    "Slice",
    "SqueezeExcite",
    "Subsample",
    "Zero",
    "primitive_types",
]

PLUGINS = "archwright.primitives"
"""Group of the entry points through which other packages add primitives."""


def primitive_types() -> Mapping[str, type[Primitive]]:
    """Return every class of primitives by name, those of other installed packages included.

    Raises:
        ConfigError: a package that adds primitives cannot be imported.
        GraphError: it does not register what its entry point names.
    """
    for kind, place in plugins(PLUGINS).items():
        if kind not in REGISTERED:
            load_plugin(place)
            if kind not in REGISTERED:
                raise GraphError(
                    f"{place} does not register the primitive {kind!r} that its entry point names: "
                    f"decorate the class with register_primitive({kind!r})"
                )
    return MappingProxyType(REGISTERED)
