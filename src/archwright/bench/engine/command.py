"""Command lines that repeat the measurements of configurations."""

import shlex
from collections.abc import Callable, Iterable, Sequence
from dataclasses import MISSING, fields
from typing import Any

from archwright.bench.engine.arms import write_seeds

PLACES = ("data_root", "runs", "out")
"""Options that say where something is, and decide no result."""


def command_line(name: str, config: Any, *, always: Sequence[str] = ()) -> str:
    """Return `archwright bench NAME` with the options of `config` that are not at their defaults.

    Options in `always` come first, also at their defaults. Options with paths of files are left
    out: they differ between machines.
    """
    words = ["archwright", "bench", name]
    known = {field.name: field for field in fields(config)}
    for field in [known[name] for name in dict.fromkeys([*always, *known])]:
        value = getattr(config, field.name)
        default = None if field.default is MISSING else field.default
        if field.name in PLACES or (value == default and field.name not in always):
            continue
        flag = "--" + field.name.replace("_", "-")
        if isinstance(value, bool):
            words.append(flag if value else flag.replace("--", "--no-", 1))
        else:
            words += [flag, str(value)]
    return shlex.join(words)


def products(points: Iterable[tuple[Any, ...]]) -> list[tuple[tuple[Any, ...], ...]]:
    """Return few products of lists that contain exactly these points, as commands take lists.

    Points that differ only in their last coordinate are merged first, then those that differ in the
    coordinate before it, and so on. Values are in the order of their first appearance.
    """
    distinct = list(dict.fromkeys(points))
    found = [tuple((value,) for value in point) for point in distinct]
    for axis in reversed(range(len(distinct[0]) if distinct else 0)):
        order = list(dict.fromkeys(point[axis] for point in distinct))
        groups: dict[tuple[Any, ...], list[Any]] = {}
        for one in found:
            groups.setdefault((*one[:axis], *one[axis + 1 :]), []).extend(one[axis])
        found = [
            (*rest[:axis], tuple(sorted(values, key=order.index)), *rest[axis:])
            for rest, values in groups.items()
        ]
    return found


def arm_commands(
    name: str,
    configured: Callable[..., Any],
    points: Iterable[tuple[str, str, int]],
    *,
    always: Sequence[str],
) -> str:
    """Return the command lines, a line each, that run methods on supernets with seeds.

    `configured` gives the configuration of some `methods`, `simplify` and `seeds`, all texts.
    """
    return "\n".join(
        command_line(
            name,
            configured(
                methods=",".join(methods), simplify=",".join(supernets), seeds=write_seeds(seeds)
            ),
            always=always,
        )
        for methods, supernets, seeds in products(points)
    )
