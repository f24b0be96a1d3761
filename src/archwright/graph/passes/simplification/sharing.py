"""Rules of partial and floating module sharing (TopoNAS, sections 3.2 and 3.3).

They apply to arbitrary expressions. S are the candidates that share, R the others; p_S is the sum
of their weights, p_i|S = p_i / p_S.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from archwright.errors import GraphError
from archwright.graph import Chain, Choice, Concat, Expr, Option, Shape, chain
from archwright.graph.expr import is_zero, out_shape
from archwright.graph.masks import cancelled
from archwright.graph.passes.diagnostics import listed
from archwright.graph.passes.simplification.rule import RewriteResult, Site, no_match, rewritten
from archwright.graph.passes.simplification.units import as_chain, split_units, without_slots

Row = tuple[Expr, ...]
Build = Callable[[Sequence[Option]], Expr]
"""Function that makes one body of several options."""


def share_partial(choice: Choice, site: Site) -> RewriteResult:
    """Compute common heads and tails once.

    sum_S p_i t(u_i(h(x))) + sum_R p_i o_i(x)  ->  p_S t( sum_S p_i|S u_i(h(x)) ) + sum_R p_i o_i(x)
    """
    rows = _rows(choice, atomic=site.atomic)
    if len(rows) < 2:
        return no_match("pms", choice, _TOO_FEW)
    best: tuple[int, list[int], int, int] | None = None
    for side in (0, -1):
        for members in _alike(rows, side):
            group = [rows[position] for position in members]
            head, tail = _common_ends(group)
            saved = (len(group) - 1) * (head + tail)
            if saved and (best is None or saved > best[0]):
                best = (saved, members, head, tail)
    if best is None:
        masked = any(_common_ends([rows[p] for p in m], guard=False)[1] for m in _alike(rows, -1))
        return no_match("pms", choice, _CANCELLED if masked else _UNLIKE)
    _, members, head, tail = best
    inner = {m: rows[m][head : len(rows[m]) - tail] for m in members}
    first = rows[members[0]]  # the first candidate's slots serve all
    before, after = first[:head], first[len(first) - tail :]
    expr = _regrouped(
        choice,
        members,
        lambda options: chain(
            *before,
            _choice(choice, options, {m: as_chain(row) for m, row in inner.items()}),
            *after,
        ),
    )
    parts = [f"{as_chain(before)} before"] * bool(before) + [f"{as_chain(after)} behind"] * bool(
        after
    )
    text = f"{listed(parts)}, once for {_names(choice, members)}"
    return rewritten("pms", choice, expr, text)


def share_floating(choice: Choice, site: Site) -> RewriteResult:
    """Compute a common middle once, of candidates whose parts before it make the same shape.

    sum_S p_i v_i(m(u_i(x)))  ->  p_S sum_S p_i|S v_i(m(z)),  z = sum_S p_i|S u_i(x)
    """
    rows = {p: row for p, row in _rows(choice, atomic=site.atomic).items() if len(row) > 2}
    if len(rows) < 2:
        text = "fewer than two candidates have a module between two others"
        return no_match("fms", choice, text)
    middles = _middles(rows, site.shape)
    shared = [(len(middle), where) for (middle, _), where in middles.items() if len(where) > 1]
    if not shared:
        return no_match("fms", choice, _no_middle(choice, middles))
    length, where = max(shared, key=lambda found: (len(found[1]) - 1) * found[0])
    before = {p: as_chain(rows[p][:start]) for p, start in where.items()}
    after = {p: as_chain(rows[p][start + length :]) for p, start in where.items()}
    first, start = min(where.items())
    middle = rows[first][start : start + length]
    expr = _regrouped(
        choice,
        sorted(where),
        lambda options: chain(
            _choice(choice, options, before), *middle, _choice(choice, options, after)
        ),
    )
    text = f"{as_chain(middle)} between, once for {_names(choice, sorted(where))}"
    return rewritten("fms", choice, expr, text)


def distribute(choice: Choice, site: Site) -> RewriteResult:
    """Write a weighted sum of concatenations as the concatenation of weighted sums.

    It brings the parts of two-branch candidates side by side, where they can be shared.
    """
    groups: dict[tuple[Shape, ...], list[int]] = defaultdict(list)
    for position, row in _rows(choice, atomic=False).items():
        if len(row) == 1 and isinstance(row[0], Concat):
            groups[tuple(out_shape(b, site.shape) for b in row[0].branches)].append(position)
    members = next((members for members in groups.values() if len(members) > 1), None)
    if members is None:
        if len(groups) < 2:  # nothing to say where there are no two concatenations
            return RewriteResult(None)
        names = _names(choice, sorted(p for positions in groups.values() for p in positions))
        return no_match(
            "pms", choice, f"the concatenations of {names} have branches of other sizes"
        )
    branches = {m: _branches(choice.options[m].body) for m in members}

    def build(options: Sequence[Option]) -> Concat:
        columns = range(len(branches[members[0]]))
        rows = ({m: b[column] for m, b in branches.items()} for column in columns)
        return Concat(tuple(_choice(choice, options, row) for row in rows))

    text = f"one concatenation for {_names(choice, members)}, a choice in each branch"
    return rewritten("pms", choice, _regrouped(choice, members, build), text)


_TOO_FEW = "fewer than two candidates have modules"
_UNLIKE = "no two candidates begin or end with the same module"
_CANCELLED = "a batch norm behind masks is not shared: it would take their scale away"

Places = Mapping[tuple[Row, Shape], Mapping[int, int]]
"""Modules between others, with the shape before them: by position of the option, the number of
units before them."""


def _middles(rows: Mapping[int, Row], shape: Shape) -> Places:
    places: dict[tuple[Row, Shape], dict[int, int]] = defaultdict(dict)
    for position, row in rows.items():
        keys = tuple(without_slots(unit) for unit in row)
        for start in range(1, len(keys) - 1):
            if cancelled(row[:start], row[start:]):
                continue  # the norm would take the scale of a sum of masks away
            reached = out_shape(as_chain(row[:start]), shape)
            for stop in range(start + 1, len(keys)):
                places[keys[start:stop], reached].setdefault(position, start)
    return places


def _no_middle(choice: Choice, middles: Places) -> str:
    """Return why no middle is shared: other modules, or other shapes before them."""
    found: dict[Row, dict[int, Shape]] = defaultdict(dict)
    for (middle, reached), where in middles.items():
        for position in where:
            found[middle].setdefault(position, reached)
    for middle, reached in found.items():
        if len(reached) > 1:
            shapes = listed(map(str, reached.values()))
            return (
                f"{as_chain(middle)} stands inside {_names(choice, list(reached))}, but what "
                f"stands before it makes {shapes}"
            )
    return "no module stands inside two candidates"


def _names(choice: Choice, members: Sequence[int]) -> str:
    """Return the candidates that take the options at `members`."""
    taken = sorted(i for member in members for i in choice.options[member].members)
    return listed(choice.decision.candidates[i] for i in taken)


def _branches(body: Expr) -> tuple[Expr, ...]:
    (only,) = chain(body).items
    if not isinstance(only, Concat):
        raise GraphError(f"{only} is no concatenation")
    return only.branches


def _rows(choice: Choice, *, atomic: bool) -> dict[int, Row]:
    """Return the units of every option that computes something, by the option's position."""
    rows = {
        position: split_units(option.body, atomic=atomic)
        for position, option in enumerate(choice.options)
        if not is_zero(option.body)
    }
    return {position: row for position, row in rows.items() if row}


def _alike(rows: dict[int, Row], side: int) -> list[list[int]]:
    """Group options whose first (side 0) or last (side -1) unit is the same; two or more each."""
    classes: dict[Expr, list[int]] = defaultdict(list)
    for position, row in rows.items():
        classes[without_slots(row[side])].append(position)
    return [members for members in classes.values() if len(members) > 1]


def _common_ends(rows: Sequence[Row], *, guard: bool = True) -> tuple[int, int]:
    """Count the units that all rows begin with, and those of the rest that they end with.

    With `guard`, no norm at the end is counted that would stand behind a choice of masks.
    """
    keys = [tuple(without_slots(unit) for unit in row) for row in rows]
    shortest = min(map(len, keys))
    head = 0
    while head < shortest and len({row[head] for row in keys}) == 1:
        head += 1
    tail = 0
    while tail < shortest - head and len({row[-1 - tail] for row in keys}) == 1:
        tail += 1
    while guard and any(cancelled(row[: len(row) - tail], row[len(row) - tail :]) for row in rows):
        tail -= 1
    return head, tail


def _choice(choice: Choice, options: Sequence[Option], bodies: Mapping[int, Expr]) -> Expr:
    """Return the choice among some options with new bodies; the identity if all bodies are."""
    given = frozenset[int]().union(*(option.members for option in options))
    if all(body == Chain() for body in bodies.values()):
        return Chain()  # the conditional weights sum to one
    inner = (replace(o, body=b) for o, b in zip(options, bodies.values(), strict=True))
    return Choice(choice.decision, tuple(inner), given)


def _regrouped(choice: Choice, members: Sequence[int], build: Build) -> Expr:
    """Replace the options of `choice` at `members` by the one that `build` makes of them."""
    options = [choice.options[member] for member in members]
    union = frozenset[int]().union(*(option.members for option in options))
    body = build(options)
    if union == choice.given:
        return body
    rest = [option for p, option in enumerate(choice.options) if p not in members]
    regrouped = sorted([*rest, Option(union, body)], key=lambda option: min(option.members))
    return replace(choice, options=tuple(regrouped))
