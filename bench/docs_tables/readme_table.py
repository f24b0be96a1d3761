"""Table of the README: each figure is read from a file of results."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from statistics import mean

from archwright.bench.budgets.cases import mean_regrets, score_case
from archwright.bench.engine.results import Results, read_results
from archwright.bench.engine.table import NOTHING, Table
from archwright.bench.nasbench201.comparison import SearchSummary, summarise_searches
from archwright.bench.nasbench201.nulls import main_nulls
from archwright.bench.pruning.measurements import PruningSummary, parse_rows, summarise_prunings
from archwright.tables import nasbench201
from docs_tables.budgets import read_all_cases
from docs_tables.markdown import Blocks, table_text
from docs_tables.nasbench201 import read_all_searches
from docs_tables.supernet import lowered, read_all_supernets, timed

_FROM_FRESH = {
    "unpruned": "the whole network, trained on as long",
    "fresh": "the same nodes deleted, trained from fresh weights as long",
    "whole": "the whole network, as long in one go",
}
"""What it is compared with that a network is pruned at all."""
_ENOUGH = 10
"""Searches from which a mean is shown."""
_Rows = Iterator[tuple[str, str, str]]


def readme_table(folder: Path) -> str:
    """Return a row a figure, with what it is to be compared with, as far as it was measured."""
    rows = [row for figures in _FIGURES for row in figures(folder)]
    columns = ("on a CPU, with CIFAR-10 (JPEG)", "here", "to compare")
    return table_text(Table(columns, rows, texts=3)) if rows else ""


def _supernet(folder: Path) -> _Rows:
    """Yield the cost of a step of a supernet: memory, and time by the number of threads."""
    held = [one for name, one in read_all_supernets(folder).items() if name.startswith("darts-")]
    if not held:
        return
    step = "of a training step of the DARTS supernet, in those of a found network"
    yield f"Memory {step}", *_beside(held[:1], "memory_ratio")
    runs = [one for one in held if timed(one)]
    for count in dict.fromkeys(one.threads for one in runs):
        own = [one for one in runs if one.threads == count]
        batches = " and ".join(str(one.settings["batch_size"]) for one in own)
        how = f"{batches} images, {count} thread{'' if count == 1 else 's'}"
        yield f"Time {step}; {how}", *_beside(own, "time_ratio")


def _beside(held: Sequence[Results], ratio: str) -> tuple[str, str]:
    """Return the simplified, fused supernet; then that of other code, and the fused one alone."""

    def told(simplify: str, lowering: str | None) -> str:
        found = [lowered(one).get((simplify, lowering)) for one in held]
        return " and ".join(NOTHING if row is None else f"{row[ratio]:.1f}" for row in found)

    others = f"{told('none', None)} as commonly built, by the original code"
    return told("all", "fused"), f"{others}; {told('none', 'fused')} fused, not simplified"


def _searches(folder: Path) -> _Rows:
    """Yield the accuracy of what methods find, beside the nulls."""
    best, shown = float(nasbench201.accuracy().max()), set[tuple[str, int]]()
    for results in read_all_searches(folder):
        rows = summarise_searches(results.searches)
        found = {(row.arm.method, row.arm.supernet): row for row in rows}
        several = results.settings["supernets"]
        together = f" by {several} supernets" if several > 1 else ""
        for method in ("diffgraph", "darts"):
            here, plain = found.get((method, "all")), found.get((method, "none"))
            if here is None or here.n < _ENOUGH or (method, several) in shown:
                continue
            shown.add((method, several))  # of several freezes, the last one
            beside = [
                f"{null.accuracies['cifar10'].text()} %, {null.title}" for null in main_nulls()
            ]
            if plain is not None and plain.n == here.n:
                beside.insert(0, f"{_found(plain)}, not simplified")
            yield (
                f"Accuracy of what {method} finds in NAS-Bench-201{together}, where {best:.2f} % "
                "is the best",
                _found(here),
                "; ".join(beside),
            )


def _found(row: SearchSummary) -> str:
    taken = row.cpu_seconds if row.saved_bytes else None  # else nothing was trained
    time = "" if taken is None else f" in {taken:.0f} CPU s"
    return f"{row.accuracies['cifar10'].text()} %{time} (n = {row.n})"


def _budgets(folder: Path) -> _Rows:
    """Yield the regret of searches within budgets, by the method of the first file."""
    held = read_all_cases(folder)
    method = held[0].settings["method"] if held else None
    for results in held:
        settings = results.settings
        other = settings["published"] or settings["untrained"] or settings["separate"]
        if other or settings["size_percentile"] is not None or settings["method"] != method:
            continue
        outcomes, several = (
            [score_case(case) for case in results.rows],
            results.settings["supernets"],
        )
        devices = len({one.case.device for one in outcomes})
        known = f"{devices} devices" if devices > 1 else "one device"
        ours, largest, drawn = (
            mean_regrets(outcomes, of)["cifar10"] for of in ("regrets", "largest", "drawn")
        )
        said = f"{ours:.2f}"
        if several > 1:
            yield f"The same by {several} supernets that decide together", said, NOTHING
        else:
            yield (
                f"Points that answers of {method} to budgets on {known} are below the best within",
                said,
                f"{largest:.2f} for the most multiply-accumulates; {drawn:.2f} drawn at random",
            )


def _predictor(folder: Path) -> _Rows:
    """Yield the rank correlation of predicted latencies."""
    path = folder / "predictor.json"
    if not path.exists():
        return
    results = read_results(path)

    def span(name: str) -> str:
        devices = dict.fromkeys(row["device"] for row in results.rows)
        means = [mean(r[name] for r in results.rows if r["device"] == one) for one in devices]
        return f"{min(means):.3f} to {max(means):.3f}"

    samples = results.settings["samples"]
    question = f"Rank correlation of a device's latencies, learned from {samples} networks"
    yield question, span("spearman"), f"{span('additive_spearman')} for a sum over operations"


def _pruning(folder: Path) -> _Rows:
    """Yield what every way to prune costs at the largest target, in accuracy and in time."""
    path = folder / "pruning.json"
    if not path.exists():
        return
    rows = summarise_prunings(parse_rows(path, read_results(path)))
    target = max((row.target for row in rows if row.target < 1), default=None)
    own = [row for row in rows if row.target == target and row.behind is not None]
    here = [row for row in own if (row.method, row.fusion) == ("nodes", "linear+se")]
    others = [row for row in own if row.method != "nodes"]
    for row in here:
        alike = [
            f"{other.top1.text()}, {other.method} ({title})"
            for method, title in _FROM_FRESH.items()
            for other in rows
            if other.method == method and other.target in (1, row.target)
        ]
        yield (
            "Points behind the whole network trained alike when nodes are deleted and "
            f"{100 * row.target:g} % of the multiply-accumulates are left",
            _lost(row),
            "; ".join(f"{_lost(other)}, {other.method}" for other in others) or NOTHING,
        )
        yield (
            "Accuracy in % of what deleting these nodes leaves, fine-tuned",
            row.top1.text(),
            "; ".join(alike) or NOTHING,
        )


def _lost(row: PruningSummary) -> str:
    times = " and ".join(
        f"{time.mean:.2f} for {batch} {'image' if batch == 1 else 'images'}"
        for batch, time in row.time.items()
    )
    lost = "" if row.behind is None else f"{row.behind.text()} (n = {row.n})"
    return f"{lost} at a time of {times}" if times else lost


_FIGURES: Sequence[Callable[[Path], _Rows]] = (
    _supernet,
    _searches,
    _budgets,
    _predictor,
    _pruning,
)


BLOCKS: Blocks = {"../README.md": {"headlines": readme_table}}
