"""Arms and seeds of a comparison, parsed and refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archwright.bench.engine.arms import parse_arms, parse_seeds, write_seeds
from archwright.errors import ConfigError


def names(methods: str, simplify: str, *, baselines: bool = True) -> list[str]:
    found = parse_arms(methods, simplify, "paper", baselines=baselines)
    return [f"{one.title('paper')} {one.supernet} {one.lowering}" for one in found]


def test_none_is_as_published_and_all_else_is_fused() -> None:
    assert names("darts", "none,pms+fms,all/naive,none/fused", baselines=False) == [
        "darts none naive",
        "darts pms+fms fused",
        "darts all/naive naive",
        "darts none/fused fused",
        "random none naive",
    ]


def test_baselines_are_added_where_they_are_not_named() -> None:
    assert names("gdas", "all") == ["gdas all fused", "random none naive", "random-ws all fused"]
    assert names("random,random-ws,gdas", "all") == [
        "random none naive",
        "random-ws all fused",
        "gdas all fused",
    ]
    assert names("random-ws", "all", baselines=False)[0] == "random-ws all fused"


def test_what_is_named_twice_runs_once() -> None:
    assert names("darts,darts", "all,pms+fms+merge+norm", baselines=False) == [
        "darts all fused",
        "random none naive",
    ]


def test_a_method_may_have_a_preset_of_its_own() -> None:
    found = parse_arms("beta-darts,beta-darts/doubled", "all", "paper", baselines=False)
    assert [one.preset for one in found] == ["paper", "doubled", "paper"]
    assert [one.title("paper") for one in found][:2] == ["beta-darts", "beta-darts/doubled"]


@pytest.mark.parametrize(
    ("methods", "simplify", "message"),
    [
        ("dart", "all", "unknown method 'dart': did you mean 'darts'"),
        ("darts/papre", "all", "unknown preset 'papre': did you mean 'paper'"),
        ("darts/doubled", "all", "preset 'doubled' is for beta-darts, not for darts"),
        ("darts", "al", "unknown simplification 'al': did you mean 'all'"),
        ("darts", "all/fusd", "unknown lowering 'fusd': did you mean 'fused'"),
    ],
)
def test_what_is_unknown_is_named(methods: str, simplify: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_arms(methods, simplify, "paper", baselines=True)


def test_seeds_by_hand() -> None:
    assert parse_seeds("0-4") == (0, 1, 2, 3, 4)
    assert parse_seeds("7, 100-102,7") == (7, 100, 101, 102)
    assert write_seeds([3, 1, 2, 9]) == "1-3,9"


@given(st.sets(st.integers(0, 50), min_size=1))
def test_seeds_are_read_as_they_are_written(seeds: set[int]) -> None:
    assert parse_seeds(write_seeds(seeds)) == tuple(sorted(seeds))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "--seeds : give numbers and ranges, such as 0-4 or 0,2,5-7"),
        ("0-", "give numbers and ranges"),
        ("-1", "give numbers and ranges"),
        ("a", "give numbers and ranges"),
        ("4-0", "--seeds 4-0: a range rises, and ends below 2"),
        ("4294967296", "ends below 2"),
        ("0-10000", "--seeds 0-10000 are more than 10,000"),
    ],
)
def test_what_are_no_seeds_is_said(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_seeds(text)
