"""Weights of networks on disk: how a run saves them, and how they are read.

Nothing is built where weights are read: they are compared with their network by names and shapes.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor

from archwright.engine.networks.network_file import save_graph
from archwright.engine.runs.folder import RunFolder, read_config, run_folder_of
from archwright.errors import RunError
from archwright.graph import Architecture, Network
from archwright.io.files import write_bytes
from archwright.io.tensors import pack_tensors, read_tensors
from archwright.lowering import GraphModule

State = Mapping[str, Tensor]
"""Weights and statistics by name, as a module's `state_dict`."""

_AUXILIARY = "slots.auxiliary/"
"""How names of weights of an auxiliary head begin."""
_AVERAGE = "module."


def save_network(folder: RunFolder, architecture: Architecture, network: GraphModule) -> None:
    """Write architecture, graph and weights, without an auxiliary head.

    Raises:
        RunError: they cannot be written.
    """
    save_graph(folder, architecture, network.network)
    try:
        write_bytes(folder.weights, pack_tensors(without_auxiliary(network.state_dict())))
    except OSError as error:
        raise RunError(
            f"cannot write to {folder.path}: {error.strerror}; make room, then go on with --resume"
        ) from None


def load_weights(folder: RunFolder) -> State:
    """Read the weights that a finished run left.

    Raises:
        RunError: there are none yet, or they are damaged.
    """
    if not folder.weights.is_file():
        supernet = read_config(folder.path).get("kind") == "search"  # is all its checkpoints hold
        others = "" if supernet else ", or give one of its checkpoints"
        raise RunError(f"{folder.path} has no weights yet: finish its run with --resume{others}")
    return read_tensors(folder.weights)


def checkpoint_weights(path: Path, content: Mapping[str, Any]) -> State:
    """Return the weights of the network in a checkpoint's `content`: the average, if there is one.

    Those of an auxiliary head are left out.

    Raises:
        RunError: it holds no network by itself, or another one than the run's own.
    """
    if content.get("rows"):  # of a training, the networks that are done
        folder = run_folder_of(path)
        raise RunError(
            f"{path} holds a network that the run's own is compared with: give {folder.path}, or "
            f"{folder.checkpoint('best')}"
        )
    trainer = cast("dict[str, Any]", content.get("trainer") or {})
    state = cast("dict[str, Tensor] | None", content.get("network") or trainer.get("network"))
    average = cast("dict[str, Tensor] | None", trainer.get("average"))
    if average:
        named = {name: value for name, value in average.items() if name.startswith(_AVERAGE)}
        state = {name.removeprefix(_AVERAGE): value for name, value in named.items()}
    if not state:
        raise RunError(f"{path} holds no network by itself: give the folder of its run")
    return without_auxiliary(state)


def without_auxiliary(state: State) -> dict[str, Tensor]:
    """Return the weights by name but for those of an auxiliary head."""
    return {name: value for name, value in state.items() if not name.startswith(_AUXILIARY)}


def require_state(path: Path, network: Network, state: State) -> None:
    """Check that `state` is one of a module of `network`.

    Raises:
        RunError: it is not (what differs first is named).
    """
    with torch.device("meta"):
        wanted = GraphModule(network).state_dict()
    what = f"the weights in {path} are not those of the network.json of the run"
    for name in sorted(set(wanted) ^ set(state)):
        where = "the weights have" if name in state else "network.json has"
        raise RunError(f"{what}: only {where} {name}; restore the run folder as it was")
    for name, value in wanted.items():
        if state[name].shape != value.shape:
            theirs, ours = (list(tensor.shape) for tensor in (state[name], value))
            raise RunError(f"{what}: {name} is {theirs}, not {ours}; restore the run folder")
