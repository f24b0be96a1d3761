"""Serial form of a network: versioned, canonical JSON that a person can read.

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
             "given" names the candidates that weights are taken over, if these are not all
"""

import json
from collections.abc import Collection, Mapping
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, Literal, cast, get_type_hints

from archwright.errors import GraphError, RunError, unknown
from archwright.graph.expr import Chain, Choice, Concat, Decision, Expr, Op, Option, located
from archwright.graph.network import Cell, Edge, Network, Step
from archwright.graph.ops import primitive_types
from archwright.graph.primitive import Primitive, Shape
from archwright.graph.verify import verify
from archwright.io.files import decoded
from archwright.io.schema import read_fields

FORMAT = "archwright network"
VERSION = 1

_WIDTH = 100
"""Columns of the text, where a value fits at all."""
_DEPTH = 100
"""Levels of expressions within expressions that are read."""
_MOST = 2**40
"""Weights of a module that are read: a larger number is damage, and overflows in torch."""

Place = str
"""Position in a file, as the text of an error names it."""


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
        raise RunError(
            f"{where} is damaged: it is no JSON; restore the file, or make the run again"
        ) from None
    return network_from_json(content, where)


def network_to_json(network: Network) -> dict[str, Any]:
    """Return the serial form of `network` (see the module), made of what JSON has.

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
    kinds = {
        **{"format": str, "version": int, "image": tuple[int, ...], "steps": list[Any]},
        **{"decisions": dict[str, tuple[str, ...]], "output": str, "auxiliary": str},
    }
    held = _fields(kinds, content, where)
    image = held["image"]
    if len(image) != 3 or min(image) < 1:
        raise _damaged(f"{where}: image is {list(image)}, not channels, height and width")
    decisions = {name: _decision(name, held["decisions"], where) for name in held["decisions"]}
    steps = [
        _step(step, f"{where}: steps {number}", decisions)
        for number, step in enumerate(held["steps"], 1)
    ]
    network = Network(Shape(*image), tuple(steps), held["auxiliary"])
    with located("{}", where):
        verify(network)
    if held["output"] != network.output:
        raise _damaged(
            f"{where}: output is {held['output']!r}, and the last step is {network.output!r}"
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


def _fields(
    kinds: Mapping[str, Any], content: object, where: Place, optional: Collection[str] = ()
) -> dict[str, Any]:
    """Read exactly these fields; their texts are printable, so that every error is one line."""
    held = read_fields(kinds, content, where, needed=set(kinds) - set(optional))
    for name in cast("dict[str, Any]", content):
        if name not in kinds:
            raise _damaged(f"{where}: {unknown('field', name, kinds)}")
    for name, value in held.items():
        if isinstance(value, str):
            _require_printable(value, f"{where}: {name}")
    return held


def _require_printable(text: str, where: Place) -> None:
    if not text.isprintable():
        raise _damaged(f"{where} is {text!a}, which cannot be printed")


def _damaged(fact: str) -> RunError:
    return RunError(f"{fact}; restore the file, or make the run again")


def _decision(name: str, table: Mapping[str, tuple[str, ...]], where: Place) -> Decision:
    for text in (name, *table[name]):
        _require_printable(text, f"{where}: decisions")
    if len(set(table[name])) < len(table[name]):
        raise _damaged(f"{where}: decisions: {name} has two candidates of one name")
    return Decision(name, table[name])


def _step(content: object, where: Place, decisions: Mapping[str, Decision]) -> Step:
    kinds: dict[str, Any] = {"name": str, "inputs": tuple[str, ...], "body": Any, "cell": Any}
    held = _fields(kinds, content, where, optional=("body", "cell"))
    where = f"{where} ({held['name']})"
    if len(held) != 3:
        raise _damaged(f"{where} needs either a body or a cell")
    if "body" in held:
        body = _expr(held["body"], f"{where}: body", decisions)
        return Step(held["name"], body, held["inputs"])
    cell = _cell(held["cell"], f"{where}: cell", decisions)
    return Step(held["name"], cell, held["inputs"])


def _cell(content: object, where: Place, decisions: Mapping[str, Decision]) -> Cell:
    kinds = {"kind": str, "inputs": list[Any], "nodes": int, "edges": list[Any]}
    held = _fields({**kinds, "output": tuple[int, ...]}, content, where)
    inputs = [
        _expr(given, f"{where}: inputs {number}", decisions)
        for number, given in enumerate(held["inputs"], 1)
    ]
    edges: list[Edge] = []
    for number, edge in enumerate(held["edges"], 1):
        place = f"{where}: edges {number}"
        given = _fields({"from": int, "to": int, "body": Any}, edge, place)
        body = _expr(given["body"], f"{place}: body", decisions)
        edges.append(Edge(given["from"], given["to"], body))
    return Cell(held["kind"], tuple(inputs), held["nodes"], tuple(edges), held["output"])


def _expr(content: object, where: Place, decisions: Mapping[str, Decision], depth: int = 0) -> Expr:
    if depth > _DEPTH:
        raise _damaged(f"{where.partition(': body')[0]}: expressions are nested too deeply")

    def parts(items: list[Any]) -> tuple[Expr, ...]:
        return tuple(
            _expr(item, f"{where} {number}", decisions, depth + 1)
            for number, item in enumerate(items, 1)
        )

    if isinstance(content, list):
        return Chain(parts(cast("list[Any]", content)))
    kinds = [name for name in ("op", "concat", "choice") if isinstance(content, dict)]
    kinds = [name for name in kinds if name in cast("dict[str, Any]", content)]
    if len(kinds) != 1:
        raise _damaged(
            f"{where} is no expression: it is neither a list nor an op, concat or choice"
        )
    if kinds == ["op"]:
        return _op(cast("dict[str, Any]", content), where)
    if kinds == ["concat"]:
        return Concat(parts(_fields({"concat": list[Any]}, content, where)["concat"]))
    return _choice(content, where, decisions, depth)


def _op(content: Mapping[str, Any], where: Place) -> Op:
    own = {"op": str, "slot": str}
    held = _fields(own, {name: content[name] for name in own if name in content}, where, ("slot",))
    table = primitive_types()
    if held["op"] not in table:
        raise _damaged(f"{where}: {unknown('primitive', held['op'], table)}")
    given = {name: value for name, value in content.items() if name not in own}
    primitive = _primitive(table[held["op"]], given, f"{where} ({held['op']})")
    return Op(primitive, held.get("slot", ""))


def _primitive(kind: type[Primitive], content: Mapping[str, Any], where: Place) -> Primitive:
    hints = get_type_hints(kind)
    kinds = {field.name: hints[field.name] for field in fields(kind)}
    defaults = [field.name for field in fields(kind) if field.default is not MISSING]
    held = _fields(kinds, content, where, optional=defaults)
    with located("{}", where):
        primitive = kind(**held)
    if primitive.params > _MOST:
        raise _damaged(f"{where} has {primitive.params} weights, which is too many")
    return primitive


def _choice(content: object, where: Place, decisions: Mapping[str, Decision], depth: int) -> Choice:
    kinds: dict[str, Any] = {
        **{"choice": str, "form": Literal["sum", "kernel", "stack"], "options": list[Any]},
        "given": tuple[str, ...],
    }
    held = _fields(kinds, content, where, optional=("given",))
    name = held["choice"]
    if name not in decisions:
        raise _damaged(f"{where}: {unknown('decision', name, decisions)}")
    decision = decisions[name]
    options: list[Option] = []
    for number, option in enumerate(held["options"], 1):
        place = f"{where}: options {number}"
        given = _fields({"of": tuple[str, ...], "body": Any}, option, place)
        members = _members(given["of"], decision, f"{place}: of")
        options.append(Option(members, _expr(given["body"], place, decisions, depth + 1)))
    names = held.get("given", decision.candidates)
    members = _members(names, decision, f"{where}: given")
    return Choice(decision, tuple(options), members, held["form"])


def _members(names: tuple[str, ...], decision: Decision, where: Place) -> frozenset[int]:
    for name in names:
        if name not in decision.candidates:
            raise _damaged(f"{where}: {unknown('candidate', name, decision.candidates)}")
    return frozenset(map(decision.candidates.index, names))


def _pretty(value: Any, indent: str) -> str:
    """Return `value` as JSON: on one line where it fits, else a line for each part."""
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
