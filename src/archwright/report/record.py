"""JSON object with typed access to its values; it knows its place for error messages."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NoReturn, cast

from archwright.errors import RunError


@dataclass(frozen=True)
class Record:
    """JSON object and its place: the file, and the line or the key."""

    values: Mapping[str, object]
    where: str

    @staticmethod
    def of(value: object, where: str) -> "Record":
        """Return the record of a decoded JSON value, which must be an object."""
        if not isinstance(value, dict):
            raise RunError(f"{where}: expected a JSON object; restore it, or run again")
        return Record(cast("dict[str, object]", value), where)

    def text(self, key: str) -> str | None:
        """Return the text at `key`, or None if there is none."""
        value = self.values.get(key)
        return value if value is None or isinstance(value, str) else self._wrong(key, "a text")

    def need_text(self, key: str) -> str:
        """Return the text at `key`, which must exist."""
        value = self.text(key)
        return self._wrong(key, "a text") if value is None else value

    def number(self, key: str) -> float | None:
        """Return the number at `key` (it may be NaN or infinite), or None if there is none."""
        value = self.values.get(key)
        return None if value is None else self._as_number(key, value)

    def integer(self, key: str) -> int:
        """Return the integer at `key`, which must exist."""
        return self._as_integer(key, self.values.get(key))

    def integers(self, key: str) -> tuple[int, ...]:
        """Return the list of integers at `key`."""
        return tuple(self._as_integer(key, value) for value in self._as_list(key, self._at(key)))

    def records(self, key: str) -> list["Record"]:
        """Return the list of objects at `key`; empty if there is none."""
        return [Record.of(v, f"{self.where} {key}") for v in self._as_list(key, self._at(key))]

    def records_by_name(self, key: str) -> dict[str, "Record"]:
        """Return the objects at `key` by their names; empty if there are none."""
        items = self._as_object(key).items()
        return {name: Record.of(value, f"{self.where} {key}.{name}") for name, value in items}

    def texts_by_name(self, key: str) -> dict[str, list[str]]:
        """Return lists of texts by name; empty if there are none."""
        return {
            name: [
                item if isinstance(item, str) else self._wrong(f"{key}.{name}", "a list of texts")
                for item in self._as_list(f"{key}.{name}", value)
            ]
            for name, value in self._as_object(key).items()
        }

    def numbers_by_name(self, key: str) -> dict[str, list[float]]:
        """Return lists of numbers by name; empty if there are none."""
        return {
            name: [self._as_number(f"{key}.{name}", item) for item in self._as_list(key, value)]
            for name, value in self._as_object(key).items()
        }

    def integers_by_name(self, key: str) -> dict[str, list[int]]:
        """Return lists of integers by name; empty if there are none."""
        return {
            name: [self._as_integer(f"{key}.{name}", item) for item in self._as_list(key, value)]
            for name, value in self._as_object(key).items()
        }

    def number_by_name(self, key: str) -> dict[str, float]:
        """Return a number by name, without unknown ones (null); empty if there are none."""
        return {
            name: self._as_number(f"{key}.{name}", value)
            for name, value in self._as_object(key).items()
            if value is not None
        }

    def plain(self, key: str) -> dict[str, str]:
        """Return the values at `key` as texts by name; empty if there are none."""
        return {name: str(value) for name, value in self._as_object(key).items()}

    def edge_lists(self, key: str) -> tuple[tuple[tuple[str, int], ...], ...]:
        """Return the nodes at `key`, each a list of [candidate, source] pairs."""
        nodes = self._as_list(key, self._at(key))
        return tuple(
            tuple(self._as_edge(key, edge) for edge in self._as_list(key, node)) for node in nodes
        )

    def _at(self, key: str) -> object:
        return self.values.get(key, [])

    def _as_edge(self, key: str, value: object) -> tuple[str, int]:
        pair = self._as_list(key, value)
        if len(pair) != 2 or not isinstance(pair[0], str):
            self._wrong(key, "lists of [candidate, source] pairs")
        return str(pair[0]), self._as_integer(key, pair[1])

    def _as_number(self, key: str, value: object) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            self._wrong(key, "a number")
        try:
            return float(value)
        except OverflowError:  # JSON's whole numbers have no end
            self._wrong(key, "a number that fits into a float")

    def _as_integer(self, key: str, value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            self._wrong(key, "a whole number")
        return value

    def _as_list(self, key: str, value: object) -> Sequence[object]:
        if not isinstance(value, list):
            self._wrong(key, "a list")
        return cast("list[object]", value)

    def _as_object(self, key: str) -> Mapping[str, object]:
        value = self.values.get(key)
        if value is None:
            return {}
        if not isinstance(value, dict):
            self._wrong(key, "an object")
        return cast("dict[str, object]", value)

    def _wrong(self, key: str, expected: str) -> NoReturn:
        raise RunError(f"{self.where}: {key!r} is not {expected}; restore it, or run again")
