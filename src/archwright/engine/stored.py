"""Weights that runs left, in run folders and in checkpoints.

Nothing is built: what is read is compared with the network it should be of by names and shapes.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor

from archwright.engine.folder import RunFolder, read_config
from archwright.errors import RunError
from archwright.graph import Network
from archwright.io.tensors import read_tensors
from archwright.lowering import GraphModule

State = Mapping[str, Tensor]
"""Weights and statistics by name, as a module's `state_dict`."""

_AUXILIARY = "slots.auxiliary/"
"""How names of weights of an auxiliary head begin."""
_AVERAGE = "module."


def folder_of(path: Path) -> RunFolder:
    """The run folder that `path` is, or that the checkpoint or weights at `path` belong to.

    Raises:
        RunError: there is nothing at `path`, or it lies in no run folder.
    """
    if not path.exists():
        raise RunError(f"no run and no checkpoint at {path}: give the folder of a run")
    if path.is_dir():
        return RunFolder(path)
    folder = RunFolder(path.parent.parent if path.parent.name == "checkpoints" else path.parent)
    if not folder.config.is_file() or (path.suffix != ".pt" and path != folder.weights):
        raise RunError(f"{path} is no checkpoint in a run folder: give the folder of a run")
    return folder


def stored_weights(folder: RunFolder) -> State:
    """The weights that a finished run left.

    Raises:
        RunError: there are none yet, or they are damaged.
    """
    if not folder.weights.is_file():
        supernet = read_config(folder.path).get("kind") == "search"  # is all its checkpoints hold
        others = "" if supernet else ", or give one of its checkpoints"
        raise RunError(f"{folder.path} has no weights yet: finish its run with --resume{others}")
    return read_tensors(folder.weights)


def held_weights(path: Path, content: Mapping[str, Any]) -> State:
    """The weights of the network in a checkpoint's `content`: the average, if there is one.

    Those of an auxiliary head are left out.

    Raises:
        RunError: it holds no network by itself, or another one than the run's own.
    """
    if content.get("rows"):  # of a training, the networks that are done
        folder = folder_of(path)
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
    """The weights by name but for those of an auxiliary head, which is no part of the network."""
    return {name: value for name, value in state.items() if not name.startswith(_AUXILIARY)}


def require_state(path: Path, network: Network, state: State) -> None:
    """Check that `state` is one of a module of `network`.

    Raises:
        RunError: it is not (what differs first is named).
    """
    with torch.device("meta"):
        wanted = GraphModule(network).state_dict()
    what = f"{path} is no network of the architecture beside it"
    for name in sorted(set(wanted) ^ set(state)):
        where = "the file" if name in state else "the architecture"
        raise RunError(f"{what}: only {where} has {name}; restore the run folder as it was")
    for name, value in wanted.items():
        if state[name].shape != value.shape:
            theirs, ours = (list(tensor.shape) for tensor in (state[name], value))
            raise RunError(f"{what}: {name} is {theirs}, not {ours}; restore the run folder")
