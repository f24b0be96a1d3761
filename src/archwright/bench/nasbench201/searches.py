"""Result files of searches: architecture, time and memory, but no accuracy.

Accuracies are looked up by the architecture whenever a file is read, and are not in it.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from typing_extensions import override

from archwright.bench.engine.arm_results import ArmResult, find_result
from archwright.bench.engine.arms import Arm
from archwright.bench.engine.results import Conditions, read_typed_results
from archwright.tables import nasbench201


@dataclass(frozen=True, kw_only=True)
class Search(ArmResult):
    """Finished search.

    Attributes:
        architecture: its result, in the notation of NAS-Bench-201.
        seconds: wall time, interruptions left out.
        cpu_seconds: the processor time of all threads; None if the search was interrupted.
        saved_bytes: bytes that a step keeps for backward (see `step_bytes`); None if no supernet
            is trained.
        peak_bytes: largest memory in use on a GPU, images included; None elsewhere, and if the
            search was interrupted.
        options: options of the method in the preset.
        settings_hash: of all settings that decide the result (see `freeze.settings_hash`).
        weights: the candidates' expected weights that it was derived from, one list per decision;
            None if nothing is learned, or several supernets decide.
        images: title of the images of the search.
    """

    architecture: str
    seconds: float
    cpu_seconds: float | None
    saved_bytes: int | None
    peak_bytes: int | None
    options: dict[str, Any]
    settings_hash: str
    weights: dict[str, list[float]] | None
    images: str

    @classmethod
    @override
    def from_json(cls, content: dict[str, Any]) -> Self:
        found = super().from_json(content)
        nasbench201.encode(found.architecture)
        return found


@dataclass(frozen=True, kw_only=True)
class Searches(Conditions):
    """Searches of a file, with the conditions that they have in common."""

    searches: tuple[Search, ...] = ()

    def find(self, arm: Arm, seed: int) -> Search | None:
        """Return the search of an arm with that seed, if it has ended."""
        return find_result(self.searches, arm, seed)


def read_searches(path: Path) -> Searches:
    """Read the searches in a file.

    Raises:
        RunError: there is none, it holds something else or results of another version, or an
            architecture is none of NAS-Bench-201.
    """
    return read_typed_results(path, Searches, "searches", Search.from_json, "search")
