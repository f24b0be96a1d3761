"""Linear merge and kernel normalisation (TopoNAS, sections 3.4 and 3.5).

Legend: S candidates that stand next to a weighted sum and are convolutions, K_i their kernels.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from archwright.ir import Chain, Choice, Conv, Module, Option
from archwright.ir.expr import map_modules
from archwright.ir.frame import Frame, Signature, signature
from archwright.ir.ops import KernelNorm
from archwright.simplify.settings import Pointwise


def merge(choice: Choice, pointwise: Pointwise) -> Choice:
    """sum_S p_i conv(x; K_i)  ->  conv(x; sum_S p_i K_i), kernels in a common frame (eq. 14-16).

    Exact. Kernels are put together as long as the frame that holds them has no more taps than
    they have apart. The identity joins a group that it is a convolution in.
    """
    if choice.form != "sum":
        return choice
    groups: dict[Signature, list[int]] = defaultdict(list)
    for position, option in enumerate(choice.options):
        found = signature(option.body)
        if found is not None:
            groups[found].append(position)
    taken: dict[int, tuple[int, ...]] = {}
    for found, positions in groups.items():
        joined = [*positions, *_identities(choice, found)] if len(positions) > 1 else positions
        for cluster in _clusters(choice, joined):
            if len(cluster) > 1:
                taken.update(dict.fromkeys(cluster, tuple(cluster)))
    options: list[Option] = []
    for cluster in dict.fromkeys(taken.values()):
        options.append(_merged(choice, cluster, pointwise))
    if len(options) == 1 and options[0].members == choice.given:
        (whole,) = options
        assert isinstance(whole.body, Choice), "a merged option is a choice"
        return whole.body
    options += [option for p, option in enumerate(choice.options) if p not in taken]
    return replace(choice, options=tuple(sorted(options, key=lambda o: min(o.members))))


def _identities(choice: Choice, found: Signature) -> list[int]:
    """Options that are the identity, if a convolution of this signature can be it."""
    if found.step > 1 or found.c_in != found.c_out or found.separable:
        return []
    return [p for p, option in enumerate(choice.options) if option.body == Chain()]


def _clusters(choice: Choice, positions: Sequence[int]) -> list[list[int]]:
    """The options in groups whose common frame has no more taps than their kernels apart."""
    clusters: list[list[int]] = []
    for position in sorted(positions, key=lambda p: -_frame(choice, [p]).taps):
        for cluster in clusters:
            apart = _frame(choice, cluster).taps + _frame(choice, [position]).taps
            if _frame(choice, [*cluster, position]).taps <= apart:
                cluster.append(position)
                break
        else:
            clusters.append([position])
    return [sorted(cluster) for cluster in clusters]


def _frame(choice: Choice, positions: Sequence[int]) -> Frame:
    return Frame.around([choice.options[position].body for position in positions])


def _merged(choice: Choice, cluster: Sequence[int], pointwise: Pointwise) -> Option:
    options = tuple(choice.options[position] for position in cluster)
    union = frozenset[int]().union(*(option.members for option in options))
    found = [signature(option.body) for option in options]
    separable = any(own is not None and own.separable for own in found)
    form = "stack" if separable and pointwise == "apart" else "kernel"
    return Option(union, Choice(choice.decision, options, union, form))


def normalise(choice: Choice, norm: KernelNorm) -> Choice:
    """K_i -> (K_i - mean) / scale for every convolution of a group (eq. 28); sharing.

    Applied to learned kernels with more than one tap, where at least two candidates of the choice
    are convolutions of one signature: elsewhere a batch norm of the candidate's own undoes any
    scale already.
    """
    found = [signature(option.body) for option in choice.options]
    options: list[Option] = []
    for option, own in zip(choice.options, found, strict=True):
        if own is None or found.count(own) < 2:
            options.append(option)
            continue
        options.append(
            replace(option, body=map_modules(option.body, lambda m, _: _normed(m, norm)))
        )
    return replace(choice, options=tuple(options))


def _normed(module: Module, norm: KernelNorm) -> Module:
    conv = module.primitive
    if not isinstance(conv, Conv) or norm.taps(conv) < 2:
        return module
    return replace(module, primitive=replace(conv, norm=norm))
