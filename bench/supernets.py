"""Measure the standard set of supernets: python bench/supernets.py [NAME ...].

Each bench is `archwright bench supernet` in a process of its own, and writes
bench/results/NAME.json. A result that is there is left as it is, so the set can be stopped and gone
on with; remove a file to measure it again. Leave the machine alone meanwhile. Then:

    python bench/figures.py    # docs/images
    python bench/tables.py     # docs/results.md
"""

import argparse
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

RESULTS = Path(__file__).parent / "results"
_PROGRAM = "import sys; from archwright.cli import main; sys.exit(main())"
_STAGES = "none/fused,pms,pms+fms,pms+fms+merge,all"

STANDARD: dict[str, tuple[str, ...]] = {
    "nasbench201": (
        *("--space", "nasbench201", "--channels", "16", "--cells", "5", "--batch-size", "64"),
        *("--simplify", _STAGES),
    ),
    "darts": (
        *("--space", "darts", "--channels", "16", "--cells", "8", "--batch-size", "16"),
        *("--simplify", _STAGES),
    ),
    "exaggerated": (  # TopoNAS, Table VI
        *("--space", "toponas-exaggerated", "--channels", "16", "--cells", "8"),
        *("--batch-size", "16", "--simplify", "pms,fms,pms+fms,all", "--repeats", "5"),
    ),
    **{  # TopoNAS, Fig. 8
        f"candidates-{number:02d}": (
            *("--space", f"toponas-{number}", "--channels", "16", "--cells", "8"),
            *("--batch-size", "16", "--simplify", "all", "--repeats", "3"),
        )
        for number in range(4, 17, 3)  # a naive step of the largest takes 20 s
    },
}
"""The flags of each bench, by the name of its result file."""


def missing(names: Sequence[str], results: Path = RESULTS) -> list[str]:
    """Those of `names` (of all, without any) that have no result yet, in the set's order."""
    wanted = names or tuple(STANDARD)
    return [n for n in STANDARD if n in wanted and not (results / f"{n}.json").exists()]


def command(name: str, more: Sequence[str] = (), results: Path = RESULTS) -> list[str]:
    """The command line that measures `name`; flags in `more` come last, and count."""
    flags = [*STANDARD[name], *more, "--out", str(results / f"{name}.json")]
    return [sys.executable, "-c", _PROGRAM, "bench", "supernet", *flags]


def main(words: Sequence[str] | None = None) -> int:
    """Measure what is missing; the exit code of the first bench that fails, else 0."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", help="only these (else all): " + ", ".join(STANDARD))
    parser.add_argument("--threads", type=int, help="threads on the CPU (else PyTorch's choice)")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1 or mps")
    parser.add_argument("--repeats", type=int, help="timed steps of each row (else the set's own)")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder to write to")
    given = parser.parse_args(words)
    if wrong := [name for name in given.names if name not in STANDARD]:
        parser.error(f"unknown bench {wrong[0]!r}: known are {', '.join(STANDARD)}")
    more = ["--device", given.device]
    more += [] if given.threads is None else ["--threads", str(given.threads)]
    more += [] if given.repeats is None else ["--repeats", str(given.repeats)]
    todo = missing(given.names, given.results)
    done = len(given.names or STANDARD) - len(todo)
    if done:
        print(f"{done} measured before: their files are left as they are", flush=True)
    for position, name in enumerate(todo, 1):
        print(f"{position}/{len(todo)} {name}", flush=True)
        started = time.monotonic()
        code = subprocess.run(command(name, more, given.results), check=False).returncode
        if code:
            return code
        print(f"{name} took {time.monotonic() - started:.0f} s", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
