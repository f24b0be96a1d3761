"""`archwright lookup`."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from archwright.cli.command import Command
from archwright.cli.console import Show, count, decimals
from archwright.errors import GenotypeError

if TYPE_CHECKING:
    from archwright.tables.nasbench201 import Entry
    from archwright.tables.nasbench_macro import MacroEntry

_TABLES = ("nasbench201", "nasbench-macro")


@dataclass(frozen=True, kw_only=True)
class LookupConfig:
    """Look up a NAS-Bench-201 or NAS-Bench-Macro architecture: accuracies, rank, and costs."""

    arch: str
    """The architecture string, quoted; or an architecture file, or a run folder."""


def _run(config: LookupConfig) -> "Entry | MacroEntry":
    from archwright.tables import nasbench201, nasbench_macro

    text = _text(config.arch)
    if nasbench_macro.is_macro(text):
        return nasbench_macro.lookup(text)
    return nasbench201.lookup(text)


def _text(arch: str) -> str:
    """Return the string itself if no file has this name; the table then reports any fault."""
    from archwright.tables.nasbench_macro import is_macro

    if ("~" in arch and " without " not in arch) or is_macro(arch):
        return arch
    from archwright.spaces import read_architecture, write_architecture

    architecture = read_architecture(arch)
    if architecture.pruning is not None:
        raise GenotypeError(
            f"{arch} is pruned, and the table has whole cells only: archwright inspect "
            f"--architecture {shlex.quote(arch)} says what it costs"
        )
    if architecture.space not in _TABLES:
        raise GenotypeError(
            f"{arch} is of space {architecture.space}: there are tables of {' and '.join(_TABLES)}"
        )
    return write_architecture(architecture)


def _show(entry: "Entry | MacroEntry", show: Show) -> dict[str, Any]:
    from archwright.tables.nasbench_macro import MacroEntry

    return _show_macro(entry, show) if isinstance(entry, MacroEntry) else _show_cell(entry, show)


def _show_macro(entry: "MacroEntry", show: Show) -> dict[str, Any]:
    from archwright.tables.nasbench_macro import SIZE, optimum

    best = optimum()
    show.line(f"{entry.arch}: {count(entry.params)} parameters, {count(entry.macs)} MACs")
    show.table(
        ("data set", "test %, mean of 3", "optimum %", f"rank of {count(SIZE)}"),
        [
            (
                "cifar10",
                decimals(entry.cifar10_test),
                decimals(best.cifar10_test),
                count(entry.rank),
            )
        ],
    )
    return {
        "architecture": entry.arch,
        "index": entry.index,
        "cifar10_test": round(entry.cifar10_test, 4),
        "cifar10_test_runs": [round(percent, 4) for percent in entry.cifar10_test_runs],
        "rank": entry.rank,
        "params": entry.params,
        "macs": entry.macs,
        "optimum": {"accuracy": round(best.cifar10_test, 4), "architecture": best.arch},
    }


def _show_cell(entry: "Entry", show: Show) -> dict[str, Any]:
    from archwright.tables.nasbench201 import DATASETS, DEVICES, SIZE, optimum

    best = {name: optimum(name) for name in DATASETS}
    reached = {name: (_test(entry, name), _test(best[name], name)) for name in DATASETS}
    show.line(f"{entry.arch} (index {entry.index})")
    show.table(
        ("data set", "test %", "optimum %", f"rank of {count(SIZE)}"),
        [(n, *map(decimals, reached[n]), count(entry.ranks[n])) for n in DATASETS],
    )
    show.table(
        ("device", "latency ms", "energy mJ"),
        [(n, _figures(entry.latency_ms[n]), _figures(entry.energy_mj.get(n))) for n in DEVICES],
    )
    return {
        "architecture": entry.arch,
        "index": entry.index,
        **{f"{name}_test": reached[name][0] for name in DATASETS},
        "rank": entry.rank,
        "ranks": dict(entry.ranks),
        "latency_ms": _rounded(entry.latency_ms),
        "energy_mj": _rounded(entry.energy_mj),
        "optimum": {
            name: {"accuracy": reached[name][1], "architecture": best[name].arch}
            for name in DATASETS
        },
    }


def _test(entry: "Entry", dataset: str) -> float:
    return round(float(getattr(entry, f"{dataset}_test")), 4)


def _figures(value: float | None) -> str:
    """Return enough decimals to distinguish architectures on a fast device and on a slow one."""
    return decimals(value, 2 if value is None or value >= 1 else 4)


def _rounded(by_device: Mapping[str, float | None]) -> dict[str, float | None]:
    return {name: None if value is None else round(value, 4) for name, value in by_device.items()}


command = Command(name="lookup", config=LookupConfig, run=_run, show=_show, positional="arch")
