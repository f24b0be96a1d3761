"""The same architecture with fewer channels, to be trained from fresh weights."""

from dataclasses import replace

from archwright.cost import graph_cost
from archwright.errors import ConfigError
from archwright.train.entrants import Entrant


def narrower(whole: Entrant, macs: float) -> Entrant:
    """`whole` at its largest width that has no more than `macs`.

    Raises:
        ConfigError: there is none (with the least that there is).
    """
    least: int | None = None
    for channels in range(whole.size.channels, 0, -1):
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
