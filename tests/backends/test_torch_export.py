"""Programs of torch.export compute the same as the network, without its code."""

import pytest
import torch
from torch import Tensor

from archwright.backends import LogitsModule, Program, max_error, to_program
from archwright.backends.torch_export import trace
from archwright.errors import GraphError, RunError
from archwright.graph import Network
from archwright.lowering import GraphModule
from archwright.spaces import get_space, read_architecture, reference_architecture
from archwright.tasks import Classification

from ..strategies import ALL_SPACES, any_space, seeded, tiny


def trained(network: Network) -> GraphModule:
    return seeded(network).float().eval()


def pruned() -> Network:
    architecture = read_architecture("darts-v2 without cell0:2 cell1:3,4 gated=yes")
    network = get_space("darts").discrete(architecture, tiny("darts"))
    return Classification().with_auxiliary(network, "cell1", 10)


@pytest.fixture(scope="module")
def module() -> GraphModule:
    return trained(pruned())


@pytest.fixture(scope="module")
def content(module: GraphModule) -> bytes:
    return to_program(module, {"classes": "[1]"})


def test_a_pruned_network_in_any_batch(module: GraphModule, content: bytes) -> None:
    program = Program(content)
    max_error(LogitsModule(module), program, module.network.image, batches=(1, 2, 5))
    assert program.metadata == {"classes": "[1]"}
    assert not program(torch.zeros(1, *module.network.image)).requires_grad
    assert isinstance(program.call(module.network.image, batch=4)(), Tensor)


def test_threads_are_put_back(module: GraphModule, content: bytes) -> None:
    before = torch.get_num_threads()
    Program(content, threads=2)(torch.zeros(1, *module.network.image))
    assert torch.get_num_threads() == before


def test_a_fixed_batch_is_fixed(module: GraphModule) -> None:
    program = trace(module, batch=1).module()
    with pytest.raises(Exception, match="images"):
        program(torch.zeros(2, *module.network.image))


@pytest.mark.slow
@pytest.mark.parametrize("name", ALL_SPACES)
def test_every_space(name: str) -> None:
    space, size = any_space(name), tiny(name)
    module = trained(space.discrete(reference_architecture(space, size), size))
    max_error(LogitsModule(module), Program(to_program(module)), module.network.image)


def test_an_open_decision_is_refused() -> None:
    supernet = GraphModule(get_space("nasbench201").supernet(tiny("nasbench201")))
    with pytest.raises(GraphError, match="cell/0->1 is undecided: derive the network first"):
        to_program(supernet)


def test_a_file_that_is_not_a_program_is_refused(
    content: bytes, tmp_path, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(RunError, match="torch cannot read the program: "):
        Program(content[: len(content) // 2])
    assert capfd.readouterr().err == ""
    with pytest.raises(RunError, match=r"torch cannot read .*gone\.pt2: "):
        Program(tmp_path / "gone.pt2")
