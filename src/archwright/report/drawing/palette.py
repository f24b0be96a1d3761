"""One colour per candidate on every page: its family determines the hue.

The hues are those of Okabe and Ito, which stay apart under every common colour blindness; the
values for light and for dark are in style.css.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from archwright.report.reading.read_run import Run

FAMILIES = {"conv": "convolution", "pool": "pooling", "skip": "identity", "none": "none"}
_SHADES = {"conv": 4, "pool": 2, "skip": 1, "none": 1}
_SERIES = 8


def family(candidate: str) -> str:
    """Return the family of a candidate, by its name."""
    name = candidate.lower()
    if name in ("none", "zero"):
        return "none"
    if "pool" in name:
        return "pool"
    if "skip" in name or "identity" in name:
        return "skip"
    return "conv"


@dataclass(frozen=True)
class Palette:
    """Colours of a set of candidates."""

    colours: dict[str, str]

    @staticmethod
    def of(candidates: Iterable[str]) -> "Palette":
        """Return colours for `candidates`: the first of a family has its first shade, and so on."""
        used = dict.fromkeys(FAMILIES, 0)
        colours: dict[str, str] = {}
        for candidate in dict.fromkeys(candidates):
            kind = family(candidate)
            colours[candidate] = f"var(--{kind}{used[kind] % _SHADES[kind]})"
            used[kind] += 1
        return Palette(colours)

    @staticmethod
    def of_runs(runs: Sequence[Run]) -> "Palette":
        """Return colours for every candidate of the runs, selected or not."""
        offered = [c for run in runs for candidates in run.decisions.values() for c in candidates]
        chosen = {
            op
            for run in runs
            if run.architecture
            for cell in run.architecture.cells
            for op, _, _ in cell.edges
        }
        return Palette.of([*offered, *sorted(chosen)])

    def __getitem__(self, candidate: str) -> str:
        """Return the colour of a candidate, as a CSS value."""
        return self.colours[candidate]

    def legend(self) -> list[tuple[str, list[tuple[str, str]]]]:
        """Return the families in order, each with its candidates and their colours."""
        groups = {
            title: [(c, colour) for c, colour in self.colours.items() if family(c) == kind]
            for kind, title in FAMILIES.items()
        }
        return [(title, entries) for title, entries in groups.items() if entries]


def series_colour(index: int) -> str:
    """Return the colour of the `index`-th network or run in a chart of several."""
    return f"var(--s{index % _SERIES})"
