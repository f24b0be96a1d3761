"""Peaks of memory on the CPU, measured in a process of their own.

In one that has already run networks, what is resident depends on the fragments that they left.
"""

import json
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

import torch

from archwright.bench.contest import Contest, Entrant
from archwright.bench.entrants import build_entrants, make_batch
from archwright.bench.peak import Peak, map_tensors
from archwright.bench.supernet_config import SupernetConfig
from archwright.runs.device import make_fabric
from archwright.spaces import get_space

_PROGRAM = "from archwright.bench.peaks import answer; answer()"


def peaks_apart(config: SupernetConfig, entrants: Sequence[Entrant]) -> list[Peak]:
    """The peak of a step of each entrant, in the memory format that it has."""
    task = {
        "settings": {**config.settings(), "device": "cpu", "threads": torch.get_num_threads()},
        "formats": [entrant.memory_format for entrant in entrants],
    }
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM],
        input=json.dumps(task),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        reason = f"the process that measures it ended with code {done.returncode}"
        return [(None, reason)] * len(entrants)
    return [(peak, missing) for peak, missing in json.loads(done.stdout.splitlines()[-1])]


def answer() -> None:
    """Measure what standard input asks for, and print the peaks as JSON."""
    map_tensors()
    task: dict[str, Any] = json.load(sys.stdin)
    config = SupernetConfig(**task["settings"])
    torch.set_num_threads(config.threads or 1)
    fabric = make_fabric(config.device, config.precision)
    space = get_space(config.space)
    entrants = build_entrants(config, space, fabric.device)
    images, labels = make_batch(config, space, fabric.device)
    contest = Contest(fabric, entrants, images, labels)
    peaks: list[Peak] = []
    for entrant, memory_format in zip(entrants, task["formats"], strict=True):
        entrant.lay_out(memory_format)
        peaks.append(contest.peak(entrant))
    print(json.dumps(peaks))
