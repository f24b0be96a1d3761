"""Several supernets that decide together.

What one supernet's alpha ends at depends on its first weights and on the order of the images. What
several are agreed on depends on them less: the weights of their candidates are averaged, and
finalists compared by the mean of their losses.
"""

from collections.abc import Sequence

import numpy as np

from archwright.runs.keeper import Keeper
from archwright.runs.start import start
from archwright.search.answer import Panel
from archwright.search.config import SearchConfig
from archwright.search.outcome import SearchResult
from archwright.search.reopened import Reopened
from archwright.search.searching import prepare, search_alone
from archwright.search.signs import Weights
from archwright.spaces import write_architecture


def search_together(config: SearchConfig) -> SearchResult:
    """Search by each supernet, or go on with it, in a folder of its own within that of the run.

    Raises:
        ConfigError, DataError, RunError, DivergedError: as `search`.
    """
    run = prepare(config)
    folder = start(run.fabric, config, "search", run.images, run.resolved)
    finished = folder.result()
    if finished is not None:
        return SearchResult.from_json({**finished, "out": str(config.out)})
    keeper = Keeper(folder, run.fabric, config.checkpoint_seconds)
    keeper.restore()
    run.log_start(keeper, run.begin())
    seconds, members = 0.0, list[Reopened]()
    for number in range(config.supernets):
        member = config.member(number)
        found = search_alone(member)
        seconds += found.seconds
        text = write_architecture(found.architecture)
        folder.log.write("supernet", number=number, seed=member.seed, architecture=text)
        members.append(Reopened.of(member))
    keeper.count(seconds)
    panel = Panel([one.judge for one in members], run.terms, finalists=config.finalists)
    weights = average([one.weights for one in members])
    architecture = panel.choose(run.terms, weights)
    points = None if config.pareto is None else panel.front(run.terms, weights, config.pareto)
    return run.conclude(keeper, members[0].bilevel, architecture, points)


def average(members: Sequence[Weights]) -> Weights:
    """The mean weight of each candidate."""
    return {name: np.mean([one[name] for one in members], axis=0).tolist() for name in members[0]}
