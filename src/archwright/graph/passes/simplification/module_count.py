"""Number of modules of an expression, counted as in Table II of the TopoNAS paper."""

from dataclasses import dataclass

from archwright.graph import Chain, Choice, Concat, Conv, Expr, Op


@dataclass(frozen=True)
class ModuleCount:
    """Numbers of convolutions and of other modules; zero and identity do not count."""

    conv: int
    non_conv: int

    @property
    def total(self) -> int:
        """Number of all modules."""
        return self.conv + self.non_conv


def count_modules(expr: Expr) -> ModuleCount:
    """Count the modules of `expr`; a depthwise conv with the pointwise conv behind it is one.

    Convolutions that were merged are one.
    """
    conv, non_conv, _ = _count(expr, after_depthwise=False)
    return ModuleCount(conv, non_conv)


def _count(expr: Expr, *, after_depthwise: bool) -> tuple[int, int, bool]:
    """Count convs and other modules; return also whether `expr` ends in a depthwise conv."""
    match expr:
        case Op(Conv() as conv):
            belongs = conv.pointwise and after_depthwise
            return int(not belongs), 0, conv.depthwise
        case Op(primitive):
            return 0, int(primitive.counted_as == "non_conv"), False
        case Chain(items):
            convs = others = 0
            for item in items:
                more, other, after_depthwise = _count(item, after_depthwise=after_depthwise)
                convs, others = convs + more, others + other
            return convs, others, after_depthwise
        case Concat(parts):
            counts = [_count(part, after_depthwise=after_depthwise) for part in parts]
        case Choice(_, options):
            bodies = (option.body for option in options)
            counts = [_count(body, after_depthwise=after_depthwise) for body in bodies]
            if expr.form == "mask":
                return 0, 0, False
            if expr.form != "sum":
                return 1, 0, any(ends for *_, ends in counts)
    convs, others, _ = (sum(column) for column in zip(*counts, strict=True))
    return convs, others, any(ends for *_, ends in counts)
