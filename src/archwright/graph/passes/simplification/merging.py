"""The rules of linear merge, masks included, and kernel normalisation (TopoNAS, 3.4 and 3.5).

Legend: S candidates that stand next to a weighted sum and are convolutions, K_i their kernels.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import fields, replace

from archwright.graph import Chain, Choice, Conv, Expr, Op, Option, chain
from archwright.graph.expr import map_modules
from archwright.graph.kernel_frame import Frame, Signature, signature
from archwright.graph.masks import mask_widths, masked_channels
from archwright.graph.ops import KernelNorm
from archwright.graph.passes.diagnostics import listed
from archwright.graph.passes.simplification.rule import RewriteResult, Site, no_match, rewritten
from archwright.graph.passes.simplification.settings import Pointwise


def merge(choice: Choice, site: Site) -> RewriteResult:
    """Merge convolutions: sum_S p_i conv(x; K_i) -> conv(x; sum_S p_i K_i), in a common frame.

    Kernels are put together as long as the frame that holds them has no more taps than they have
    apart. The identity joins a group that it is a convolution in. Separable convs are merged with
    their pointwise convs, unless those are to be shared.
    """
    pointwise = site.pointwise
    found = {p: own for p, o in enumerate(choice.options) if (own := _centred(o.body)) is not None}
    refusals: list[str] = []
    taken: dict[int, tuple[int, ...]] = {}
    for own, positions in _groups(found).items():
        if len(positions) < 2 or (own.separable and pointwise == "shared"):
            continue
        free = [p for p in _identities(choice, own) if p not in taken]
        for cluster in _clusters(choice, [*positions, *free], refusals):
            if len(cluster) > 1:
                taken.update(dict.fromkeys(cluster, tuple(cluster)))
    if not taken:
        return no_match("merge", choice, *_unlike(choice, found, pointwise), *refusals)
    clusters = list(dict.fromkeys(taken.values()))
    options = [_merged(choice, cluster, pointwise) for cluster in clusters]
    texts = [_describe(choice, c, o) for c, o in zip(clusters, options, strict=True)]
    apart = no_match("merge", choice, *refusals).diagnostics
    done = rewritten("merge", choice, options[0].body, *texts)
    done = replace(done, diagnostics=(*apart, *done.diagnostics))
    if len(options) == 1 and options[0].members == choice.given:
        return done
    options += [option for p, option in enumerate(choice.options) if p not in taken]
    ordered = tuple(sorted(options, key=lambda o: min(o.members)))
    return replace(done, expr=replace(choice, options=ordered))


def merge_masks(choice: Choice, site: Site) -> RewriteResult:
    """Merge masks: sum_i p_i keep_i(x) -> diag(m) x, where all options keep the first channels."""
    widths = mask_widths(choice)
    if widths is None or len(widths) < 2:
        return RewriteResult(None)  # nothing to say where no width is decided
    text = f"{listed(map(str, widths))} of {masked_channels(choice)} channels are one mask"
    return rewritten("merge", choice, replace(choice, form="mask"), text)


def _centred(body: Expr) -> Signature | None:
    """Return the signature of a convolution that a common frame holds: kernels of odd size only.

    Those of even size make one pixel less than the frame around them.
    """
    convs = [item.primitive for item in chain(body).items if isinstance(item, Op)]
    odd = all(isinstance(conv, Conv) and conv.kernel % 2 for conv in convs)
    return signature(body) if odd else None


def _groups(found: dict[int, Signature]) -> dict[Signature, list[int]]:
    groups: dict[Signature, list[int]] = defaultdict(list)
    for position, own in found.items():
        groups[own].append(position)
    return groups


def _identities(choice: Choice, found: Signature) -> list[int]:
    """Return the options that are the identity, if a convolution of this signature can be it."""
    whole_or_depthwise = found.groups in (1, found.c_in)
    if found.step > 1 or found.c_in != found.c_out or found.separable or not whole_or_depthwise:
        return []
    return [p for p, option in enumerate(choice.options) if option.body == Chain()]


def _clusters(choice: Choice, positions: Sequence[int], reasons: list[str]) -> list[list[int]]:
    """Group options whose common frame has no more taps than their kernels apart.

    The reasons why an option stays out of all groups are added to `reasons`.
    """
    clusters: list[list[int]] = []
    for position in sorted(positions, key=lambda p: -_frame(choice, [p]).taps):
        refusals: list[str] = []
        for cluster in clusters:
            together = _frame(choice, [*cluster, position]).taps
            apart = _frame(choice, cluster).taps + _frame(choice, [position]).taps
            if together <= apart:
                cluster.append(position)
                break
            convs = _convs(choice, [*cluster, position])
            refusals.append(f"one frame for {convs} has {together} taps, apart they have {apart}")
        else:
            clusters.append([position])
            reasons += refusals
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


def _describe(choice: Choice, cluster: Sequence[int], option: Option) -> str:
    assert isinstance(option.body, Choice), "a merged option is a choice"
    if option.body.form == "stack":
        return f"{_convs(choice, cluster)} are one convolution, side by side"
    taps = _frame(choice, cluster).taps
    return f"{_convs(choice, cluster)} are one convolution of {taps} tap{'s' * (taps > 1)}"


def _convs(choice: Choice, positions: Sequence[int]) -> str:
    return listed(str(choice.options[position].body) for position in sorted(positions))


def _unlike(choice: Choice, found: dict[int, Signature], pointwise: Pointwise) -> list[str]:
    """Return why no two options of `choice` are convolutions that could be merged, if none are."""
    if len(found) < 2:
        return [f"{'only one' if found else 'no'} candidate is a single convolution here"]
    groups = _groups(found)
    if len(groups) < len(found):
        if pointwise == "shared" and any(own.separable for own in groups):
            return ["separable convolutions are merged with their pointwise convs apart or dense"]
        return []
    first, second, *_ = found.items()
    unlike = [f.name for f in fields(Signature) if _differ(first[1], second[1], f.name)]
    words = listed(_WORDS[name] for name in unlike)
    return [f"{_convs(choice, (first[0], second[0]))} differ in {words}"]


def _differ(one: Signature, other: Signature, name: str) -> bool:
    return getattr(one, name) != getattr(other, name)


_WORDS = {
    "c_in": "input channels",
    "c_out": "output channels",
    "groups": "groups",
    "step": "stride",
    "separable": "what follows (a pointwise conv or none)",
}


def normalise(choice: Choice, site: Site) -> RewriteResult:
    """Normalise the convolutions of a group: K_i -> (K_i - mean) / scale.

    Applied to learned kernels with more than one tap, where at least two candidates of the choice
    are convolutions of one signature: elsewhere a batch norm of the candidate's own undoes any
    scale already.
    """
    norm = site.norm
    found = [signature(option.body) for option in choice.options]
    alike = [p for p, own in enumerate(found) if own is not None and found.count(own) > 1]
    if not alike:
        return no_match("norm", choice, "no two candidates are convolutions of one kind")
    options = list(choice.options)
    for position in alike:
        body = map_modules(options[position].body, lambda module, _: _normed(module, norm))
        options[position] = replace(options[position], body=body)
    changed = [p for p in alike if options[p] != choice.options[p]]
    if not changed:
        text = f"{_convs(choice, alike)} have a single tap, or are normalised already"
        return no_match("norm", choice, text)
    text = f"{_convs(choice, changed)} to unit {norm.scale} of each {norm.granularity}"
    return rewritten("norm", choice, replace(choice, options=tuple(options)), text)


def _normed(module: Op, norm: KernelNorm) -> Op:
    conv = module.primitive
    if not isinstance(conv, Conv) or norm.taps(conv) < 2:
        return module
    return replace(module, primitive=replace(conv, norm=norm))
