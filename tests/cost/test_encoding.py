"""Features of candidates and of their positions, by hand and on every space."""

import pytest
import torch

from archwright.cost import DecisionTable, Encoding
from archwright.cost.learned.encoding import eigenvectors, topology
from archwright.spaces import Size, get_space

from ..strategies import ALL_SPACES, any_space, tiny

DENSE = [(source, target) for target in range(4) for source in range(target)]


def encoding(name: str) -> Encoding:
    return Encoding(DecisionTable(any_space(name), tiny(name)))


@pytest.mark.parametrize("name", ALL_SPACES)
def test_every_space_has_features_between_minus_one_and_one(name: str) -> None:
    found = encoding(name)
    edges, width = found.layout.zeros().shape
    assert found.candidates.shape[:2] == (edges, width)
    assert found.edges.shape[0] == edges
    for features in (found.candidates, found.edges):
        assert features.isfinite().all()
        assert features.abs().max() <= 1 + 1e-12
    assert not found.candidates[found.layout.present == 0].any()
    for around in (found.upstream, found.downstream, found.siblings):
        sums = around.sum(dim=1)
        assert torch.all((sums == 0) | ((sums - 1).abs() < 1e-12))


@pytest.mark.parametrize("name", ALL_SPACES)
def test_no_two_candidates_of_a_network_look_alike(name: str) -> None:
    found = encoding(name)
    places = found.edges[:, None].expand(*found.candidates.shape[:2], -1)
    both = torch.cat([found.candidates, places], dim=-1)[found.layout.present > 0]
    apart = torch.cdist(both, both) + torch.eye(len(both))
    assert apart.min() > 1e-3


def test_local_features_by_hand() -> None:
    layout = DecisionTable(get_space("nasbench201"), tiny("nasbench201"))
    latency = torch.arange(30, dtype=torch.float64).view(6, 5)
    none, skip, one, three, pool = Encoding(layout, latency).candidates[0]
    types = torch.stack([none, skip, one, three, pool])[:, :5]
    assert types.equal(torch.eye(5, dtype=torch.float64))
    macs, parameters, features, modules = 5, 6, 7, 8
    assert one[macs] == pytest.approx(1 / 9)
    assert three[macs] == 1
    assert one[parameters] < three[parameters] == 1
    assert {float(each[features]) for each in (none, skip, one, three, pool)} == {1.0}
    assert [float(each[modules]) for each in (skip, pool, three)] == pytest.approx([0, 1 / 3, 1])
    assert [float(each[-2]) for each in (none, pool)] == pytest.approx([0, 4 / 29])
    assert [float(each[-1]) for each in (none, skip)] == [0, 1]


def test_global_features_by_hand() -> None:
    layout = DecisionTable(get_space("nasbench201"), tiny("nasbench201"))
    found = {
        (source, target): row
        for (_, source, target), row in zip(
            layout.cells[0].edges, topology(layout.cells[0]), strict=True
        )
    }
    # depth, distance, length, share of the 4 ways, edges into its end, out of its start, ends
    assert found[0, 1][:8].tolist() == pytest.approx([0, 2 / 3, 1 / 4, 2 / 4, 1 / 6, 3 / 6, 1, 0])
    assert found[1, 2][:8].tolist() == pytest.approx(
        [1 / 3, 1 / 3, 1 / 4, 1 / 4, 2 / 6, 2 / 6, 0, 0]
    )
    assert found[2, 3][:8].tolist() == pytest.approx([2 / 3, 0, 1 / 4, 2 / 4, 3 / 6, 1 / 6, 0, 1])


def test_eigenvectors_solve_the_laplacian_and_see_directions() -> None:
    turn = torch.polar(torch.tensor(1.0).double(), torch.tensor(0.2 * torch.pi).double())
    joined = torch.zeros(4, 4, dtype=torch.complex128)
    for source, target in DENSE:
        joined[source, target], joined[target, source] = turn, turn.conj()
    found = eigenvectors(4, DENSE)
    values: list[float] = []
    for number in range(3):
        vector = torch.complex(found[:, number], found[:, 3 + number])
        image = vector - joined @ vector / 3
        value = (vector.conj() @ image).real
        torch.testing.assert_close(image, value * vector)
        values.append(float(value))
    assert values[0] < values[1] < values[2]
    reversed_edges = [(target, source) for source, target in DENSE]
    assert not torch.allclose(eigenvectors(4, reversed_edges), found)
    assert not eigenvectors(2, [(0, 1)])[:, [2, 5]].any()


def test_cells_are_joined_as_in_the_network() -> None:
    layout = DecisionTable(get_space("darts"), Size(channels=4, cells=6, image_size=16))
    found = Encoding(layout)
    normal, reduce = layout.kinds["normal"], layout.kinds["reduce"]
    row = {(s, t): r for r, s, t in normal.edges}
    other = {(s, t): r for r, s, t in reduce.edges}
    fed = found.upstream > 0
    assert fed[row[2, 3], row[0, 2]]  # inside of a cell
    assert not fed[row[2, 3], row[0, 3]]
    assert not fed[row[2, 3], other[0, 2]]
    assert fed[other[0, 2], row[0, 2]]  # a reduction cell reads normal ones, and they read it
    assert fed[row[1, 2], other[0, 2]]
    assert not fed[row[0, 2], other[0, 2]]  # never two behind a reduction, at this depth
    assert found.downstream[row[0, 2], row[2, 3]] > 0
    assert found.siblings[row[0, 2], row[1, 2]] == 1
    blocks = encoding("spos")
    assert (blocks.upstream.sum(dim=1) == 0).sum() == 1  # the first block alone reads no other
