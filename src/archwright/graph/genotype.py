"""Genotypes: the decisions of a search as a value, and their text notations.

Three notations are read and written, each exactly: the NAS-Bench-201 string (one cell, nodes in
bars), the `Genotype(...)` of DARTS (a normal and a reduction cell), and our own JSON.
"""

import ast
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, cast

from archwright.errors import GenotypeError
from archwright.graph.pruning import Pruning, pruning_from_json

SCHEMA = 1


@dataclass(frozen=True)
class EdgeOp:
    """Candidate on the edge from node `source`."""

    candidate: str
    source: int


@dataclass(frozen=True)
class CellGenotype:
    """Genotype of one kind of cell: for each node, its incoming edges in their order.

    Nodes are numbered from the inputs on; those in `output` are concatenated along the channels.
    """

    inputs: int
    nodes: tuple[tuple[EdgeOp, ...], ...]
    output: tuple[int, ...]

    def __post_init__(self) -> None:
        """Check that edges lead forward and outputs exist.

        Raises:
            GenotypeError: they do not.
        """
        for node, picks in enumerate(self.nodes, self.inputs):
            for pick in picks:
                if not 0 <= pick.source < node:
                    raise GenotypeError(
                        f"{pick.candidate} leads from node {pick.source} to node {node}: "
                        f"the source must be one of 0 to {node - 1}"
                    )
        last = self.inputs + len(self.nodes)
        if not self.output or any(not 0 <= node < last for node in self.output):
            raise GenotypeError(f"output nodes {self.output} must be among 0 to {last - 1}")

    def picks(self) -> Iterator[tuple[int, EdgeOp]]:
        """Yield every edge with the node that it ends in."""
        for node, picks in enumerate(self.nodes, self.inputs):
            for pick in picks:
                yield node, pick


@dataclass(frozen=True)
class Origin:
    """Python file that declares a space: its name, and the SHA-256 of its content.

    Where a user wrote it, the hash can be missing, or be a prefix only.
    """

    file: str
    sha256: str = ""

    def __str__(self) -> str:
        return f"{self.file}@{self.sha256[:12]}" if self.sha256 else self.file


@dataclass(frozen=True)
class Architecture:
    """Architecture in a search space: the genotype of each kind of cell, in the space's order.

    `origin` is the file that declares the space, if the package does not; `pruning` describes the
    nodes that were deleted from its network afterwards.
    """

    space: str
    cells: Mapping[str, CellGenotype]
    origin: Origin | None = None
    pruning: Pruning | None = None

    def __hash__(self) -> int:
        return hash((self.space, frozenset(self.cells.items()), self.pruning))

    def answers(self) -> dict[str, str]:
        """Return the candidate of each decision, by its name; edges not kept are absent."""
        return {
            decision_name(kind, pick.source, node): pick.candidate
            for kind, cell in self.cells.items()
            for node, pick in cell.picks()
        }

    def to_json(self) -> dict[str, Any]:
        """Return the content of an architecture file."""
        content: dict[str, Any] = {"schema": SCHEMA, "space": self.space}
        if self.origin is not None:
            content["origin"] = asdict(self.origin)
        content["cells"] = {
            kind: {
                "inputs": cell.inputs,
                "nodes": [[[p.candidate, p.source] for p in picks] for picks in cell.nodes],
                "output": list(cell.output),
            }
            for kind, cell in self.cells.items()
        }
        if self.pruning is not None:
            content["pruning"] = self.pruning.to_json()
        return content


def decision_name(kind: str, source: int, target: int) -> str:
    """Return the name of the decision on the edge source -> target of a kind of cells."""
    return f"{kind}/{source}->{target}"


def from_json(content: object) -> Architecture:
    """Read the architecture that `Architecture.to_json` wrote; further keys are ignored.

    Raises:
        GenotypeError: the content is of another version, or a field is missing or malformed.
    """
    if not isinstance(content, dict):
        raise GenotypeError("an architecture file holds one JSON object, with `space` and `cells`")
    fields = cast("dict[str, Any]", content)
    if fields.get("schema") != SCHEMA:
        raise GenotypeError(
            f"architecture of schema {fields.get('schema')!r}: this version reads schema {SCHEMA}"
        )
    try:
        cells = {
            str(kind): CellGenotype(
                int(cell["inputs"]),
                tuple(tuple(EdgeOp(str(c), int(s)) for c, s in picks) for picks in cell["nodes"]),
                tuple(int(node) for node in cell["output"]),
            )
            for kind, cell in fields["cells"].items()
        }
        cut = fields.get("pruning")
        pruning = None if cut is None else pruning_from_json(cut)
        origin = _origin(fields.get("origin"))
        return Architecture(str(fields["space"]), cells, origin, pruning)
    except KeyError as error:
        raise GenotypeError(f"architecture file lacks the field {error.args[0]!r}") from None
    except (TypeError, ValueError, AttributeError, OverflowError):
        raise GenotypeError(
            'architecture file is malformed: each cell needs "inputs", "nodes" (lists of '
            '[candidate, source] pairs) and "output", and what is pruned "deleted" (lists of nodes '
            'by cell); "origin", where it is given, is {"file": ..., "sha256": ...}'
        ) from None


def _origin(content: Any) -> Origin | None:
    return None if content is None else Origin(str(content["file"]), str(content["sha256"]))


def loads(text: str) -> Architecture:
    """Read an architecture from JSON text, as `from_json`.

    Raises:
        GenotypeError: it is no JSON (line and column are named), or as `from_json`.
    """
    try:
        return from_json(json.loads(text))
    except json.JSONDecodeError as error:
        raise GenotypeError(
            f"not a JSON text: {error.msg} at line {error.lineno}, column {error.colno}"
        ) from None
    except (ValueError, RecursionError):  # numbers of thousands of digits; lists in lists in lists
        raise GenotypeError(
            "not a JSON text of an architecture: it has too many digits, or is nested too deeply"
        ) from None


_PICK = re.compile(r"([^~|+\s]+)~([0-9]+)\|")


def read_bars(text: str) -> tuple[tuple[EdgeOp, ...], ...]:
    """Read the nodes of a cell in NAS-Bench-201 notation: `|op~0|+|op~0|op~1|+...`.

    Raises:
        GenotypeError: malformed; the text points at the character.
    """
    nodes: list[tuple[EdgeOp, ...]] = []
    position = 0
    while True:
        if text[position : position + 1] != "|":
            raise _malformed(text, position, "'|' to open a node")
        position += 1
        picks: list[EdgeOp] = []
        while match := _PICK.match(text, position):
            picks.append(EdgeOp(match[1], int(match[2])))
            position = match.end()
        if not picks:
            raise _malformed(text, position, "'candidate~source|'")
        nodes.append(tuple(picks))
        if position == len(text):
            return tuple(nodes)
        if text[position] != "+":
            raise _malformed(text, position, "'candidate~source|', '+' and a node, or the end")
        position += 1


def bar_candidates(text: str) -> Iterator[tuple[int, str]]:
    """Return every candidate of a text that `read_bars` reads, with its position in the text."""
    return ((match.start(1), match[1]) for match in _PICK.finditer(text))


def write_bars(nodes: tuple[tuple[EdgeOp, ...], ...]) -> str:
    """Write nodes in NAS-Bench-201 notation: the inverse of `read_bars`."""
    return "+".join(
        "|" + "".join(f"{pick.candidate}~{pick.source}|" for pick in picks) for picks in nodes
    )


def _malformed(text: str, position: int, expected: str) -> GenotypeError:
    found = repr(text[position]) if position < len(text) else "the end"
    return GenotypeError(
        f"architecture string is malformed at character {position + 1}: expected {expected}, "
        f"found {found} in {text[:position]}⟨here⟩{text[position:]}"
    )


_DARTS_FIELDS = ("normal", "normal_concat", "reduce", "reduce_concat")


def read_darts(text: str) -> dict[str, CellGenotype]:
    """Read the cells of a DARTS genotype, as its search prints it (two edges per node).

    Raises:
        GenotypeError: malformed; the text points at the character, or names the field.
    """
    text = text.strip()
    try:
        tree = ast.parse(text, mode="eval").body
    except SyntaxError as error:
        line, column = error.lineno or 1, max((error.offset or 1) - 1, 0)
        raise _malformed(text, _line_start(text, line) + column, error.msg) from None
    except (RecursionError, MemoryError):
        raise GenotypeError("a DARTS genotype is not nested so deeply") from None
    except ValueError as error:  # a null character, before Python 3.12
        raise GenotypeError(
            f"a DARTS genotype reads Genotype(normal=[...], ...): {error}"
        ) from None
    if not isinstance(tree, ast.Call) or not isinstance(tree.func, ast.Name) or tree.args:
        raise GenotypeError("a DARTS genotype reads Genotype(normal=[...], normal_concat=...)")
    fields = {keyword.arg: keyword.value for keyword in tree.keywords}
    if set(fields) != set(_DARTS_FIELDS):
        raise GenotypeError(f"a DARTS genotype has the fields {', '.join(_DARTS_FIELDS)}")
    return {
        kind: CellGenotype(
            2,
            _darts_nodes(text, kind, fields[kind]),
            _darts_concat(text, kind, fields[f"{kind}_concat"]),
        )
        for kind in ("normal", "reduce")
    }


def _darts_nodes(text: str, kind: str, value: ast.expr) -> tuple[tuple[EdgeOp, ...], ...]:
    try:
        picks = [EdgeOp(candidate, source) for candidate, source in ast.literal_eval(value)]
    except (ValueError, TypeError):
        picks = []
    good = all(isinstance(p.candidate, str) and type(p.source) is int for p in picks)
    if not good or not picks or len(picks) % 2:
        expected = f"{kind} as an even list of ('candidate', source) pairs"
        raise _malformed(text, _position(text, value), expected)
    return tuple(zip(picks[::2], picks[1::2], strict=True))


def _darts_concat(text: str, kind: str, value: ast.expr) -> tuple[int, ...]:
    try:
        if not isinstance(value, ast.Call):
            return tuple(int(node) for node in ast.literal_eval(value))
        bounds = [int(ast.literal_eval(argument)) for argument in value.args]
        if isinstance(value.func, ast.Name) and value.func.id == "range" and len(bounds) in (1, 2):
            return tuple(range(*bounds))
    except (ValueError, TypeError):
        pass
    expected = f"{kind}_concat as range(2, 6) or a list of nodes"
    raise _malformed(text, _position(text, value), expected)


def _line_start(text: str, line: int) -> int:
    """Return the position in `text` at which a line starts; lines count from 1."""
    return sum(len(before) + 1 for before in text.split("\n")[: line - 1])


def _position(text: str, value: ast.expr) -> int:
    """Return the position of a syntax node in `text`; Python counts columns in bytes of UTF-8."""
    start = _line_start(text, value.lineno)
    return start + len(text[start:].encode()[: value.col_offset].decode())


def write_darts(cells: Mapping[str, CellGenotype]) -> str:
    """Write a DARTS genotype, the inverse of `read_darts`; output nodes in a row are a range."""
    parts: list[str] = []
    for kind in ("normal", "reduce"):
        cell = cells[kind]
        pairs = [(pick.candidate, pick.source) for _, pick in cell.picks()]
        first, last = cell.output[0], cell.output[-1]
        consecutive = cell.output == tuple(range(first, last + 1))
        joined = f"range({first}, {last + 1})" if consecutive else str(list(cell.output))
        parts.append(f"{kind}={pairs}, {kind}_concat={joined}")
    return f"Genotype({', '.join(parts)})"
