"""Resumable benchmarks: measure the missing cases of a results file, and keep each as it ends."""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from archwright.bench.engine.results import Conditions, adding_to, write_results

_C = TypeVar("_C", bound=Conditions)
_Case = TypeVar("_Case")
_Row = TypeVar("_Row")


def measure_missing(
    path: Path,
    cases: Sequence[_Case],
    *,
    read: Callable[[], _C],
    is_done: Callable[[_C, _Case], bool],
    measure: Callable[[_C, _Case], _Row],
    add: Callable[[_C, _Row], _C],
    describe: Callable[[_Row], str],
) -> _C:
    """Measure each case that is missing in `path`, and return all rows that it then has.

    After each case the file is written again, so that an interruption loses nothing; other
    processes may add to it meanwhile. One line per case, by `describe`, goes to standard error.

    Raises:
        RunError: as `read`, or another process writes for minutes on end.
    """
    results = read()
    for number, case in enumerate(cases, 1):
        if is_done(results, case):
            continue
        row = measure(results, case)
        results = append(path, row, read=read, add=add)
        print(f"{number}/{len(cases)} {describe(row)}", file=sys.stderr, flush=True)
    return results


def append(path: Path, row: _Row, *, read: Callable[[], _C], add: Callable[[_C, _Row], _C]) -> _C:
    """Add a row to the present content of `path`, perhaps by another process, and return all rows.

    Raises:
        RunError: as `measure_missing`.
    """
    with adding_to(path):
        results = add(read(), row)
        write_results(path, results)
    return results
