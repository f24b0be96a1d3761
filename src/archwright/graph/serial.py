"""Serial form of a network: versioned, canonical, readable JSON.

Equal networks have equal texts. Version 1, where EXPR stands for an expression:

    {"format": "archwright network", "version": 1, "image": [3, 32, 32],
     "decisions": {"normal/0->2": ["skip", "conv_3x3"]},
     "steps": [{"name": "stem", "inputs": ["input"], "body": EXPR},
               {"name": "cell0", "inputs": ["stem"], "cell":
                {"kind": "normal", "inputs": [EXPR], "nodes": 1,
                 "edges": [{"from": 0, "to": 1, "body": EXPR}], "output": [1]}}],
     "output": "cell0", "auxiliary": ""}

    module   {"op": "conv", "slot": "stem/0", "c_in": 3, ...}: fields at their defaults are left out
    chain    [EXPR, ...]
    concat   {"concat": [EXPR, ...]}
    choice   {"choice": "normal/0->2", "options": [{"of": ["skip"], "body": EXPR}], "form": "sum"};
             "given" names the candidates over which weights are normalised, if not all
"""

import json
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from typing import Any, Literal, TypedDict, TypeVar, cast, get_type_hints

from archwright.errors import GraphError, RunError, unknown
from archwright.graph.expr import Chain, Choice, Concat, Decision, Expr, Op, Option, located
from archwright.graph.network import Cell, Edge, Network, Step
from archwright.graph.ops import primitive_types
from archwright.graph.primitive import Primitive, Shape
from archwright.graph.verify import verify
from archwright.io.files import decoded
from archwright.io.schema import RESTORE, read_as

FORMAT = "archwright network"
VERSION = 1

_WIDTH = 100
"""Largest number of columns of the text, if a value fits."""
_DEPTH = 100
"""Largest depth of nested expressions that is read."""
_MOST = 2**40
"""Largest number of weights of a module: more is damage, and overflows in torch."""

T = TypeVar("T")
Place = str
"""Position in a file, for the text of an error."""
Decisions = Mapping[str, Decision]
"""Decisions of the file, by name."""


def network_to_text(network: Network) -> str:
    """Return the canonical text of `network`: JSON, with a line feed at its end.

    Raises:
        GraphError: as `network_to_json`.
    """
    return _pretty(network_to_json(network), "") + "\n"


def network_from_text(text: str | bytes, where: Place) -> Network:
    """Read a network from JSON text; `where` names the file in an error.

    Raises:
        RunError, GraphError: as `network_from_json`; the text is not JSON.
    """
    try:
        content = decoded(text)
    except ValueError:
        raise _damaged(f"{where} is damaged: it is no JSON") from None
    return network_from_json(content, where)


def network_to_json(network: Network) -> dict[str, Any]:
    """Return the serial form of `network` (see the module) as values of JSON.

    Raises:
        GraphError: a primitive is not registered, or two candidates of a decision share a name.
    """
    for decision in network.decisions():
        if len(set(decision.candidates)) < len(decision.candidates):
            raise GraphError(f"{decision.name} has two candidates of one name: rename one")
    return {
        "format": FORMAT,
        "version": VERSION,
        "image": list(network.image),
        "decisions": {d.name: list(d.candidates) for d in network.decisions()},
        "steps": [_step_to_json(step) for step in network.steps],
        "output": network.output,
        "auxiliary": network.auxiliary,
    }


def network_from_json(content: object, where: Place) -> Network:
    """Read a network from its serial form, and verify it; nothing in it is executed.

    `where` names the file in an error.

    Raises:
        RunError: the version is another, or a field is missing, unknown or of another type (its
            place is named).
        GraphError: the graph breaks a rule (see `verify`).
    """
    _require_version(content, where)
    held = _read(_Network, content, where)
    if min(held.image) < 1:
        raise _damaged(f"{where}: image is {list(held.image)}, and sizes are at least 1")
    decisions = {
        name: _decision(name, candidates, where) for name, candidates in held.decisions.items()
    }
    steps = [
        _step(step, f"{where}: steps {number}", decisions)
        for number, step in enumerate(held.steps, 1)
    ]
    network = Network(Shape(*held.image), tuple(steps), held.auxiliary)
    with located("{}", where):
        verify(network)
    if held.output != network.output:
        raise _damaged(
            f"{where}: output is {held.output!r}, and the last step is {network.output!r}"
        )
    if list(decisions.values()) != list(network.decisions()):
        raise _damaged(f"{where}: decisions are not those of the steps, in their order")
    return network


def _step_to_json(step: Step) -> dict[str, Any]:
    content: dict[str, Any] = {"name": step.name, "inputs": list(step.inputs)}
    if not isinstance(step.body, Cell):
        return {**content, "body": _expr_to_json(step.body)}
    cell = step.body
    edges = [
        {"from": edge.source, "to": edge.target, "body": _expr_to_json(edge.body)}
        for edge in cell.edges
    ]
    inputs = [_expr_to_json(given) for given in cell.inputs]
    made = {"kind": cell.kind, "inputs": inputs, "nodes": cell.nodes, "edges": edges}
    return {**content, "cell": {**made, "output": list(cell.output)}}


def _expr_to_json(expr: Expr) -> Any:
    match expr:
        case Op(primitive, slot):
            name, own = getattr(primitive, "kind", ""), type(primitive)
            if primitive_types().get(name) is not own:
                raise GraphError(
                    f"{own.__name__} is no primitive that a network file can name: decorate the "
                    f"class with register_primitive"
                )
            return {"op": name, **({"slot": slot} if slot else {}), **_values(primitive)}
        case Chain(items):
            return [_expr_to_json(item) for item in items]
        case Concat(branches):
            return {"concat": [_expr_to_json(branch) for branch in branches]}
        case Choice(decision, options, given, form):
            names = decision.candidates
            content: dict[str, Any] = {"choice": decision.name, "form": form}
            if len(given) < len(names):
                content["given"] = [names[i] for i in sorted(given)]
            content["options"] = [
                {"of": [names[i] for i in sorted(o.members)], "body": _expr_to_json(o.body)}
                for o in options
            ]
            return content


def _values(value: Any) -> dict[str, Any]:
    """Return the fields of a dataclass that are not at their defaults."""
    content: dict[str, Any] = {}
    for field in fields(value):
        given = getattr(value, field.name)
        if field.default is MISSING or given != field.default:
            content[field.name] = _values(given) if is_dataclass(given) else given
    return content


def _require_version(content: object, where: Place) -> None:
    if not isinstance(content, dict):
        raise _damaged(f"{where} holds no network")
    held = cast("dict[str, Any]", content)
    if held.get("format") != FORMAT:
        raise _damaged(f"{where} holds no network: its format is not {FORMAT!r}")
    if held.get("version") != VERSION or isinstance(held["version"], bool):
        raise RunError(
            f"{where} is of version {held.get('version')!r} of the format, and this archwright "
            f"reads version {VERSION}: read it with the version that wrote it"
        )


@dataclass(frozen=True)
class _Network:
    format: str
    version: int
    image: tuple[int, int, int]
    decisions: dict[str, tuple[str, ...]]
    steps: list[Any]
    output: str
    auxiliary: str


@dataclass(frozen=True)
class _Step:
    name: str
    inputs: tuple[str, ...]
    body: Any = None
    cell: Any = None


@dataclass(frozen=True)
class _Cell:
    kind: str
    inputs: list[Any]
    nodes: int
    edges: list[Any]
    output: tuple[int, ...]


_Edge = TypedDict("_Edge", {"from": int, "to": int, "body": Any})


@dataclass(frozen=True)
class _Op:
    op: str
    slot: str = ""


@dataclass(frozen=True)
class _Concat:
    concat: list[Any]


@dataclass(frozen=True)
class _Choice:
    choice: str
    form: Literal["sum", "kernel", "stack", "mask"]
    options: list[Any]
    given: tuple[str, ...] | None = None


@dataclass(frozen=True)
class _Option:
    of: tuple[str, ...]
    body: Any


def _read(kind: type[T], content: object, where: Place) -> T:
    """Read exactly the fields of `kind`; texts must be printable, so that errors are one line.

    Raises:
        RunError: a field is missing, unknown or of another type (it is named).
    """
    held = read_as(kind, content, where, finite=False)
    names = get_type_hints(kind)
    for name, value in cast("dict[str, Any]", content).items():
        if name not in names:
            raise _damaged(f"{where}: {unknown('field', name, names)}")
        if isinstance(value, str):
            _require_printable(value, f"{where}: {name}")
    return held


def _require_printable(text: str, where: Place) -> None:
    if not text.isprintable():
        raise _damaged(f"{where} is {text!a}, which cannot be printed")


def _damaged(fact: str) -> RunError:
    return RunError(f"{fact}; {RESTORE}")


def _decision(name: str, candidates: tuple[str, ...], where: Place) -> Decision:
    for text in (name, *candidates):
        _require_printable(text, f"{where}: decisions")
    if len(set(candidates)) < len(candidates):
        raise _damaged(f"{where}: decisions: {name} has two candidates of one name")
    return Decision(name, candidates)


def _step(content: object, where: Place, decisions: Decisions) -> Step:
    held = _read(_Step, content, where)
    where = f"{where} ({held.name})"
    if (held.body is None) == (held.cell is None):
        raise _damaged(f"{where} needs either a body or a cell")
    if held.cell is None:
        body = _expr(held.body, f"{where}: body", decisions)
    else:
        body = _cell(held.cell, f"{where}: cell", decisions)
    return Step(held.name, body, held.inputs)


def _cell(content: object, where: Place, decisions: Decisions) -> Cell:
    held = _read(_Cell, content, where)
    inputs = [
        _expr(given, f"{where}: inputs {number}", decisions)
        for number, given in enumerate(held.inputs, 1)
    ]
    edges: list[Edge] = []
    for number, edge in enumerate(held.edges, 1):
        given = _read(_Edge, edge, f"{where}: edges {number}")
        body = _expr(given["body"], f"{where}: edges {number}: body", decisions)
        edges.append(Edge(given["from"], given["to"], body))
    return Cell(held.kind, tuple(inputs), held.nodes, tuple(edges), held.output)


def _expr(content: object, where: Place, decisions: Decisions, depth: int = 0) -> Expr:
    if depth > _DEPTH:
        raise _damaged(f"{where.partition(': body')[0]}: expressions are nested too deeply")

    def parts(items: list[Any]) -> tuple[Expr, ...]:
        return tuple(
            _expr(item, f"{where} {number}", decisions, depth + 1)
            for number, item in enumerate(items, 1)
        )

    match content:
        case list():
            return Chain(parts(cast("list[Any]", content)))
        case {"op": _}:
            return _op(cast("dict[str, Any]", content), where)
        case {"concat": _}:
            return Concat(parts(_read(_Concat, content, where).concat))
        case {"choice": _}:
            return _choice(content, where, decisions, depth)
        case _:
            raise _damaged(
                f"{where} is no expression: it is neither a list nor an op, concat or choice"
            )


def _op(content: Mapping[str, Any], where: Place) -> Op:
    own = get_type_hints(_Op)
    held = _read(_Op, {name: content[name] for name in own if name in content}, where)
    table = primitive_types()
    if held.op not in table:
        raise _damaged(f"{where}: {unknown('primitive', held.op, table)}")
    given = {name: value for name, value in content.items() if name not in own}
    return Op(_primitive(table[held.op], given, f"{where} ({held.op})"), held.slot)


def _primitive(kind: type[Primitive], content: Mapping[str, Any], where: Place) -> Primitive:
    with located("{}", where):
        primitive = read_as(kind, content, where)
    names = [field.name for field in fields(kind)]
    for name in content:
        if name not in names:
            raise _damaged(f"{where}: {unknown('field', name, names)}")
    if primitive.params > _MOST:
        raise _damaged(f"{where} has {primitive.params} weights, which is too many")
    return primitive


def _choice(content: object, where: Place, decisions: Decisions, depth: int) -> Choice:
    held = _read(_Choice, content, where)
    if held.choice not in decisions:
        raise _damaged(f"{where}: {unknown('decision', held.choice, decisions)}")
    decision = decisions[held.choice]
    options: list[Option] = []
    for number, option in enumerate(held.options, 1):
        place = f"{where}: options {number}"
        given = _read(_Option, option, place)
        members = _members(given.of, decision, f"{place}: of")
        options.append(Option(members, _expr(given.body, place, decisions, depth + 1)))
    names = decision.candidates if held.given is None else held.given
    members = _members(names, decision, f"{where}: given")
    return Choice(decision, tuple(options), members, held.form)


def _members(names: tuple[str, ...], decision: Decision, where: Place) -> frozenset[int]:
    for name in names:
        if name not in decision.candidates:
            raise _damaged(f"{where}: {unknown('candidate', name, decision.candidates)}")
    return frozenset(map(decision.candidates.index, names))


def _pretty(value: Any, indent: str) -> str:
    """Return `value` as JSON: on one line if it fits, else a line for each part."""
    line = json.dumps(value)
    if not isinstance(value, dict | list) or len(indent) + len(line) <= _WIDTH:
        return line
    deeper = indent + "  "
    if isinstance(value, list):
        parts = [_pretty(item, deeper) for item in cast("list[Any]", value)]
        opened, closed = "[]"
    else:
        held = cast("dict[str, Any]", value)
        parts = [f"{json.dumps(name)}: {_pretty(held[name], deeper)}" for name in held]
        opened, closed = "{}"
    inner = f",\n{deeper}".join(parts)
    return f"{opened}\n{deeper}{inner}\n{indent}{closed}"
