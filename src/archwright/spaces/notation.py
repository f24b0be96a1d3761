"""Architectures as text: the notation of each space, published names, files."""

import re
from dataclasses import replace
from os.path import exists, isdir, isfile
from pathlib import Path

from archwright.errors import GenotypeError, unknown
from archwright.graph.genotype import (
    Architecture,
    CellGenotype,
    EdgeOp,
    Origin,
    bar_candidates,
    loads,
    read_bars,
    read_darts,
    write_bars,
    write_darts,
)
from archwright.graph.pruning import pruning_from_text
from archwright.spaces.cells import EdgeSpec
from archwright.spaces.contract import Size
from archwright.spaces.registry import get_space, require_declared
from archwright.spaces.space import Space

# quark0/darts, cnn/genotypes.py
PUBLISHED = {
    "darts-v1": (
        "Genotype(normal=[('sep_conv_3x3', 1), ('sep_conv_3x3', 0), ('skip_connect', 0), "
        "('sep_conv_3x3', 1), ('skip_connect', 0), ('sep_conv_3x3', 1), ('sep_conv_3x3', 0), "
        "('skip_connect', 2)], normal_concat=range(2, 6), reduce=[('max_pool_3x3', 0), "
        "('max_pool_3x3', 1), ('skip_connect', 2), ('max_pool_3x3', 0), ('max_pool_3x3', 0), "
        "('skip_connect', 2), ('skip_connect', 2), ('avg_pool_3x3', 0)], "
        "reduce_concat=range(2, 6))"
    ),
    "darts-v2": (
        "Genotype(normal=[('sep_conv_3x3', 0), ('sep_conv_3x3', 1), ('sep_conv_3x3', 0), "
        "('sep_conv_3x3', 1), ('sep_conv_3x3', 1), ('skip_connect', 0), ('skip_connect', 0), "
        "('dil_conv_3x3', 2)], normal_concat=range(2, 6), reduce=[('max_pool_3x3', 0), "
        "('max_pool_3x3', 1), ('skip_connect', 2), ('max_pool_3x3', 1), ('max_pool_3x3', 0), "
        "('skip_connect', 2), ('skip_connect', 2), ('max_pool_3x3', 1)], "
        "reduce_concat=range(2, 6))"
    ),
}
"""Architectures with names of their own (Liu et al., ICLR 2019: first and second order)."""

_WITHOUT = " without "
"""Text between an architecture and its pruning."""


_FILE = re.compile(r"(.+\.py)(?:@([0-9a-f]+))?")
"""User's space in a notation: its file, and the first digits of the SHA-256 of its content."""


def read_architecture(text: str, space: Space | None = None) -> Architecture:
    """Read an architecture from a file, a run folder, a published name or a notation.

    Notations are the NAS-Bench-201 string, the DARTS `Genotype(...)`, the digits of NAS-Bench-Macro
    (one a block, the place of its candidate), and for any other space `space:kind=cell;kind=cell`,
    each cell in NAS-Bench-201 bars (one kind alone: `space:cell`).
    A pruning follows the notation: `darts-v2 without cell0:2,4 fusion=linear`.

    No text runs a Python file: the notation of a user's space requires this `space`, from
    `get_space` (see `named_space`).

    Raises:
        GenotypeError: nothing of that name exists, the text is malformed, or of a file's space
            that is not the given one.
        ConfigError: the text names a space that does not exist.
    """
    text = text.strip()
    whole, cut, pruned = text.rpartition(_WITHOUT)
    if cut and not exists(text):
        return _without(read_architecture(whole, space), pruned)
    if text in PUBLISHED:
        text = PUBLISHED[text]
    if text.startswith("Genotype("):
        return Architecture("darts", read_darts(text))
    if text.startswith("|"):
        return Architecture("nasbench201", {"cell": CellGenotype(1, _three_nodes(text), (3,))})
    if re.fullmatch(r"[0-9]{3,}", text) and not exists(text):
        return _digits(text)
    name, _, cells = text.rpartition(":")
    if name and "|" in cells:
        if found := _FILE.fullmatch(name):
            return _read_cells(require_declared(_origin(found), space), cells)
        own = space if space is not None and space.name == name else get_space(name)
        return _read_cells(own, cells)
    return _read_file(text)


def named_space(space: str | None, architecture: str) -> Space | None:
    """Return the space that a command names: by --space, or in the notation of an architecture.

    Raises:
        ConfigError: it does not exist, or its file cannot be used.
    """
    name, _, cells = architecture.rpartition(":")
    found = _FILE.fullmatch(name) if "|" in cells and not exists(architecture) else None
    if space is None and found is not None:
        space = found[1]
    return None if space is None else get_space(space)


def _origin(found: re.Match[str]) -> Origin:
    return Origin(Path(found[1]).name, found[2] or "")


def _without(architecture: Architecture, pruned: str) -> Architecture:
    if architecture.pruning is not None:
        raise GenotypeError("the architecture is pruned already: write all deleted nodes at once")
    return replace(architecture, pruning=pruning_from_text(pruned))


def write_architecture(architecture: Architecture) -> str:
    """Return the text of an architecture, as `read_architecture` reads it."""
    if architecture.pruning is not None:
        whole = write_architecture(replace(architecture, pruning=None))
        return f"{whole}{_WITHOUT}{architecture.pruning.to_text()}"
    cells = architecture.cells
    if architecture.space == "nasbench201":
        return write_bars(cells["cell"].nodes)
    if architecture.space == "darts":
        return write_darts(cells)
    if architecture.space == "nasbench-macro":
        names = list(get_space("nasbench-macro").candidates)
        return "".join(str(names.index(cell.nodes[0][0].candidate)) for cell in cells.values())
    bars = [f"{kind}={write_bars(cell.nodes)}" for kind, cell in cells.items()]
    return f"{architecture.origin or architecture.space}:{';'.join(bars)}"


def reference_architecture(space: Space, size: Size) -> Architecture:
    """Return the hand-made architecture that results in this space are compared with.

    The space declares it; without a declaration, each edge has its first candidate other than
    `none`.
    """
    if space.reference:
        if space.origin is not None:  # such a space has no name that could be looked up
            return _read_cells(space, space.reference.rpartition(":")[2])
        return read_architecture(space.reference)
    cells: dict[str, CellGenotype] = {}
    for kind, spec in space.skeleton.cells(size).items():
        nodes: list[tuple[EdgeOp, ...]] = []
        for node in spec.inner():
            edges = spec.into(node)[: spec.keep]
            picked = (_first(space, edge) for edge in edges)
            nodes.append(tuple(EdgeOp(p, e.source) for p, e in zip(picked, edges, strict=True)))
        cells[kind] = CellGenotype(spec.inputs, tuple(nodes), spec.output)
    return Architecture(space.name, cells, space.origin)


def _first(space: Space, edge: EdgeSpec) -> str:
    """Return the first candidate on an edge that is a connection, if there is one."""
    names = space.edge_candidates(edge)
    return next((name for name in names if name != space.null), names[0])


def _digits(text: str) -> Architecture:
    """Read an architecture of NAS-Bench-Macro: a digit a block."""
    names = list(get_space("nasbench-macro").candidates)
    for position, digit in enumerate(text, start=1):
        if int(digit) >= len(names):
            raise GenotypeError(
                f"character {position}: an architecture of nasbench-macro has the digits 0 to "
                f"{len(names) - 1}, got {digit}"
            )
    cells = {
        f"block{block}": CellGenotype(1, ((EdgeOp(names[int(digit)], 0),),), (1,))
        for block, digit in enumerate(text)
    }
    return Architecture("nasbench-macro", cells)


def _three_nodes(text: str) -> tuple[tuple[EdgeOp, ...], ...]:
    nodes = read_bars(text)
    sources = [[pick.source for pick in picks] for picks in nodes]
    if sources != [[0], [0, 1], [0, 1, 2]]:
        raise GenotypeError(
            f"a NAS-Bench-201 string has three nodes with edges from 0; 0, 1; and 0, 1, 2, "
            f"got sources {sources}"
        )
    known = get_space("nasbench201").candidates
    for position, candidate in bar_candidates(text):
        if candidate not in known:
            raise GenotypeError(
                f"character {position + 1}: {unknown('operation', candidate, known)}"
            )
    return nodes


def _read_cells(space: Space, text: str) -> Architecture:
    parts = [part.strip() for part in text.split(";")]
    # where each block is a kind of its own, as many parts as there are blocks
    size = Size(channels=space.search_size[0], cells=max(len(parts), space.search_size[1]))
    specs = space.skeleton.cells(size)
    cells: dict[str, CellGenotype] = {}
    for part in parts:
        kind, named, bars = part.partition("=")
        if not named and len(specs) == 1:
            kind, bars = next(iter(specs)), part
        if kind not in specs:
            raise GenotypeError(unknown(f"cell kind of space {space.name}", kind, specs))
        if kind in cells:
            raise GenotypeError(f"cell kind {kind} is given twice")
        cells[kind] = CellGenotype(specs[kind].inputs, read_bars(bars), specs[kind].output)
    return Architecture(space.name, cells, space.origin)


def _read_file(text: str) -> Architecture:
    path = Path(text)
    if isdir(path):
        if isfile(path / "config.json") and not exists(path / "architecture.json"):
            raise GenotypeError(f"{path} has no architecture yet: finish its run with --resume")
        path = path / "architecture.json"
    if not isfile(path):  # unlike Path's, these take a text too long to be a name
        if path.suffix == ".json" or path.name == "architecture.json" or "/" in text:
            raise GenotypeError(
                f"no architecture at {path}: give a file, a run folder, or a string"
            )
        raise GenotypeError(
            f"{unknown('architecture', text, PUBLISHED)}; or give a file, a run folder, or a string"
        )
    try:
        return loads(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError:
        raise GenotypeError(f"{path} is not an architecture file: it is not text") from None
    except GenotypeError as error:
        raise GenotypeError(f"{path}: {error}") from None
