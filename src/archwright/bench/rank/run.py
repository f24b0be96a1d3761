"""Rankings of architectures by supernets, one supernet after the other, kept as they end."""

import time
from collections.abc import Sequence
from dataclasses import replace
from itertools import islice

import numpy as np

from archwright.bench.engine.arms import Arm
from archwright.bench.engine.freeze import require_frozen
from archwright.bench.engine.results import read_or, require_writable
from archwright.bench.engine.resume import measure_missing
from archwright.bench.instruments.threads import threads
from archwright.bench.rank.config import RankConfig
from archwright.bench.rank.rankings import Ranking, Rankings, agreements, read_rankings
from archwright.engine.device import make_fabric
from archwright.engine.runs.checkpoint import load_checkpoint, loading
from archwright.engine.runs.folder import RunFolder
from archwright.errors import RunError
from archwright.graph import Architecture
from archwright.nas.config import SearchConfig
from archwright.nas.derive.oneshot import one_shot_score
from archwright.nas.loop.run import build_run
from archwright.nas.loop.search import search
from archwright.nas.presets import preset_options
from archwright.spaces import Size, get_space, write_architecture
from archwright.spaces.discretise import random_architecture

_SEED = 0
"""Of the sample."""


def bench_rank(config: RankConfig) -> Rankings:
    """Train the missing supernets, and return all rankings of the results file.

    Raises:
        RunError: the results file cannot be written; it, or a run folder, is of another version or
            of other settings.
        ConfigError, DataError, DivergedError: as `search`.
    """
    require_writable(config.file)
    with threads(config.threads):
        return _run(config)


def sample(count: int) -> list[Architecture]:
    """Draw `count` connected architectures, all different; the same ones for the same number."""
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
    cases = [(arm, seed) for seed in config.all_seeds for arm in config.arms]
    for arm, seed in cases:
        require_frozen(config.search(arm, seed))

    def add(held: Rankings, found: Ranking) -> Rankings:
        rankings = (*held.rankings, found)
        command = RankConfig.command(empty.settings, rankings)
        return replace(empty, command=command, rankings=rankings)

    return measure_missing(
        config.file,
        cases,
        read=lambda: _read(config, empty),
        is_done=lambda results, case: results.find(*case) is not None,
        measure=lambda _, case: _rank(config, *case, architectures),
        add=add,
        describe=lambda found: _line(replace(empty, rankings=(found,)), config.preset),
    )


def _read(config: RankConfig, empty: Rankings) -> Rankings:
    """Read what the results file holds now.

    Raises:
        RunError: it was measured with other settings, or elsewhere (named).
    """
    path = config.file
    held = read_or(path, empty, read_rankings)
    if held.architectures != empty.architectures:
        raise RunError(f"{path} ranks another sample of architectures: give another --out")
    for ranking in held.rankings:
        one = ranking.arm
        if ranking.options != preset_options(one.preset, one.method):
            raise RunError(
                f"{path} holds supernets of {one.method} with other settings than preset "
                f"{one.preset} has now: give another --out and --runs"
            )
    return held


def _rank(
    config: RankConfig, one: Arm, seed: int, architectures: Sequence[Architecture]
) -> Ranking:
    training = config.search(one, seed)
    search(training)
    start = time.monotonic()
    scores, images = _scores(training, architectures, config.batches)
    return Ranking(
        arm=one,
        seed=seed,
        one_shot=tuple(round(score, 4) for score in scores),
        images=images,
        options=preset_options(one.preset, one.method),
        seconds=round(time.monotonic() - start, 3),
    )


def _scores(
    config: SearchConfig, architectures: Sequence[Architecture], count: int
) -> tuple[list[float], str]:
    """Return one-shot accuracies with the supernet of an ended search, and the images' title."""
    searching = build_run(config)
    bilevel = searching.build_bilevel()
    path = RunFolder(config.out).checkpoint("last")
    state = load_checkpoint(path)
    with loading(path):
        searching.restore(bilevel, state)
    batches = list(islice(searching.alpha_batches.epoch(0), count))
    network, fabric = bilevel.network, searching.fabric
    scores = [one_shot_score(fabric, bilevel.task, network, one, batches) for one in architectures]
    return scores, searching.images.title


def _line(results: Rankings, preset: str) -> str:
    """Describe a ranking in one line."""
    (ranking,) = results.rankings
    (row,) = agreements(results)
    return (
        f"{row.arm.title(preset)} {row.arm.supernet}, seed {ranking.seed}: "
        f"tau {row.tau.mean:.3f}, rho {row.rho.mean:.3f}, {ranking.seconds:.0f} s"
    )
