"""The cells of NAS-Bench-201, as strings and as numbers.

X. Dong and Y. Yang, "NAS-Bench-201: Extending the Scope of Reproducible Neural Architecture
Search", ICLR 2020.
"""

from archwright.errors import GenotypeError

OPERATIONS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
SIZE = len(OPERATIONS) ** 6
"""Number of cells."""

# The text around the six operations of a cell: |op~0|+|op~0|op~1|+|op~0|op~1|op~2|
_AROUND = ("|", "~0|+|", "~0|", "~1|+|", "~0|", "~1|", "~2|")


def encode(arch: str) -> int:
    """Return the cell as a number below `SIZE`: its six operations as digits to base 5.

    The first operation is the most significant digit.

    Args:
        arch: `|op~0|+|op~0|op~1|+|op~0|op~1|op~2|`, where each op is one of `OPERATIONS`;
            blanks before and after it do not matter.

    Raises:
        GenotypeError: The string is not of that form; the error names the column.
    """
    text = arch.rstrip()
    at = len(text) - len(text.lstrip())
    code = 0
    for number, around in enumerate(_AROUND):
        for offset, mark in enumerate(around):
            if not text.startswith(mark, at + offset):
                raise _malformed(text, at + offset, repr(around[offset:]))
        at += len(around)
        if number == len(OPERATIONS) + 1:
            break
        word = _word(text, at)
        if word not in OPERATIONS:
            raise _malformed(text, at, f"one of {', '.join(OPERATIONS)}")
        code = code * len(OPERATIONS) + OPERATIONS.index(word)
        at += len(word)
    if at < len(text):
        raise _malformed(text, at, "the end")
    return code


def decode(code: int) -> str:
    """Return the architecture string of a number from `encode`.

    Raises:
        GenotypeError: The number is not from 0 to `SIZE` - 1.
    """
    if not 0 <= code < SIZE:
        raise GenotypeError(f"NAS-Bench-201 has the cells 0 to {SIZE - 1}, there is no {code}")
    names = [OPERATIONS[code // 5**place % 5] for place in (5, 4, 3, 2, 1, 0)]
    return "".join(a + b for a, b in zip(_AROUND, [*names, ""], strict=True))


def _word(text: str, at: int) -> str:
    end = at
    while end < len(text) and text[end] not in "|~+":
        end += 1
    return text[at:end]


def _malformed(text: str, at: int, expected: str) -> GenotypeError:
    """Return the error that names the column of the first wrong character and what is expected."""
    rest = text[at:] if len(text) - at <= 24 else text[at : at + 24] + "..."
    found = repr(rest) if rest else "the end"
    return GenotypeError(
        f"not a NAS-Bench-201 architecture: column {at + 1} reads {found}, expected {expected}"
    )
