"""The network that a run leaves behind, and how another run takes its weights over."""

from pathlib import Path

import torch
from torch import Tensor

from archwright.engine.folder import RunFolder
from archwright.engine.stored import without_auxiliary
from archwright.errors import RunError
from archwright.graph import Architecture, Network
from archwright.io.files import write_bytes, write_json
from archwright.io.tensors import pack_tensors, read_tensors
from archwright.lowering import GraphModule
from archwright.spaces import write_architecture


def save_network(folder: RunFolder, architecture: Architecture, network: GraphModule) -> None:
    """Write architecture and weights; the auxiliary head, of no use any more, is left behind.

    Raises:
        RunError: they cannot be written.
    """
    kept = without_auxiliary(network.state_dict())
    try:
        write_bytes(folder.weights, pack_tensors(kept))
        content = {**architecture.to_json(), "text": write_architecture(architecture)}
        write_json(folder.architecture, content)
    except OSError as error:
        raise RunError(
            f"cannot write to {folder.path}: {error.strerror}; make room, then go on with --resume"
        ) from None


def load_weights(path: Path, network: Network) -> dict[str, Tensor]:
    """The state in the file `path` of a module of `network`, but for an auxiliary head.

    Nothing is built: names and shapes are compared on the meta device.

    Raises:
        RunError: the file is missing or damaged, or of another network (what differs is named).
    """
    if not path.is_file():
        raise RunError(f"no weights at {path}: finish the search with --resume")
    given = read_tensors(path)
    with torch.device("meta"):
        wanted = without_auxiliary(GraphModule(network).state_dict())
    foreign = sorted(set(wanted) ^ set(given))
    if foreign:
        where = "the other network" if foreign[0] in given else "this one"
        raise RunError(
            f"{path} is of another architecture: only {where} has {foreign[0]}; inherit into the "
            f"architecture that the search found"
        )
    for name, value in wanted.items():
        if given[name].shape != value.shape:
            theirs, ours = (list(tensor.shape) for tensor in (given[name], value))
            raise RunError(
                f"{path} does not fit: {name} is {theirs} there and {ours} here; inherit with "
                f"images of the same classes and channels"
            )
    return given
