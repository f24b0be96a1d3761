"""`archwright inspect` of a network that a run left: its costs, and each of its steps."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from archwright.cli.console import Show, count, shorten

if TYPE_CHECKING:
    from archwright.graph import Network, Step


def network_facts(path: Path) -> dict[str, Any]:
    """Return the costs, the shapes and the steps of the network in a file or a run folder.

    Raises:
        RunError: there is none, or it is damaged.
    """
    from archwright.cost import activation_bytes, graph_cost
    from archwright.cost.peak import peak_bytes
    from archwright.engine.networks.network_file import read_graph
    from archwright.engine.networks.trained import stage_folder

    file = stage_folder(path).network if path.is_dir() else path
    network = read_graph(file)
    cost, live = graph_cost(network), graph_cost(network, live=True)
    steps = _steps(network)
    return {
        "network": str(file),
        "image": list(network.image),
        "logits": steps[-1]["shape"],
        "decisions": {d.name: list(d.candidates) for d in network.decisions()},
        **{"params": cost.params, "macs": cost.macs},
        **{"live_params": live.params, "live_macs": live.macs},
        "activation_bytes": activation_bytes(network, 1),
        "memory_mb": peak_bytes(network) / 1e6,
        "steps": steps,
    }


def show_network(facts: dict[str, Any], show: Show) -> dict[str, Any]:
    """Show what `network_facts` gave."""
    show.line(f"{facts['network']}: images {_shape(facts['image'])}")
    rows = [
        (
            step["name"],
            ", ".join(step["inputs"]),
            shorten(step["text"]),
            _shape(step["shape"]),
            count(step["params"]),
            count(step["macs"]),
        )
        for step in facts["steps"]
    ]
    whole = _shape(facts["logits"]), count(facts["params"]), count(facts["macs"])
    columns = ("step", "reads", "computes", "shape", "parameters", "MACs")
    show.table(columns, [*rows, ("all", "", "", *whole)], texts=3)
    show.line(
        f"what reaches the logits: {count(facts['live_params'])} parameters, "
        f"{count(facts['live_macs'])} MACs"
    )
    if facts["decisions"]:
        show.line(f"{len(facts['decisions'])} decisions open")
    show.line(f"kept for backward, one image: {facts['activation_bytes'] / 1e6:,.2f} MB in float32")
    show.line(f"features while one image is answered, at most: {facts['memory_mb']:,.4g} MB")
    return facts


def _steps(network: "Network") -> list[dict[str, Any]]:
    """Return each step with the shape that it makes and its costs; shared slots count once."""
    from archwright.graph import Op, Shape, walk_network
    from archwright.graph.expr import modules

    visited: list[tuple[Op, Shape]] = []
    shapes = walk_network(network, lambda module, shape: visited.append((module, shape)))
    order, seen = iter(visited), set[str]()
    found: list[dict[str, Any]] = []
    for step in network.steps:
        params, macs = 0, 0
        for _ in [module for body in _bodies(step) for module in modules(body)]:
            module, shape = next(order)
            macs += module.primitive.macs(shape)
            params += 0 if module.slot in seen else module.primitive.params
            seen |= {module.slot} if module.slot else set()
        found.append(
            {
                **{"name": step.name, "inputs": list(step.inputs), "text": _text(step)},
                **{"shape": list(shapes[step.name]), "params": params, "macs": macs},
            }
        )
    return found


def _bodies(step: "Step") -> list[Any]:
    from archwright.graph import Cell

    if not isinstance(step.body, Cell):
        return [step.body]
    return [*step.body.inputs, *(edge.body for edge in step.body.edges)]


def _text(step: "Step") -> str:
    """Return what a step computes: its expression, or those on the edges of its cell."""
    from archwright.graph import Cell

    cell = step.body
    if not isinstance(cell, Cell):
        return str(cell)
    edges = "; ".join(f"{edge.source}->{edge.target}: {edge.body}" for edge in cell.edges)
    return f"{cell.kind} cell: {edges}"


def _shape(sizes: list[int]) -> str:
    return "x".join(map(str, sizes))
