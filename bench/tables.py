"""Write the tables of docs from bench/results: python bench/tables.py [--check].

What stands between `<!-- begin:NAME -->` and `<!-- end:NAME -->` is made here, all else is left
alone. With --check nothing is written, and the exit code is 1 if the page is not up to date.
"""

import argparse
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from archwright.errors import ArchwrightError, RunError
from archwright.io.files import write_text
from docs_tables.markdown import DOCS
from docs_tables.registry import all_blocks

RESULTS = Path(__file__).parent / "results"
PAGE = DOCS / "results.md"
PAGES = all_blocks()
"""The tables of each page: marker, and what makes the table."""
BLOCKS = PAGES[PAGE]


def fill(
    page: str, results: Path, blocks: Mapping[str, Callable[[Path], str]] | None = None
) -> str:
    """Return `page` with what stands between its markers made anew.

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


def main(words: Sequence[str] | None = None) -> int:
    """Write the pages, or say whether they are up to date."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true", help="write nothing")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder to read")
    parser.add_argument("--page", type=Path, default=PAGE, help="page to write")
    given = parser.parse_args(words)
    wanted = PAGES if given.page == PAGE else {given.page: BLOCKS}
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
