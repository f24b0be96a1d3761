"""Real processes that are killed: a run in a subprocess, ended with SIGKILL."""

import os
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from .helpers import traces

SCRIPT = """
import sys
from pathlib import Path
import torch
from archwright import {config}, {function}

torch.set_num_threads(1)
{function}({config}(**{settings!r}, out=Path(sys.argv[1]), resume=True))
"""


def script(path: Path, function: str, config: str, settings: dict[str, Any]) -> Path:
    """A script that starts a run, or goes on with it, in the folder that it is given."""
    path.write_text(SCRIPT.format(config=config, function=function, settings=settings))
    return path


def run(path: Path, out: Path, kill_after: float | None = None) -> bool:
    """Run the script; whether it came to its end before it was killed."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    command = [sys.executable, "-W", "error", str(path), str(out)]
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE)
    try:
        _, errors = process.communicate(timeout=kill_after)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return False
    assert process.returncode == 0, errors.decode()
    return True


def kill_often(path: Path, folder: Path, *, trials: int, seed: int) -> list[str]:
    """Kill a run at random moments, once or twice, and go on with it; what differed, if anything.

    The moments are spread evenly from just after the start to the end.
    """
    began = time.monotonic()
    run(path, folder / "straight")
    whole = time.monotonic() - began
    expected = traces(folder / "straight")
    generator = random.Random(seed)
    wrong: list[str] = []
    for trial in range(trials):
        out = folder / f"trial{trial}"
        moments = [whole * (trial + generator.random()) / trials]
        if trial % 3 == 0:
            moments.append(whole * generator.random())
        ended = [run(path, out, moment) for moment in moments]
        run(path, out)
        at = ", ".join(f"{m:.2f} s of {whole:.2f}" for m in moments)
        found = traces(out)
        different = [name for name, content in expected.items() if found[name] != content]
        print(f"killed at {at}; ended before {ended}; differing: {different}")
        wrong += [f"seed {seed}, killed at {at}: {name} differs" for name in different]
    return wrong
