"""The commands that measure again what a file of results holds."""

from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from archwright.bench.engine.command import products

from .sample_searches import results, search

POINTS = st.lists(
    st.tuples(st.sampled_from("abc"), st.sampled_from("xy"), st.integers(0, 3)), max_size=24
)


@given(POINTS)
def test_products_hold_each_point_once_and_no_other(points: list[tuple[str, str, int]]) -> None:
    held = [point for one in products(points) for point in product(*one)]
    assert len(held) == len(set(held))
    assert set(held) == set(points)


@given(POINTS)
def test_no_two_products_differ_in_their_first_list_alone(
    points: list[tuple[str, str, int]],
) -> None:
    rest = [one[1:] for one in products(points)]
    assert len(rest) == len(set(rest))


def test_what_is_whole_is_one_product() -> None:
    points = list(product(("darts", "gdas"), ("none", "all"), range(3)))
    assert products(reversed(points)) == [(("gdas", "darts"), ("all", "none"), (2, 1, 0))]
    assert products([]) == []


def test_each_command_has_the_seeds_of_its_own_searches() -> None:
    held = results(
        *(search(who, seed) for who in ("darts all", "gdas all") for seed in (0, 1)),
        *(search("darts none", seed) for seed in (0, 1, 2)),
        *(search("random none", seed) for seed in (0, 1, 2)),
    )
    same = "--data digits --preset proxy --no-baselines"
    assert held.command.splitlines() == [
        f"archwright bench nasbench201 --methods darts,gdas --simplify all --seeds 0-1 {same}",
        f"archwright bench nasbench201 --methods darts --simplify none --seeds 0-2 {same}",
    ]


def test_what_draws_alone_has_a_command_of_its_own() -> None:
    assert results(search("random none", 3)).command == (
        "archwright bench nasbench201 --methods random --simplify none --seeds 3 --data digits "
        "--preset proxy --no-baselines"
    )
