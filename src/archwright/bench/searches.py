"""Result files of searches: what was found, and what it took; never how good it is.

Accuracies are looked up whenever a file is read, by the architecture, and are not in it.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from archwright.bench.contestants import Contestant
from archwright.bench.results import SCHEMA, checked, kinds_of, read_content
from archwright.errors import ArchwrightError, RunError
from archwright.io.files import write_json
from archwright.tables import nasbench201


@dataclass(frozen=True, kw_only=True)
class Search:
    """A search that has ended.

    Attributes:
        contestant: what searched.
        seed: the seed of everything random in it.
        architecture: what it found, in the notation of NAS-Bench-201.
        seconds: wall time, interruptions left out.
        cpu_seconds: the processor time of all threads; None where a search was interrupted.
        saved_bytes: what a step keeps for backward (see `step_bytes`); None where no supernet is
            trained.
        peak_bytes: most memory in use on a GPU, images included; None elsewhere, and where a
            search was interrupted.
        options: what the preset sets for the method.
        settings_hash: of all settings that decide what is found (see `freeze.settings_hash`).
        weights: the candidates' expected weights that it was derived from, a list a decision; None
            where nothing is learned, or several supernets decide.
        images: title of the images that were searched on.
    """

    contestant: Contestant
    seed: int
    architecture: str
    seconds: float
    cpu_seconds: float | None
    saved_bytes: int | None
    peak_bytes: int | None
    options: dict[str, Any]
    settings_hash: str
    weights: dict[str, list[float]] | None
    images: str

    def to_json(self) -> dict[str, Any]:
        """The search as JSON has it: its contestant's fields stand among its own."""
        content = asdict(self)
        return {**content.pop("contestant"), **content}

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> "Search":
        """The inverse of `to_json`; what is not known is left out.

        Raises:
            RunError: a field is missing, or of another type.
        """
        contestant = Contestant(**checked(content, kinds_of(Contestant)))
        return cls(contestant=contestant, **checked(content, kinds_of(cls, "contestant")))


@dataclass(frozen=True, kw_only=True)
class Searches:
    """The searches of a file, with what they have in common.

    `settings` are those of the bench that are the same for all; `threads` is the number of threads
    on the CPU.
    """

    command: str
    settings: dict[str, Any]
    versions: dict[str, str]
    hardware: str
    threads: int
    searches: tuple[Search, ...] = ()

    def find(self, contestant: Contestant, seed: int) -> Search | None:
        """The search of a contestant with that seed, if it has ended."""
        for search in self.searches:
            if (search.contestant, search.seed) == (contestant, seed):
                return search
        return None


def write_searches(path: Path, results: Searches) -> None:
    """Write `results` to `path`, whole or not at all; its folder is made if it is missing."""
    content = {f.name: getattr(results, f.name) for f in fields(Searches) if f.name != "searches"}
    rows = [search.to_json() for search in results.searches]
    write_json(path, {"schema": SCHEMA, **content, "searches": rows})


def read_searches(path: Path) -> Searches:
    """The searches in a file.

    Raises:
        RunError: there is none, it holds something else or results of another version, or an
            architecture is none of NAS-Bench-201.
    """
    content = read_content(path)
    missing = [f.name for f in fields(Searches) if f.name not in content]
    if missing:
        raise RunError(f"{path} holds no searches (it lacks {', '.join(missing)})")
    try:
        common = checked(content, kinds_of(Searches, "searches"))
        rows = checked(content, {"searches": list[dict[str, Any]]})["searches"]
    except RunError as error:
        raise RunError(f"{path}: {error}") from None
    searches: list[Search] = []
    for number, row in enumerate(rows, 1):
        try:
            searches.append(Search.from_json(row))
            nasbench201.encode(searches[-1].architecture)
        except ArchwrightError as error:
            raise RunError(f"{path}, search {number}: {error}") from None
    return Searches(**common, searches=tuple(searches))


def merged(results: Sequence[Searches]) -> list[Searches]:
    """The searches of files that were measured alike, together; each search counts once.

    The command of the first of them stands for all.
    """
    found: list[Searches] = []
    for one in results:
        for place, other in enumerate(found):
            if replace(other, command="", searches=()) == replace(one, command="", searches=()):
                new = [s for s in one.searches if other.find(s.contestant, s.seed) is None]
                found[place] = replace(other, searches=(*other.searches, *new))
                break
        else:
            found.append(one)
    return found
