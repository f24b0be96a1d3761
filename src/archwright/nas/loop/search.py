"""Search from start to end, by one supernet or by an ensemble of supernets."""

from archwright.nas.config import SearchConfig
from archwright.nas.loop.ensemble import search_ensemble
from archwright.nas.loop.result import SearchResult
from archwright.nas.loop.run import search_single


def search(config: SearchConfig) -> SearchResult:
    """Run or resume a search, and complete its run folder.

    Raises:
        ConfigError: a setting, space or method that does not exist or does not fit.
        DataError: the images cannot be used.
        RunError: the run folder exists, or is of another configuration.
        DivergedError: the loss is no longer finite.
    """
    return search_single(config) if config.supernets == 1 else search_ensemble(config)
