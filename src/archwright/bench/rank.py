"""Whether supernets rank architectures as their own trainings do, one supernet after the other."""

import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from itertools import islice

import numpy as np

from archwright.bench.contestants import Contestant
from archwright.bench.freeze import require_frozen
from archwright.bench.rank_config import RankConfig
from archwright.bench.rankings import Ranking, Rankings, agreements, read_rankings, write_rankings
from archwright.bench.results import adding_to, read_or, require_writable
from archwright.bench.threads import threads
from archwright.engine.checkpoint import load_checkpoint, loading
from archwright.engine.device import make_fabric
from archwright.engine.folder import RunFolder
from archwright.errors import RunError
from archwright.graph import Architecture
from archwright.nas.config import SearchConfig
from archwright.nas.derive.oneshot import one_shot_score
from archwright.nas.loop.run import prepare
from archwright.nas.loop.search import search
from archwright.nas.presets import preset_options
from archwright.spaces import Size, get_space, write_architecture
from archwright.spaces.discretise import random_architecture

_SEED = 0
"""Of the sample."""


def bench_rank(config: RankConfig) -> Rankings:
    """Train and ask the supernets that are missing; all that the results file then holds.

    Raises:
        RunError: the results file cannot be written; it, or a run folder, is of another version or
            of other settings.
        ConfigError, DataError, DivergedError: as `search`.
    """
    require_writable(config.file)
    with threads(config.threads):
        return _run(config)


def sample(count: int) -> list[Architecture]:
    """So many connected architectures, all different; the same ones for the same number."""
    space, generator = get_space("nasbench201"), np.random.default_rng(_SEED)
    found: dict[str, Architecture] = {}
    while len(found) < count:
        drawn = random_architecture(space, Size(channels=16, cells=1), generator)
        found[write_architecture(drawn)] = drawn
    return list(found.values())


def _run(config: RankConfig) -> Rankings:
    device = make_fabric(config.device, config.precision).device
    architectures = sample(config.samples)
    texts = tuple(map(write_architecture, architectures))
    empty = Rankings(**config.conditions(device), architectures=texts)
    held = _held(config, empty)
    wanted = [(one, seed) for seed in config.all_seeds for one in config.contestants]
    for one, seed in wanted:
        require_frozen(config.search(one, seed))
    for number, (one, seed) in enumerate(wanted, 1):
        if held.find(one, seed) is not None:
            continue
        found = _rank(config, one, seed, architectures)
        with adding_to(config.file):
            rankings = (*_held(config, empty).rankings, found)  # perhaps by another process
            command = RankConfig.command(empty.settings, rankings)
            held = replace(empty, command=command, rankings=rankings)
            write_rankings(config.file, held)
        line = _line(replace(held, rankings=(found,)), config.preset)
        print(f"{number}/{len(wanted)} {line}", file=sys.stderr, flush=True)
    return held


def _held(config: RankConfig, empty: Rankings) -> Rankings:
    """What the results file holds now.

    Raises:
        RunError: it was measured with other settings, or elsewhere (named).
    """
    path = config.file
    held = read_or(path, empty, read_rankings)
    if held.architectures != empty.architectures:
        raise RunError(f"{path} ranks another sample of architectures: give another --out")
    for ranking in held.rankings:
        one = ranking.contestant
        if ranking.options != preset_options(one.preset, one.method):
            raise RunError(
                f"{path} holds supernets of {one.method} with other settings than preset "
                f"{one.preset} has now: give another --out and --runs"
            )
    return held


def _rank(
    config: RankConfig, one: Contestant, seed: int, architectures: Sequence[Architecture]
) -> Ranking:
    training = config.search(one, seed)
    search(training)
    start = time.monotonic()
    scores, images = _scores(training, architectures, config.batches)
    return Ranking(
        contestant=one,
        seed=seed,
        one_shot=tuple(round(score, 4) for score in scores),
        images=images,
        options=preset_options(one.preset, one.method),
        seconds=round(time.monotonic() - start, 3),
    )


def _scores(
    config: SearchConfig, architectures: Sequence[Architecture], count: int
) -> tuple[list[float], str]:
    """One-shot accuracies with the supernet of a search that has ended; the images' title."""
    searching = prepare(config)
    bilevel = searching.begin()
    path = RunFolder(config.out).checkpoint("last")
    state = load_checkpoint(path)
    with loading(path):
        searching.restore(bilevel, state)
    batches = list(islice(searching.alpha_batches.epoch(0), count))
    network, fabric = bilevel.network, searching.fabric
    scores = [one_shot_score(fabric, bilevel.task, network, one, batches) for one in architectures]
    return scores, searching.images.title


def _line(results: Rankings, preset: str) -> str:
    """What a ranking came to, on one line."""
    (ranking,) = results.rankings
    (row,) = agreements(results)
    return (
        f"{row.contestant.title(preset)} {row.contestant.supernet}, seed {ranking.seed}: "
        f"tau {row.tau.mean:.3f}, rho {row.rho.mean:.3f}, {ranking.seconds:.0f} s"
    )
