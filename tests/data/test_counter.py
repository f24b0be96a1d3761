import torch

from archwright.data import counter_rng

# First outputs of SplitMix64 seeded with 1234567, as published with its reference code.
REFERENCE = [6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431]


def test_the_words_are_those_of_splitmix64() -> None:
    unsigned = [word % 2**64 for word in counter_rng.words(1234567, 4).tolist()]
    assert unsigned == REFERENCE


def test_keys_tell_their_parts_apart() -> None:
    keys = {
        counter_rng.key("a", 1),
        counter_rng.key("a1"),
        counter_rng.key("a", "1"),
        counter_rng.key(1, "a"),
    }
    assert len(keys) == 4
    assert counter_rng.key(0, "weights", 3) == counter_rng.key(0, "weights", 3)


def test_numbers_are_spread_evenly() -> None:
    uniform = counter_rng.uniform(7, 20_000)
    assert uniform.min() >= 0
    assert uniform.max() < 1
    assert abs(uniform.mean() - 0.5) < 0.01
    assert abs(counter_rng.coins(7, 20_000).double().mean() - 0.5) < 0.02
    share = torch.bincount(counter_rng.integers(7, 20_000, 9)) / 20_000
    assert len(share) == 9
    assert (share - 1 / 9).abs().max() < 0.01


def test_a_permutation_holds_each_index_once_and_differs_by_key() -> None:
    first, second = counter_rng.permutation(1, 1000), counter_rng.permutation(2, 1000)
    assert first.sort().values.equal(torch.arange(1000))
    assert not first.equal(second)
    assert (first == torch.arange(1000)).sum() < 10


def test_nothing_depends_on_the_global_generator() -> None:
    torch.manual_seed(1)
    before = torch.get_rng_state()
    one = counter_rng.words(5, 10)
    assert torch.get_rng_state().equal(before)
    torch.manual_seed(2)
    assert counter_rng.words(5, 10).equal(one)
