"""Searches on the NAS-Bench-201 space, kept as they end."""

import gc
import time
from dataclasses import replace
from pathlib import Path

import torch

from archwright.bench.engine.arms import Arm
from archwright.bench.engine.freeze import require_frozen, settings_hash
from archwright.bench.engine.results import read_or, require_writable
from archwright.bench.engine.resume import measure_missing
from archwright.bench.instruments.step_memory import step_bytes
from archwright.bench.instruments.threads import threads
from archwright.bench.nasbench201.config import Nasbench201Config
from archwright.bench.nasbench201.searches import Search, Searches, read_searches
from archwright.engine.device import make_fabric
from archwright.engine.runs.folder import RunFolder, read_config
from archwright.errors import RunError
from archwright.nas.loop.search import search
from archwright.nas.presets import preset_options
from archwright.spaces import write_architecture
from archwright.tables import nasbench201


def bench_nasbench201(config: Nasbench201Config) -> Searches:
    """Run the missing searches, and return all searches of the results file.

    After each search the file is written again, so that an interruption loses nothing.

    Raises:
        RunError: the results file cannot be written; it, or a run folder, is of another version or
            of other settings.
        ConfigError, DataError, DivergedError: as `search`.
    """
    require_writable(config.file)
    with threads(config.threads):
        return _SearchesRun(config).run()


class _SearchesRun:
    """Study while it runs."""

    def __init__(self, config: Nasbench201Config) -> None:
        self.config = config
        self.device = make_fabric(config.device, config.precision).device
        self.empty = Searches(**config.conditions(self.device))

    def run(self) -> Searches:
        """Run every search that is left: a seed of all arms, then the next."""
        config = self.config
        cases = [(arm, seed) for seed in config.all_seeds for arm in config.arms]
        for arm, seed in cases:
            require_frozen(config.search(arm, seed))
        held = self._read()
        for arm, seed in cases:
            if (found := held.find(arm, seed)) is not None:
                self._require_options(found)
        return measure_missing(
            config.file,
            cases,
            read=self._read,
            is_done=lambda results, case: results.find(*case) is not None,
            measure=lambda results, case: self._search(results, *case),
            add=self._add,
            describe=self._line,
        )

    def _read(self) -> Searches:
        return read_or(self.config.file, self.empty, read_searches)

    def _add(self, held: Searches, found: Search) -> Searches:
        """Add a search, replacing one of the same arm and seed."""
        case = found.arm, found.seed
        searches = (*(s for s in held.searches if (s.arm, s.seed) != case), found)
        titles = {search.images for search in searches}
        if len(titles) > 1:
            raise RunError(
                f"{self.config.file} would hold searches on {' and '.join(sorted(titles))}: "
                f"give another --out"
            )
        command = Nasbench201Config.command(self.empty.settings, searches)
        return replace(self.empty, command=command, searches=searches)

    def _require_options(self, found: Search) -> None:
        one = found.arm
        now = settings_hash(self.config.search(one, found.seed))
        if found.settings_hash != now:
            raise RunError(
                f"{self.config.file} holds searches of {one.method} with other settings than "
                f"preset {one.preset} has now: give another --out and --runs"
            )

    def _search(self, held: Searches, one: Arm, seed: int) -> Search:
        config = self.config.search(one, seed)
        measured = [s.saved_bytes for s in held.searches if s.arm == one]
        alone = not (config.out / "config.json").exists()  # nothing of it was done elsewhere
        before = self._reset_peak()
        started = time.process_time()
        result = search(config)
        spent = time.process_time() - started
        peak = self._peak(before)
        return Search(
            arm=one,
            seed=seed,
            architecture=write_architecture(result.architecture),
            seconds=result.seconds,
            cpu_seconds=round(spent, 3) if alone else None,
            saved_bytes=measured[0] if measured else step_bytes(config),
            peak_bytes=peak if alone else None,
            options=preset_options(one.preset, one.method),
            settings_hash=settings_hash(config),
            weights=_last_weights(config.out),
            images=read_config(config.out)["data_title"],
        )

    def _reset_peak(self) -> int:
        if self.device.type != "cuda":
            return 0
        gc.collect()  # the supernet of the search before would count, and be freed on the way
        torch.cuda.reset_peak_memory_stats(self.device)
        return torch.cuda.memory_allocated(self.device)

    def _peak(self, before: int) -> int | None:
        if self.device.type != "cuda":
            return None
        return torch.cuda.max_memory_allocated(self.device) - before

    def _line(self, found: Search) -> str:
        """Describe the result of a search in one line."""
        entry = nasbench201.lookup(found.architecture)
        one = found.arm
        reached = (entry.cifar10_test, entry.cifar100_test, entry.imagenet16_test)
        return (
            f"{one.title(self.config.preset)} {one.supernet}, seed {found.seed}: "
            f"{found.architecture} {' / '.join(f'{value:.2f}' for value in reached)} %, "
            f"rank {entry.rank:,}, {found.seconds:.0f} s"
        )


def _last_weights(folder: Path) -> dict[str, list[float]] | None:
    """Read the weights that a search was derived from, if one supernet's alpha learned them."""
    records = RunFolder(folder).log.records()
    stop = next((r for r in records if r["event"] == "stop"), None)
    epochs = [r for r in records if r["event"] == "epoch" and "alpha" in r]
    if stop is not None:
        epochs = [r for r in epochs if r["epoch"] == stop["taken"]]
    return epochs[-1]["alpha"] if epochs else None
