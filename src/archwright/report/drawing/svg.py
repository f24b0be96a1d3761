"""SVG by hand: elements as text, with every attribute and every word escaped.

Colours are CSS variables of the page, so that one drawing serves light, dark and paper.
"""

import re
from html import escape

from markupsafe import Markup

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")


def clean(text: str) -> str:
    """Return `text` without the characters that XML cannot contain."""
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)


def num(value: float) -> str:
    """Format a coordinate, to a tenth of a pixel, in as few characters as possible."""
    text = f"{value:.1f}".removesuffix(".0")
    return "0" if text == "-0" else text


def tag(name: str, *children: str, **attributes: float | str) -> str:
    """Return an element; `children` are markup, `_` in an attribute's name stands for `-`."""
    parts = [
        f' {key.rstrip("_").replace("_", "-")}="'
        + (escape(clean(value)) if isinstance(value, str) else num(value))
        + '"'
        for key, value in attributes.items()
    ]
    head = f"<{name}{''.join(parts)}"
    return f"{head}>{''.join(children)}</{name}>" if children else f"{head}/>"


def label(x: float, y: float, words: str, **attributes: float | str) -> str:
    """Return escaped words at a point."""
    return tag("text", escape(clean(words)), x=x, y=y, **attributes)


def drawing(width: float, height: float, title: str, *children: str, class_: str = "") -> Markup:
    """Return a whole inline drawing with a title for screen readers."""
    return Markup(
        tag(
            "svg",
            tag("title", escape(clean(title))),
            *children,
            viewBox=f"0 0 {num(width)} {num(height)}",
            width=width,
            height=height,
            role="img",
            class_=class_,
        )
    )
