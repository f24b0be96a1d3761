"""The same architecture with fewer channels, to be trained from fresh weights."""

from dataclasses import replace

from archwright.cost import graph_cost
from archwright.errors import ConfigError
from archwright.pruning.baselines.widths import multiple_of
from archwright.training.network_spec import NetworkSpec


def scale_width(whole: NetworkSpec, macs: float, *, round_to: int | None = None) -> NetworkSpec:
    """Return `whole` at its largest width that has at most `macs`.

    The width is a multiple of `round_to`, else of a number that suits the width (see
    `multiple_of`), or the width of `whole` itself.

    Raises:
        ConfigError: there is none (with the least that there is).
    """
    least: int | None = None
    width = whole.size.channels
    multiple = multiple_of(width, round_to)
    for channels in (width, *range((width - 1) // multiple * multiple, 0, -multiple)):
        try:
            made = replace(whole, size=replace(whole.size, channels=channels))
            least = graph_cost(made.network, live=True).macs
        except ConfigError:  # a width that the skeleton does not have
            continue
        if least <= macs:
            return made
    raise ConfigError(
        f"no width of this network comes down to {macs:,.0f} MACs: the narrowest has {least:,}; "
        f"ask for no less"
    )
