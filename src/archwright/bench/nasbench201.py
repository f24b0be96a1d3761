"""Searches on the NAS-Bench-201 space, one after the other, kept as they end."""

import gc
import sys
import time
from dataclasses import replace
from pathlib import Path

import torch

from archwright.bench.contestants import Contestant
from archwright.bench.freeze import require_frozen, settings_hash
from archwright.bench.memory import step_bytes
from archwright.bench.nasbench201_config import Nasbench201Config
from archwright.bench.results import adding_to, read_or, require_writable
from archwright.bench.searches import Search, Searches, read_searches, write_searches
from archwright.bench.threads import threads
from archwright.engine.device import make_fabric
from archwright.engine.folder import RunFolder, read_config
from archwright.errors import RunError
from archwright.nas.loop.search import search
from archwright.nas.presets import preset_options
from archwright.spaces import write_architecture
from archwright.tables import nasbench201


def bench_nasbench201(config: Nasbench201Config) -> Searches:
    """Run the searches that are missing; all that the results file then holds.

    After each search the file is written anew, so that nothing is lost when this is stopped.

    Raises:
        RunError: the results file cannot be written; it, or a run folder, is of another version or
            of other settings.
        ConfigError, DataError, DivergedError: as `search`.
    """
    require_writable(config.file)
    with threads(config.threads):
        return _Bench(config).run()


class _Bench:
    """One bench while it runs."""

    def __init__(self, config: Nasbench201Config) -> None:
        self.config = config
        self.device = make_fabric(config.device, config.precision).device
        self.empty = Searches(**config.conditions(self.device))

    def run(self) -> Searches:
        """Every search that is left: a seed of all contestants, then the next."""
        held = self._held()
        wanted = [(one, seed) for seed in self.config.all_seeds for one in self.config.contestants]
        for one, seed in wanted:
            require_frozen(self.config.search(one, seed))
        for one, seed in wanted:
            found = held.find(one, seed)
            if found is not None:
                self._require_options(found)
        for number, (one, seed) in enumerate(wanted, 1):
            found = held.find(one, seed)
            if found is None:
                found = self._search(held, one, seed)
                held = self._keep(found)
                place = f"{number}/{len(wanted)}"
                print(f"{place} {self._line(found)}", file=sys.stderr, flush=True)
        return held

    def _held(self) -> Searches:
        """What the results file holds now."""
        return read_or(self.config.file, self.empty, read_searches)

    def _keep(self, found: Search) -> Searches:
        """Add a search to what the file holds now, perhaps by another process."""
        with adding_to(self.config.file):
            return self._with(found)

    def _with(self, found: Search) -> Searches:
        """The file written anew with that search."""
        one, seed = found.contestant, found.seed
        others = (s for s in self._held().searches if (s.contestant, s.seed) != (one, seed))
        searches = (*others, found)
        titles = {search.images for search in searches}
        if len(titles) > 1:
            raise RunError(
                f"{self.config.file} would hold searches on {' and '.join(sorted(titles))}: "
                f"give another --out"
            )
        command = Nasbench201Config.command(self.empty.settings, searches)
        held = replace(self.empty, command=command, searches=searches)
        write_searches(self.config.file, held)
        return held

    def _require_options(self, found: Search) -> None:
        one = found.contestant
        now = settings_hash(self.config.search(one, found.seed))
        if found.settings_hash != now:
            raise RunError(
                f"{self.config.file} holds searches of {one.method} with other settings than "
                f"preset {one.preset} has now: give another --out and --runs"
            )

    def _search(self, held: Searches, one: Contestant, seed: int) -> Search:
        config = self.config.search(one, seed)
        measured = [s.saved_bytes for s in held.searches if s.contestant == one]
        alone = not (config.out / "config.json").exists()  # nothing of it was done elsewhere
        before = self._reset_peak()
        started = time.process_time()
        result = search(config)
        spent = time.process_time() - started
        peak = self._peak(before)
        return Search(
            contestant=one,
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
        """What a search came to, on one line."""
        entry = nasbench201.lookup(found.architecture)
        one = found.contestant
        reached = (entry.cifar10_test, entry.cifar100_test, entry.imagenet16_test)
        return (
            f"{one.title(self.config.preset)} {one.supernet}, seed {found.seed}: "
            f"{found.architecture} {' / '.join(f'{value:.2f}' for value in reached)} %, "
            f"rank {entry.rank:,}, {found.seconds:.0f} s"
        )


def _last_weights(folder: Path) -> dict[str, list[float]] | None:
    """What the search in a run folder was derived from, if one supernet's alpha learned it."""
    records = RunFolder(folder).log.records()
    stop = next((r for r in records if r["event"] == "stop"), None)
    epochs = [r for r in records if r["event"] == "epoch" and "alpha" in r]
    if stop is not None:
        epochs = [r for r in epochs if r["epoch"] == stop["taken"]]
    return epochs[-1]["alpha"] if epochs else None
