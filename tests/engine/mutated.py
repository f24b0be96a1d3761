"""What damage does to a JSON text: every value in it replaced, one after the other."""

import json
from collections.abc import Iterator
from typing import Any

VALUES: tuple[Any, ...] = (
    *(None, True, 0, -1, 10**30, 0.5, float("nan"), "", "x", "\udc80", [], [None], {}, {"x": 1}),
    *([[1]], {"x": None}, "../../etc", 10**400),
)
"""What stands in the place of a value; the last thing tried is that it is missing."""
_MISSING = object()


def places(content: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path to each value in decoded JSON, the whole of it first."""
    yield path
    if isinstance(content, dict):
        for key, value in content.items():
            yield from places(value, (*path, key))
    elif isinstance(content, list):
        for number, value in enumerate(content[:3]):
            yield from places(value, (*path, number))


def mutations(text: str) -> list[tuple[str, str]]:
    """Damaged texts of a JSON value, each with a line that says what was done."""
    found: list[tuple[str, str]] = []
    for path in places(json.loads(text)):
        for value in (*VALUES, _MISSING):
            content = json.loads(text)
            if not path:
                content = None if value is _MISSING else value
            else:
                holder = content
                for key in path[:-1]:
                    holder = holder[key]
                if value is _MISSING:
                    del holder[path[-1]]
                else:
                    holder[path[-1]] = value
            shown = "missing" if value is _MISSING else repr(value)[:40]
            found.append((json.dumps(content), f"{path}: {shown}"))
    return found
