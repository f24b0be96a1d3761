"""Local search: its moves, and its end."""

from collections.abc import Callable

from archwright.cost.expected.local_search import local_search

COSTS = {0: 5.0, 1: 3.0, 2: 4.0, 3: 1.0, 4: 0.5, 5: 2.0}


def beside(state: int) -> list[int]:
    return [one for one in (state + 1, state - 1, state + 2) if one in COSTS]


def always(*states: int) -> Callable[[int], list[int]]:
    return lambda _: list(states)


def test_it_takes_the_best_neighbour_and_ends_at_a_local_minimum() -> None:
    seen: list[int] = []

    def cost(state: int) -> float:
        seen.append(state)
        return COSTS[state]

    assert local_search(0, cost, beside) == (0.5, 4)
    assert seen[:3] == [0, 1, 2]
    assert local_search(5, COSTS.__getitem__, lambda state: []) == (2.0, 5)


def test_it_ends_where_that_is_enough_or_little_is_gained() -> None:
    assert local_search(0, COSTS.__getitem__, beside, enough=3.0) == (3.0, 1)
    assert local_search(1, COSTS.__getitem__, beside, gain=2.5) == (3.0, 1)


def test_the_first_better_neighbour_is_taken_among_so_many() -> None:
    assert local_search(0, COSTS.__getitem__, always(2, 1, 4), first_of=1) == (4.0, 2)
    assert local_search(2, COSTS.__getitem__, always(0, 1), first_of=2) == (3.0, 1)
    assert local_search(2, COSTS.__getitem__, always(0, 1), first_of=1) == (4.0, 2)
