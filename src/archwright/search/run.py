"""A search from start to end: by one supernet, or by several that decide together."""

from archwright.search.config import SearchConfig
from archwright.search.outcome import SearchResult
from archwright.search.searching import search_alone
from archwright.search.together import search_together


def search(config: SearchConfig) -> SearchResult:
    """Run a search, or go on with one, and leave its run folder complete.

    Raises:
        ConfigError: a setting, space or method that does not exist or does not fit.
        DataError: the images cannot be used.
        RunError: the run folder exists, or is of another configuration.
        DivergedError: the loss is no longer finite.
    """
    return search_alone(config) if config.supernets == 1 else search_together(config)
