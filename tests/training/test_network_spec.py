from dataclasses import replace

import numpy as np
import pytest

from archwright.errors import ConfigError
from archwright.spaces import Size, get_space, read_architecture, reference_architecture
from archwright.spaces.discretise import is_connected
from archwright.training.network_spec import NetworkSpec, baseline, match_macs

# one space of each skeleton
SIZES = {
    "nasbench201": Size(channels=8, cells=1),
    "darts": Size(channels=4, cells=3),
    "spos": Size(channels=16, cells=4),
}


def spec(space: str, size: Size) -> NetworkSpec:
    declared = get_space(space)
    return NetworkSpec("found", declared, reference_architecture(declared, size), size)


def macs_at(made: NetworkSpec, channels: int) -> int | None:
    try:
        return replace(made, size=replace(made.size, channels=channels)).macs
    except ConfigError:
        return None


@pytest.mark.parametrize("space", SIZES)
@pytest.mark.parametrize("factor", [0.3, 0.9, 1.0, 1.6])
def test_the_nearest_width_is_found(space: str, factor: float) -> None:
    made = spec(space, SIZES[space])
    wanted = int(factor * made.macs)
    found = match_macs(made, wanted)
    every = {c: macs_at(made, c) for c in range(1, 3 * made.size.channels)}
    gaps = {c: abs(macs - wanted) for c, macs in every.items() if macs is not None}
    assert abs(found.macs - wanted) == min(gaps.values())
    assert found.size.channels in gaps
    if factor == 1.0:
        assert found == made


@pytest.mark.parametrize("space", SIZES)
def test_a_random_rival_is_connected_and_the_seeds_own(space: str) -> None:
    found = spec(space, SIZES[space])
    drawn = [baseline("random", found, seed) for seed in (0, 0, 1, 2, 3)]
    assert drawn[0] == drawn[1]
    assert len({made.architecture for made in drawn}) > 2
    for made in drawn:
        assert made.name == "random"
        assert made.size == found.size
        assert is_connected(made.space, made.architecture, made.size)


def test_disconnected_draws_are_drawn_again() -> None:
    # of the 15,625 cells of the space some are disconnected: with a thousand seeds, all kinds come
    found = spec("nasbench201", SIZES["nasbench201"])
    none = "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|"
    cut = read_architecture(none)
    assert not is_connected(found.space, cut, found.size)
    generator = np.random.default_rng(0)
    for seed in generator.integers(2**31, size=50):
        made = baseline("random", found, int(seed))
        assert is_connected(made.space, made.architecture, made.size)


def test_the_hand_made_rival_is_the_reference_at_the_same_macs() -> None:
    heavy = "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|none~1|none~2|"
    found = replace(spec("nasbench201", Size(channels=16, cells=5)), inherited=None)
    found = replace(found, architecture=read_architecture(heavy))
    made = baseline("hand-made", found, 0)
    assert made.name == "hand-made"
    assert made.architecture == reference_architecture(found.space, found.size)
    assert made.size.cells == 5
    assert made.macs == pytest.approx(found.macs, rel=0.1)
