"""Peaks of memory on the CPU, measured in a process of their own.

In a process that has already run networks, resident memory depends on the fragments that they left.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch

from archwright.bench.instruments.peak import Peak, map_tensors
from archwright.bench.supernet.config import SupernetConfig
from archwright.bench.supernet.interleaved import InterleavedBenchmark
from archwright.bench.supernet.networks import build_networks, make_batch
from archwright.engine.device import make_fabric
from archwright.spaces import get_space

_PROGRAM = f"from {__name__} import measure_from_stdin; measure_from_stdin()"


def peaks_in_subprocess(config: SupernetConfig) -> list[Peak]:
    """Measure the peak of a step of each row, in PyTorch's own memory format."""
    task = {
        "settings": {**config.settings(), "device": "cpu", "threads": torch.get_num_threads()},
        "beside": None if config.beside is None else str(config.beside),
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
        return [(None, reason)] * len(config.variants)
    return [(peak, missing) for peak, missing in json.loads(done.stdout.splitlines()[-1])]


def measure_from_stdin() -> None:
    """Measure the peaks that standard input names, and print them as JSON."""
    map_tensors()
    task: dict[str, Any] = json.load(sys.stdin)
    settings: dict[str, Any] = task["settings"]
    settings["beside"] = None if task["beside"] is None else Path(task["beside"])
    config = SupernetConfig(**settings)
    torch.set_num_threads(config.threads or 1)
    fabric = make_fabric(config.device, config.precision)
    space = get_space(config.space)
    networks = build_networks(config, space, fabric.device)
    images, labels = make_batch(config, space, fabric.device)
    benchmark = InterleavedBenchmark(fabric, networks, images, labels)
    print(json.dumps([benchmark.peak(network) for network in networks]))
