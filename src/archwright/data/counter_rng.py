"""Random numbers as a pure function of a key: nothing is drawn in order, so nothing is saved.

A key is a hash of names and counters such as (seed, stream, epoch, batch). The i-th number of a key
is SplitMix64 (Steele, Lea & Flood, OOPSLA 2014) at position i, in plain int64 arithmetic: equal on
every device, thread count and torch version, which `torch.Generator` does not guarantee.
"""

from hashlib import blake2b

import torch
from torch import Tensor

_GAMMA = 0x9E3779B97F4A7C15 - 2**64
_MIX_1 = 0xBF58476D1CE4E5B9 - 2**64
_MIX_2 = 0x94D049BB133111EB - 2**64
_POSITIVE = 2**63 - 1


def key(*parts: int | str) -> int:
    """Return a signed 64-bit key of the parts; ("a", 1) and ("a1",) differ, as do 1 and "1"."""
    digest = blake2b(repr(parts).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little", signed=True)


def words(stream: int, count: int) -> Tensor:
    """Return the first `count` 64-bit words of the key `stream`, int64 [count]."""
    x = torch.arange(1, count + 1) * _GAMMA + stream
    x = (x ^ _shift(x, 30)) * _MIX_1
    x = (x ^ _shift(x, 27)) * _MIX_2
    return x ^ _shift(x, 31)


def integers(stream: int, count: int, high: int) -> Tensor:
    """Return uniform integers in [0, high), int64 [count]; the bias is below high / 2**63."""
    return (words(stream, count) & _POSITIVE) % high


def coins(stream: int, count: int) -> Tensor:
    """Return fair coins, bool [count]."""
    return words(stream, count) < 0


def uniform(stream: int, count: int) -> Tensor:
    """Return uniform numbers in [0, 1), float64 [count]."""
    return _shift(words(stream, count), 11).double() * 2.0**-53


def permutation(stream: int, count: int) -> Tensor:
    """Return a uniform permutation of 0..count-1, int64 [count]."""
    return torch.argsort(words(stream, count), stable=True)


def _shift(x: Tensor, bits: int) -> Tensor:
    """Shift right as unsigned: torch's own shift of an int64 copies the sign."""
    return (x >> bits) & (2 ** (64 - bits) - 1)
