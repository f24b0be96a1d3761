"""Write the tables of docs from bench/results: python bench/tables.py [--check].

What stands between `<!-- begin:NAME -->` and `<!-- end:NAME -->` is made here, all else is left
alone. With --check nothing is written, and the exit code is 1 if the page is not up to date.
"""

import argparse
import json
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from archwright.bench import ablation_pages, pages, predictor_pages, pruning_pages, supernet_pages
from archwright.bench.budgets_table import budgets
from archwright.bench.headlines import headlines
from archwright.bench.markdown import table_text
from archwright.bench.tabulate import Table
from archwright.errors import ArchwrightError, RunError
from archwright.io.files import write_text

HERE = Path(__file__).parent
RESULTS, PEERS = HERE / "results", HERE / "peers.json"
PAGE = HERE.parent / "docs" / "results.md"

SPACES = {"nasbench201": "NAS-Bench-201 space", "darts": "DARTS space"}


def supernets(results: Path) -> str:
    """A table for each supernet that was measured."""
    made = supernet_pages.supernets(results)
    drawn = _picture("supernet-cost.svg", "Memory and time of each stage, and those of peers")
    return "\n\n".join([*drawn, made]) if made else ""


def candidates(results: Path) -> str:
    """One table over the numbers of candidates that were measured."""
    made = supernet_pages.candidates(results)
    drawn = _picture("candidates.svg", "Time and memory against the number of candidates")
    return "\n\n".join([*drawn, made]) if made else ""


def peers(results: Path) -> str:
    """What was measured of other implementations."""
    held = json.loads(PEERS.read_text(encoding="utf-8"))
    columns = ("implementation", "saved MB", "x discrete", "step x discrete", "ATen calls forward")
    parts = [
        f"**{SPACES[space]}**\n\n"
        + _table(
            columns,
            (
                (
                    row["name"],
                    f"{row['saved_mb']:,}",
                    f"{row['memory_ratio']:.2f}",
                    f"{row['time_ratio']:g}",
                    f"{row['aten_ops_forward']:,}",
                )
                for row in rows
            ),
        )
        for space, rows in held["spaces"].items()
    ]
    return "\n\n".join([held["how"], *parts])


def pruning(results: Path) -> str:
    """Ways to prune beside each other, before and after fine-tuning."""
    text = "Accuracy against multiply-accumulates, by way of pruning"
    return pruning_pages.pruning(results, lambda name: _picture(f"{name}.svg", text))


def nasbench201(results: Path) -> str:
    """The methods with and without simplification, and the tests of the difference."""
    made = pages.nasbench201(results)
    drawn = _picture("search-cost.svg", "Accuracy against normalised cost, with and without")
    return "\n\n".join([*drawn, made]) if made else ""


BLOCKS: dict[str, Callable[[Path], str]] = {
    "supernets": supernets,
    "candidates": candidates,
    "peers": peers,
    "nasbench201": nasbench201,
    "ablation": pages.ablation,
    "rank": pages.rank,
    "darts": pages.darts,
    "pruning": pruning,
    "budgets": budgets,
}


OTHERS: dict[Path, dict[str, Callable[[Path], str]]] = {
    HERE.parent / "README.md": {"headlines": headlines},
    PAGE.parent / "which-method.md": {"methods": pages.methods},
    PAGE.parent / "protocol.md": {"tried": pages.tried},
    PAGE.parent / "cost.md": {
        "predictor": predictor_pages.predictor,
        "profiles": predictor_pages.profiles,
    },
    PAGE.parent / "lowering.md": {"parts": supernet_pages.step_parts},
    PAGE.parent / "diffgraph.md": {
        "parts": ablation_pages.parts,
        "penalties": ablation_pages.penalties,
    },
}
"""The tables of other pages."""


def fill(
    page: str, results: Path, blocks: Mapping[str, Callable[[Path], str]] | None = None
) -> str:
    """`page` with what stands between its markers made anew.

    Raises:
        RunError: a marker is missing, or a file holds no results of this version.
    """
    for name, make in (BLOCKS if blocks is None else blocks).items():
        begin, end = f"<!-- begin:{name} -->", f"<!-- end:{name} -->"
        if page.count(begin) != 1 or page.count(end) != 1 or page.index(end) < page.index(begin):
            raise RunError(f"the page needs {begin} and {end} behind it, each once")
        made = make(results)
        block = f"{begin}\n\n{made}\n\n{end}" if made else f"{begin}\n{end}"
        pattern = f"{re.escape(begin)}.*{re.escape(end)}"
        page = re.sub(pattern, lambda _, block=block: block, page, flags=re.DOTALL)
    return page


def _picture(name: str, text: str) -> list[str]:
    """A line that shows a picture of docs/images, if it has been drawn."""
    return [f"![{text}](images/{name})"] if (PAGE.parent / "images" / name).exists() else []


def _table(columns: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    return table_text(Table(columns, list(rows), texts=1))


def main(words: Sequence[str] | None = None) -> int:
    """Write the page, or say whether it is up to date."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true", help="write nothing")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder to read")
    parser.add_argument("--page", type=Path, default=PAGE, help="page to write")
    given = parser.parse_args(words)
    wanted = {given.page: BLOCKS}
    if given.page == PAGE:
        wanted |= OTHERS
    stale = 0
    for page, blocks in wanted.items():
        before = page.read_text(encoding="utf-8")
        try:
            after = fill(before, given.results, blocks)
        except ArchwrightError as error:
            print(f"tables: error: {error}", file=sys.stderr)
            return 1
        if after != before and given.check:
            print(f"{page.name} is not what bench/results says: run {__file__}")
            stale = 1
        elif after != before:
            write_text(page, after)
    return stale


if __name__ == "__main__":
    sys.exit(main())
