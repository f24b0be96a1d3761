"""Channel sampling: only a part of an edge's channels goes through its candidates.

Xu et al., PC-DARTS, ICLR 2020, eq. 4. The other channels bypass them, at stride 2 through a 2x2 max
pool; the channels are then shuffled, so that the next edge samples others.
"""

from dataclasses import dataclass

from typing_extensions import override

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
from archwright.graph.passes.contract import (
    NO_NEW_SLOTS,
    SAME_DECISIONS,
    SAME_SHAPES,
    Pass,
    register,
)
from archwright.graph.passes.diagnostics import Report, about
from archwright.graph.traverse import map_edges


@register
@dataclass(frozen=True)
class ChannelSampling(Pass):
    """Channel sampling: candidates of every searched edge read the first 1/`parts` of its channels.

    An edge whose width or resolution changes otherwise than by a stride of 2 is not changed: its
    other channels could not bypass the candidates.

    Raises:
        ConfigError: the channels of an edge do not divide into `parts`, or a candidate cannot be
            built with fewer channels.
    """

    parts: int

    name = "channel sampling"
    kind = "structural"
    keeps = (SAME_SHAPES, SAME_DECISIONS, NO_NEW_SLOTS)
    idempotent = False

    @override
    def apply(self, network: Network, report: Report) -> Network:
        if self.parts == 1:
            return network
        return map_edges(network, lambda body, shape: self._sampled(body, shape, report))

    def _sampled(self, body: Expr, shape: Shape, report: Report) -> Expr:
        parts = self.parts
        choice = next(choices(body), None)
        if choice is None:
            return body
        made = out_shape(body, shape)
        bypass = _bypass(shape, made)
        if bypass is None:
            text = f"no channels can pass by: the edge makes {made} of {shape}"
            report(about(self.name, choice, text, fired=False))
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
        report(about(self.name, choice, f"{width} of {shape.channels} channels", fired=True))
        return chain(
            concat(
                chain(Slice(shape.channels, 0, width), searched),
                chain(Slice(shape.channels, width, shape.channels), bypass),
            ),
            Shuffle(parts),
        )


def _bypass(shape: Shape, made: Shape) -> Primitive | Chain | None:
    """Return the bypass of the candidates; None if there is none."""
    if made == shape:
        return Chain()
    halved = Shape(shape.channels, -(-shape.height // 2), -(-shape.width // 2))
    return MaxPool(2, 2) if made == halved else None
