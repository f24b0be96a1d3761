"""Where channel masks stand: which choices are masks, and which norm would take a mask away."""

from collections.abc import Sequence

from archwright.errors import GraphError
from archwright.graph.expr import Chain, Choice, Concat, Expr, Op, chain
from archwright.graph.ops import KeepChannels


def mask_widths(choice: Choice) -> tuple[int, ...] | None:
    """Return how many channels each option keeps, if all options keep the first of as many.

    The identity keeps all of them. None: an option does something else, or none is a mask.
    """
    masks = [_mask(option.body) for option in choice.options]
    channels = {mask.channels for mask in masks if isinstance(mask, KeepChannels)}
    if len(channels) != 1 or any(mask is None for mask in masks):
        return None
    (whole,) = channels
    return tuple(mask.keep if isinstance(mask, KeepChannels) else whole for mask in masks)


def masked_channels(choice: Choice) -> int:
    """Return the number of channels that the options of a mask (form `mask`) read.

    Raises:
        GraphError: an option is no mask.
    """
    if mask_widths(choice) is None:
        raise GraphError(f"{choice.decision.name}: an option of a mask does not keep channels")
    masks = (_mask(option.body) for option in choice.options)
    return next(mask.channels for mask in masks if isinstance(mask, KeepChannels))


def cancelled(before: Sequence[Expr], behind: Sequence[Expr]) -> bool:
    """Return whether a norm in `behind` takes the scale of a mask at the end of `before` away.

    It does where all that stands between the two treats channels one by one.
    """
    return _ends_in_mask(Chain(tuple(before))) and _begins_with_norm(Chain(tuple(behind)))


def _mask(body: Expr) -> KeepChannels | Chain | None:
    """Return the mask that `body` is; the empty chain for the identity; None for others."""
    match chain(body).items:
        case ():
            return Chain()
        case (Op(KeepChannels() as mask),):
            return mask
        case _:
            return None


def _ends_in_mask(expr: Expr) -> bool:
    match expr:
        case Op(primitive):
            return isinstance(primitive, KeepChannels)
        case Chain(items):
            for item in reversed(items):
                if _ends_in_mask(item):
                    return True
                if not _hands_scale_on(item):
                    return False
            return False
        case Concat(branches):
            return any(map(_ends_in_mask, branches))
        case Choice(_, options):
            return any(_ends_in_mask(option.body) for option in options)


def _begins_with_norm(expr: Expr) -> bool:
    match expr:
        case Op(primitive):
            return primitive.normalises
        case Chain(items):
            for item in items:
                if _begins_with_norm(item):
                    return True
                if not _hands_scale_on(item):
                    return False
            return False
        case Concat(branches):
            return any(map(_begins_with_norm, branches))
        case Choice(_, options):
            return any(_begins_with_norm(option.body) for option in options)


def _hands_scale_on(expr: Expr) -> bool:
    """Return whether a way through `expr` neither mixes channels nor normalises them."""
    match expr:
        case Op(primitive):
            return primitive.channelwise and not primitive.normalises
        case Chain(items):
            return all(map(_hands_scale_on, items))
        case Concat(branches):
            return any(map(_hands_scale_on, branches))
        case Choice(_, options):
            return any(_hands_scale_on(option.body) for option in options)
