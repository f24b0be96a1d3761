"""Measure the standard set of supernets: python bench/supernets.py [NAME ...].

Each bench is `archwright bench supernet` in a process of its own, and writes
bench/results/supernet-NAME.json; the first are those that the README needs. All of them go on where
they were stopped: what has been counted and timed is left as it is. Remove a file to measure it
again. With --repeats 0 only what does not depend on the machine's load is counted; while steps are
timed, leave the machine alone. Then:

    python bench/figures.py    # docs/images
    python bench/tables.py     # docs, README.md

The supernet of the original DARTS code has a row of its own, in turns with ours. That code is not
part of this repository: see bench/original_darts.py.
"""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from archwright.bench.engine.results import read_results
from docs_tables.supernet import result_path

HERE = Path(__file__).parent
RESULTS = HERE / "results"
_PROGRAM = "import sys; from archwright.cli import main; sys.exit(main())"
_ORIGINAL = ("--beside", "bench/original_darts.py")
_DARTS = ("--space", "darts", "--channels", "16", "--cells", "8")
_PARTS = ("none", "pms", "fms", "pms+fms", "all")
_STAGES = ("none", "pms", "fms", "pms+fms", "pms+fms+merge", "all")


def _both(stages: Sequence[str]) -> tuple[str, str]:
    """Return the flag for a row of each simplification as written, and one of each fused."""
    rows = [f"{stage}/{lowering}" for lowering in ("naive", "fused") for stage in stages]
    return "--simplify", ",".join(rows)


def _darts(batch: int, threads: int, stages: Sequence[str], repeats: int) -> tuple[str, ...]:
    how = ("--batch-size", str(batch), "--threads", str(threads), "--repeats", str(repeats))
    return (*_DARTS, *how, *_both(stages), *_ORIGINAL)


_NO_PEAKS = ("--no-peaks",)
"""Where they would take long: in a process of its own, each larger tensor is mapped anew."""


STANDARD: dict[str, tuple[str, ...]] = {
    "darts-b16-t2": _darts(16, 2, _STAGES, 5),
    "darts-b64-t2": (*_darts(64, 2, ("none", "all"), 2), *_NO_PEAKS),
    "darts-b16-t1": (*_darts(16, 1, ("none", "all"), 3), *_NO_PEAKS),
    "darts-b64-t1": (*_darts(64, 1, ("none", "all"), 1), *_NO_PEAKS),
    "nasbench201-b64-t2": (
        *("--space", "nasbench201", "--channels", "16", "--cells", "5", "--batch-size", "64"),
        *("--threads", "2", "--repeats", "5", *_both(_STAGES)),
    ),
    "exaggerated-b16-t2": (  # TopoNAS, Table VI
        *("--space", "toponas-exaggerated", "--channels", "16", "--cells", "8"),
        *("--batch-size", "16", "--threads", "2", "--repeats", "1", *_both(_PARTS)),
        *_NO_PEAKS,
    ),
    **{  # TopoNAS, Fig. 8
        f"candidates-{number:02d}": (
            *("--space", f"toponas-{number}", "--channels", "16", "--cells", "8"),
            *("--batch-size", "16", "--threads", "2", "--repeats", "1", *_both(("none", "all"))),
            *_NO_PEAKS,
        )
        for number in range(4, 17, 3)
    },
}
"""The flags of each bench, by the name of its result file."""


PARTS = "step-parts"
"""Name of the bench that splits the time of a step; it is measured last."""


def timed(name: str, results: Path = RESULTS) -> int | None:
    """Count the steps of each row that have been timed; None if it is not even counted."""
    path = result_path(results, name)
    if not path.exists():
        return None
    return min((row["times"] for row in read_results(path).rows), default=None)


def command(name: str, more: Sequence[str] = (), results: Path = RESULTS) -> list[str]:
    """Return the command line that measures `name`; flags in `more` come last, and count."""
    flags = [*STANDARD[name], *more, "--out", str(result_path(results, name).resolve())]
    return [sys.executable, "-c", _PROGRAM, "bench", "supernet", *flags]


def wanted(name: str, repeats: int | None) -> int:
    """Return how many steps of each row are to be timed."""
    flags = STANDARD[name]
    return int(flags[flags.index("--repeats") + 1]) if repeats is None else repeats


def main(words: Sequence[str] | None = None) -> int:
    """Measure what is missing, and return the exit code of the first that fails, else 0."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", help="only these (else all): " + ", ".join(STANDARD))
    parser.add_argument("--device", default="cpu", help="cpu, cuda or cuda:1")
    parser.add_argument("--repeats", type=int, help="timed steps of each row (else the set's own)")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder to write to")
    parser.add_argument("--list", action="store_true", help="show all commands, and run none")
    given = parser.parse_args(words)
    if wrong := [name for name in given.names if name not in STANDARD]:
        parser.error(f"unknown bench {wrong[0]!r}: known are {', '.join(STANDARD)}")
    more = ["--device", given.device]
    more += [] if given.repeats is None else ["--repeats", str(given.repeats)]
    names = [name for name in STANDARD if name in (given.names or STANDARD)]
    if given.list:
        for name in names:
            print(f"{name}: archwright {' '.join(command(name, more, given.results)[3:])}")
        return 0
    for position, name in enumerate(names, 1):
        done = timed(name, given.results)
        if done is not None and done >= wanted(name, given.repeats):
            print(f"{position}/{len(names)} {name} is left as it was measured", flush=True)
            continue
        print(f"{position}/{len(names)} {name}", flush=True)
        started = time.monotonic()
        words_of = command(name, more, given.results)
        code = subprocess.run(words_of, check=False, cwd=HERE.parent, env=os.environ).returncode
        if code:
            return code
        print(f"{name} took {time.monotonic() - started:.0f} s", flush=True)
    parts = given.results / f"{PARTS}.json"
    if given.names or given.repeats == 0 or parts.exists():
        return 0
    print(PARTS, flush=True)
    script = [sys.executable, str(HERE / "step_parts.py"), "--out", str(parts)]
    return subprocess.run(script, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
