"""The command line that measures again what a configuration measured."""

import shlex
from collections.abc import Sequence
from dataclasses import MISSING, fields
from typing import Any

PLACES = ("data_root", "runs", "out")
"""Options that say where something is, and decide no result."""


def command_line(name: str, config: Any, *, always: Sequence[str] = ()) -> str:
    """`archwright bench NAME` with the options of `config` that are not at their defaults.

    Options that are `always` given come first, and are named at their defaults, too. Left out is
    what says where files are, which differs from machine to machine.
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
