"""Channel sampling: only a part of an edge's channels goes through its candidates.

Xu et al., PC-DARTS, ICLR 2020, eq. 4. The rest passes by, at stride 2 through a 2x2 max pool; the
channels are then shuffled, so that the next edge samples others.
"""

from archwright.errors import ConfigError, GraphError
from archwright.graph import (
    Chain,
    Expr,
    MaxPool,
    Network,
    Op,
    Primitive,
    Shape,
    Shuffle,
    Slice,
    chain,
    choices,
    concat,
)
from archwright.graph.expr import map_modules, out_shape
from archwright.graph.traverse import map_edges


def sample_channels(network: Network, parts: int) -> Network:
    """`network` with the first 1/parts of the channels of every searched edge searched.

    An edge whose width or resolution changes otherwise than by a stride of 2 is left as it is:
    there is nothing that its other channels could pass by.

    Raises:
        ConfigError: the channels of an edge do not divide into so many parts.
    """
    if parts == 1:
        return network

    def sampled(body: Expr, shape: Shape) -> Expr:
        if next(choices(body), None) is None:
            return body
        bypass = _bypass(shape, out_shape(body, shape))
        if bypass is None:
            return body
        if shape.channels % parts:
            raise ConfigError(
                f"--partial {parts} must divide the channels of every searched edge, and there is "
                f"one of {shape.channels}: choose --channels or --partial accordingly"
            )
        try:
            searched = map_modules(body, lambda m, _: Op(m.primitive.split_channels(parts), m.slot))
        except GraphError as error:
            raise ConfigError(f"--partial {parts} does not suit this space: {error}") from None
        width = shape.channels // parts
        return chain(
            concat(
                chain(Slice(shape.channels, 0, width), searched),
                chain(Slice(shape.channels, width, shape.channels), bypass),
            ),
            Shuffle(parts),
        )

    return map_edges(network, sampled)


def _bypass(shape: Shape, made: Shape) -> Primitive | Chain | None:
    """What brings features past the candidates; None: nothing does."""
    if made == shape:
        return Chain()
    halved = Shape(shape.channels, -(-shape.height // 2), -(-shape.width // 2))
    return MaxPool(2, 2) if made == halved else None
