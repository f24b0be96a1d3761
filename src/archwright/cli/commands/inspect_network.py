"""`archwright inspect` of a network that a run left: its costs, and each of its steps."""

from pathlib import Path
from typing import Any

from archwright.cli.console import Show, count, shorten


def network_facts(path: Path) -> dict[str, Any]:
    """Return the costs, the shapes and the steps of the network in a file or a run folder.

    Raises:
        RunError: there is none, or it is damaged.
    """
    from archwright.cost import activation_bytes, graph_cost
    from archwright.cost.peak import peak_bytes
    from archwright.cost.steps import step_facts
    from archwright.engine.networks.network_file import read_graph
    from archwright.engine.networks.trained import stage_folder

    file = stage_folder(path).network if path.is_dir() else path
    network = read_graph(file)
    cost, live = graph_cost(network), graph_cost(network, live=True)
    steps = step_facts(network)
    return {
        "network": str(file),
        "image": list(network.image),
        "logits": list(steps[-1].shape),
        "decisions": {d.name: list(d.candidates) for d in network.decisions()},
        **{"params": cost.params, "macs": cost.macs},
        **{"live_params": live.params, "live_macs": live.macs},
        "activation_bytes": activation_bytes(network, 1),
        "memory_mb": peak_bytes(network) / 1e6,
        "steps": [
            {
                **{"name": step.name, "inputs": list(step.inputs), "text": step.text},
                **{"shape": list(step.shape), "params": step.params, "macs": step.macs},
            }
            for step in steps
        ],
    }


def show_network(facts: dict[str, Any], show: Show) -> dict[str, Any]:
    """Print the result of `network_facts`."""
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


def _shape(sizes: list[int]) -> str:
    return "x".join(map(str, sizes))
