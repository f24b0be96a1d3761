"""Draw docs/images from bench/results: python bench/figures.py.

The same results give the same files, byte for byte, with the same matplotlib. The colours are
those of Okabe and Ito, which stay apart under every common colour blindness; the ground is white.
"""

import argparse
import io
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib

from archwright.bench.engine.results import Results
from archwright.bench.nasbench201.comparison import SearchSummary, summarise_searches
from archwright.bench.nasbench201.searches import Searches
from archwright.bench.pruning.config import WHOLE
from archwright.bench.pruning.measurements import PruningSummary, summarise_prunings
from archwright.errors import ArchwrightError, RunError
from archwright.io.files import write_bytes
from docs_tables.nasbench201 import read_all_searches
from docs_tables.pruning import read_all_prunings
from docs_tables.supernet import lowered, read_all_supernets, read_candidates, row_title, timed

matplotlib.use("svg")

from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

HERE = Path(__file__).parent
RESULTS, PEERS = HERE / "results", HERE / "peers.json"
IMAGES = HERE.parent / "docs" / "images"

TITLES = {"nasbench201-b64-t2": "NAS-Bench-201 space", "darts-b16-t2": "DARTS space"}
_RATIOS = {"memory_ratio": "memory saved for backward", "time_ratio": "time of a step"}
_BLUE, _ORANGE, _VERMILION, _PURPLE, _GREY = "#0072B2", "#E69F00", "#D55E00", "#CC79A7", "#999999"
_GREEN, _SKY, _BLACK = "#009E73", "#56B4E9", "#000000"
_COLOURS = {None: _GREY, "naive": _VERMILION, "fused": _BLUE}
"""Of a supernet by its lowering; without one it is of other code."""
_WAYS: dict[tuple[str, str | None], tuple[str, str, str]] = {
    ("nodes", "linear+se"): (_BLUE, "-", "o"),
    ("nodes", "linear"): (_BLUE, "--", "^"),
    ("nodes", "se"): (_SKY, "--", "v"),
    ("nodes", "sum"): (_SKY, ":", "s"),
    ("gates", "linear+se"): (_BLACK, "--", "d"),
    ("taylor", "linear+se"): (_BLACK, "-", "d"),
    ("random", "linear+se"): (_PURPLE, "-", "x"),
    ("channels", None): (_VERMILION, "-", "s"),
    ("channels-global", None): (_VERMILION, "--", "D"),
    ("channels-unrounded", None): (_VERMILION, ":", "s"),
    ("channels-global-unrounded", None): (_VERMILION, "-.", "D"),
    ("operations", None): (_ORANGE, "-", "^"),
    ("operations-taylor", None): (_ORANGE, "--", "v"),
    ("fresh", "linear+se"): (_GREEN, "-", "P"),
    ("narrower", None): (_GREEN, "--", "X"),
    ("whole", None): (_GREEN, ":", "*"),
}
"""Colour, line and marker of each way to prune."""
_CYCLE = (_BLUE, _VERMILION, _GREEN, _ORANGE, _PURPLE, _SKY, _BLACK, _GREY)
_STYLE: dict[Any, Any] = {
    "svg.hashsalt": "archwright",
    "svg.fonttype": "path",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
}


def cost_per_stage(found: dict[str, Results], peers: dict[str, Any]) -> Figure:
    """Draw memory and time of each row, in multiples of the discrete network's; peers are lines."""
    figure, grid = plt.subplots(
        len(found), 2, figsize=(10, 0.6 + 2.9 * len(found)), squeeze=False, layout="constrained"
    )
    for across, (name, results) in zip(grid, found.items(), strict=True):
        rows = [row for row in results.rows if row["variant"] != "discrete"]
        for axes, (ratio, what) in zip(across, _RATIOS.items(), strict=True):
            _bars(axes, rows, ratio)
            _lines(axes, peers[results.settings["space"]], ratio)
            axes.set_title(f"{TITLES[name]}: {what}", loc="left", fontsize=10)
            axes.set_xlabel("times the discrete network")
        across[1].set_yticklabels([])
    return figure


def _bars(axes: Axes, rows: Sequence[dict[str, Any]], ratio: str) -> None:
    names = [row_title(row) for row in rows]
    values = [row[ratio] for row in rows]
    colours = [_COLOURS[row["lowering"]] for row in rows]
    places = list(range(len(rows)))[::-1]
    bars = axes.barh(places, values, color=colours, height=0.65)
    ground = {"facecolor": "white", "edgecolor": "none", "pad": 0.8}  # lines cross behind numbers
    axes.bar_label(bars, [f"{v:.2f}" for v in values], padding=4, bbox=ground, zorder=5)
    axes.set_yticks(places, names)
    axes.set_ylim(-0.6, len(rows) - 0.4)
    axes.margins(x=0.14)


def _lines(axes: Axes, peers: Sequence[dict[str, Any]], ratio: str) -> None:
    axes.axvline(1, color=_GREY, linewidth=1, label="discrete network")
    for peer, (colour, dash) in zip(peers, ((_PURPLE, "--"), (_ORANGE, "-.")), strict=True):
        label = f"{peer['name']}: {peer[ratio]:g}"
        axes.axvline(peer[ratio], color=colour, linestyle=dash, linewidth=1.6, label=label)
    axes.set_xlim(0, max(axes.get_xlim()[1], 1.08 * max(peer[ratio] for peer in peers)))
    axes.legend(loc="lower right", fontsize=8, framealpha=0.95)


def candidates(found: Sequence[Results]) -> Figure:
    """Draw time and memory against the number of candidates, with and without simplification."""
    figure, both = plt.subplots(1, 2, figsize=(10, 3.6), layout="constrained")
    order = sorted(found, key=lambda results: results.settings["candidates"])
    numbers = [results.settings["candidates"] for results in order]
    kinds = (
        (("none", "naive"), "none/naive", _VERMILION, "s", "-"),
        (("all", "naive"), "all/naive", _VERMILION, "s", "--"),
        (("none", "fused"), "none/fused", _BLUE, "o", "-"),
        (("all", "fused"), "all/fused", _BLUE, "o", "--"),
        ((None, "naive"), "discrete network", _GREY, "", "-"),
    )
    for axes, (field, unit, title) in zip(
        both,
        (("step_s", 1.0, "time of a step, s"), ("saved_bytes", 1e9, "saved for backward, GB")),
        strict=True,
    ):
        for kind, label, colour, marker, dash in kinds:
            values = [_of(results, *kind)[field] / unit for results in order]
            axes.plot(*(numbers, values, dash), color=colour, marker=marker or None, label=label)
        axes.set_title(title, loc="left", fontsize=10)
        axes.set_xlabel("candidate operations on an edge")
        axes.set_xticks(numbers)
        axes.set_ylim(bottom=0)
        axes.grid(axis="y", color="#dddddd")
    both[0].legend(frameon=False)
    return figure


def pruning(found: Sequence[PruningSummary]) -> Figure:
    """Draw accuracy against the share of multiply-accumulates, before and after fine-tuning."""
    figure, both = plt.subplots(1, 2, figsize=(10, 3.8), layout="constrained")
    whole = next((row for row in found if row.method == WHOLE), None)
    titles = ("before tuning, statistics taken anew", "after tuning")
    for axes, field, title in zip(both, ("top1_pruned", "top1"), titles, strict=True):
        if whole is not None:
            value = getattr(whole, field).mean
            axes.axhline(value, color=_GREY, linestyle="--", linewidth=1, label="unpruned")
        for (method, fusion), (colour, dash, marker) in _WAYS.items():
            own = [
                (row.macs, getattr(row, field))
                for row in found
                if (row.method, row.fusion) == (method, fusion) and getattr(row, field)
            ]
            if not own:
                continue
            macs, values = zip(*own, strict=True)
            axes.errorbar(
                macs,
                [value.mean for value in values],
                [value.deviation or 0.0 for value in values],
                **{"color": colour, "linestyle": dash, "marker": marker},
                **{"linewidth": 1.4, "markersize": 4.5, "elinewidth": 0.8, "capsize": 2},
                label=method if fusion in (None, "linear+se") else f"{method}, {fusion}",
            )
        axes.set_title(title, loc="left", fontsize=10)
        axes.set_xlabel("share of the multiply-accumulates that is left")
        axes.grid(axis="y", color="#dddddd")
    both[0].set_ylabel("top-1, %")
    figure.legend(*both[1].get_legend_handles_labels(), loc="outside right upper", frameon=False)
    return figure


def searches(found: Sequence[Searches]) -> Figure:
    """Draw accuracy on ImageNet16-120 against normalised cost (TopoNAS, Fig. 7).

    An arrow goes from each method to the same one on the simplified supernet. A panel for all
    searches that were measured alike.
    """
    figure, grid = plt.subplots(
        1, len(found), figsize=(1.5 + 5.5 * len(found), 4.4), squeeze=False, layout="constrained"
    )
    for axes, results in zip(grid[0], found, strict=True):
        rows = summarise_searches(
            [s for s in results.searches if s.arm.supernet in ("none", "all")]
        )
        methods = dict.fromkeys(
            row.arm.title(results.settings["preset"])
            for row in rows
            if row.normalised_cost is not None
        )
        for place, method in enumerate(methods):
            own = [r for r in rows if r.arm.title(results.settings["preset"]) == method]
            _arrow(axes, own, method, _CYCLE[place % len(_CYCLE)])
        for row in rows:
            if row.normalised_cost is None:
                value = row.accuracies["imagenet16"].mean
                axes.axhline(value, color=_GREY, linestyle="--", linewidth=1, label="random")
        title = f"{results.searches[0].images}, preset {results.settings['preset']}"
        axes.set_title(title, loc="left", fontsize=10)
        axes.set_xlabel("normalised cost")
        axes.margins(0.12)
        axes.grid(color="#dddddd")
        axes.legend(frameon=False, fontsize=8)
    grid[0][0].set_ylabel("ImageNet16-120 test accuracy, %")
    return figure


def _arrow(axes: Axes, rows: Sequence[SearchSummary], method: str, colour: str) -> None:
    """Draw the points of a method: hollow as published, filled on the simplified supernet."""
    places = {
        row.arm.supernet: (row.normalised_cost, row.accuracies["imagenet16"].mean)
        for row in rows
        if row.normalised_cost is not None
    }
    for supernet, (cost, accuracy) in places.items():
        filled = supernet == "all"
        labelled = filled or "all" not in places
        axes.plot(
            [cost],
            [accuracy],
            marker="o",
            linestyle="",
            color=colour,
            markerfacecolor=colour if filled else "white",
            label=method if labelled else None,
            zorder=3,
        )
    if len(places) == 2:
        axes.annotate(
            "",
            xy=places["all"],
            xytext=places["none"],
            arrowprops={"arrowstyle": "->", "color": colour, "shrinkA": 5, "shrinkB": 5},
        )


def _of(results: Results, simplify: str | None, lowering: str) -> dict[str, Any]:
    rows = lowered(results)
    if (simplify, lowering) not in rows:
        raise RunError(
            f"no row {simplify}/{lowering} in the results of `{results.command}`: measure it again"
        )
    return rows[simplify, lowering]


def save(figure: Figure, path: Path) -> None:
    """Write `figure` to `path`, whole or not at all, without a date in it."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None})
    plt.close(figure)
    write_bytes(path, buffer.getvalue())


def draw(results: Path, images: Path) -> list[Path]:
    """Draw what there are results for, and return the files that were written.

    Raises:
        RunError: there is no result at all, or a file holds none of this version.
    """
    peers = json.loads(PEERS.read_text(encoding="utf-8"))["lines"]
    stages = read_all_supernets(results)
    found = {name: stages[name] for name in TITLES if name in stages and timed(stages[name])}
    family = [one for one in read_candidates(results) if timed(one)]
    pruned = read_all_prunings(results)
    methods = [one for one in read_all_searches(results) if one.settings["supernets"] == 1]
    if not found and not family and not pruned and not methods:
        raise RunError(f"no results in {results}: run bench/supernets.py")
    written: list[Path] = []
    with plt.rc_context(_STYLE):
        if found:
            written.append(images / "supernet-cost.svg")
            save(cost_per_stage(found, peers), written[-1])
        if family:
            written.append(images / "candidates.svg")
            save(candidates(family), written[-1])
        if methods:
            written.append(images / "search-cost.svg")
            save(searches(methods), written[-1])
        for name, (_, rows) in pruned.items():
            written.append(images / f"{name}.svg")
            save(pruning(summarise_prunings(rows)), written[-1])
    return written


def main(words: Sequence[str] | None = None) -> int:
    """Draw, and name what was drawn."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder to read")
    parser.add_argument("--images", type=Path, default=IMAGES, help="folder to write to")
    given = parser.parse_args(words)
    try:
        print("\n".join(map(str, draw(given.results, given.images))))
    except ArchwrightError as error:
        print(f"figures: error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
