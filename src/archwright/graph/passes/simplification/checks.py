"""Checks that settings of simplification apply to a space."""

from archwright.errors import ConfigError
from archwright.graph import Network
from archwright.graph.passes.simplification.settings import Simplification
from archwright.graph.passes.simplification.units import has_separable


def check_pointwise(network: Network, settings: Simplification, space: str) -> None:
    """Check that the policy for pointwise convs applies to the supernet of `space`.

    Raises:
        ConfigError: no candidate has a separable convolution that it could apply to.
    """
    if settings.pointwise == "shared":
        return
    bodies = (option.body for choice in network.choices() for option in choice.options)
    if not any(map(has_separable, bodies)):
        raise ConfigError(
            f"space {space} has no separable convolution (a depthwise conv with a pointwise one "
            f"right behind it) for --pointwise {settings.pointwise}: use --pointwise shared"
        )
