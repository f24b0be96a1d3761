"""Print expressions on several lines."""

from archwright.graph import Chain, Choice, Concat, Expr, Op

_INDENT = "  "


def lines(expr: Expr, width: int) -> list[str]:
    """Return `expr` as its own text, broken and indented if a line would exceed `width`.

    Text without a place to break (a long list of candidates) can be longer.
    """
    whole = str(expr)
    if len(whole) <= width:
        return [whole]
    match expr:
        case Op():
            return [whole]
        case Chain(items):
            return _chained(items, width)
        case Concat(branches):
            inner = [lines(branch, width - len(_INDENT)) for branch in branches]
            separated = [line for part in inner for line in (*part, "|")][:-1]
            return ["[", *_indented(separated), "]"]
        case Choice(_, options):
            made: list[str] = []
            for option in options:
                made += _labelled(f"{expr.label(option)}:", option.body, width - len(_INDENT))
            return [whole.partition("{")[0] + "{", *_indented(made), "}"]


def _chained(items: tuple[Expr, ...], width: int) -> list[str]:
    """Return parts in series: short parts side by side, a broken part on lines of its own."""
    made: list[str] = []
    row = ""
    for item in items:
        if row and len(f"{row} · {item}") <= width:
            row = f"{row} · {item}"
            continue
        made += [row] if row else []
        prefix = "· " if made else ""
        first, *rest = lines(item, width - len(prefix))
        if rest:
            made += [prefix + first, *(" " * len(prefix) + line for line in rest)]
        row = "" if rest else prefix + first
    return made + ([row] if row else [])


def _labelled(label: str, body: Expr, width: int) -> list[str]:
    first, *rest = lines(body, width - len(_INDENT))
    if not rest and len(label) + 1 + len(first) <= width:
        return [f"{label} {first}"]
    return [label, *_indented([first, *rest])]


def _indented(given: list[str]) -> list[str]:
    return [_INDENT + line for line in given]
