"""Text for terminals whose encoding lacks a character: a plain sign replaces it."""

import codecs
import io
from typing import TextIO

_HANDLER = "archwright.plain-signs"
_SIGNS = {
    "\N{EN DASH}": "-",
    "\N{EM DASH}": "-",
    "\N{MINUS SIGN}": "-",
    "\N{HORIZONTAL ELLIPSIS}": "...",
    "\N{RIGHTWARDS ARROW}": "->",
    "\N{MULTIPLICATION SIGN}": "x",
    "\N{MIDDLE DOT}": ".",
    "\N{GREEK CAPITAL LETTER SIGMA}": "sum",
    "\N{CIRCLED PLUS}": "(+)",
    "\N{MATHEMATICAL LEFT ANGLE BRACKET}": "<",
    "\N{MATHEMATICAL RIGHT ANGLE BRACKET}": ">",
    "\N{NO-BREAK SPACE}": " ",
    "\N{NARROW NO-BREAK SPACE}": " ",
}
"""Replacement of each sign; any other character is written by its number, as Python does."""


def make_legible(stream: TextIO | None) -> None:
    """Let a stream write plain signs instead of raising; characters that it can encode stay."""
    if isinstance(stream, io.TextIOWrapper) and stream.errors in ("strict", "backslashreplace"):
        stream.reconfigure(errors=_HANDLER)


def legible(text: str, stream: TextIO) -> str:
    """Return `text` as `make_legible` writes it, so that its width is known before."""
    encoding = stream.encoding or "utf-8"
    return text.encode(encoding, _HANDLER).decode(encoding)


def _plain(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    missing = error.object[error.start : error.end]
    return "".join(_SIGNS.get(sign) or _number(sign) for sign in missing), error.end


def _number(sign: str) -> str:
    return sign.encode("ascii", "backslashreplace").decode()


codecs.register_error(_HANDLER, _plain)
