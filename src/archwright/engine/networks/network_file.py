"""Graphs on disk: `network.json`, and beside it the architecture that it is of."""

from pathlib import Path

from archwright.engine.runs.folder import RunFolder
from archwright.errors import GraphError, RunError
from archwright.graph import Architecture, Network
from archwright.graph.serial import network_from_text, network_to_text
from archwright.io.files import write_json, write_text
from archwright.io.schema import RESTORE
from archwright.spaces import write_architecture


def save_graph(folder: RunFolder, architecture: Architecture, network: Network) -> None:
    """Write the graph, without an auxiliary head, and the architecture.

    Raises:
        RunError: they cannot be written.
        GraphError: a primitive of the network has no serial form.
    """
    content = {**architecture.to_json(), "text": write_architecture(architecture)}
    write_graph(folder.network, network)
    try:
        write_json(folder.architecture, content)
    except OSError as error:
        raise _unwritable(folder.architecture, error) from None


def write_graph(path: Path, network: Network) -> None:
    """Write `network` to the file `path`, without an auxiliary head.

    Raises:
        RunError: it cannot be written.
        GraphError: a primitive of the network has no serial form.
    """
    try:
        write_text(path, network_to_text(network.without_auxiliary()))
    except OSError as error:
        raise _unwritable(path, error) from None


def read_graph(path: Path) -> Network:
    """Read the network in the file `path`; nothing in it is executed.

    Raises:
        RunError: there is no such file, it is damaged, or its graph breaks a rule (its place is
            named).
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise RunError(
            f"no network at {path}: finish the run with --resume, or make it again if it is of an "
            f"older version"
        ) from None
    except OSError as error:
        raise RunError(f"cannot read {path}: {error.strerror}") from None
    try:
        return network_from_text(content, str(path))
    except GraphError as error:
        raise RunError(f"{error}; {RESTORE}") from None


def _unwritable(path: Path, error: OSError) -> RunError:
    return RunError(
        f"cannot write to {path.parent}: {error.strerror}; make room, then go on with --resume"
    )
