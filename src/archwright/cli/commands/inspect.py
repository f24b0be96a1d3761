"""`archwright inspect`."""

import math
import os
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archwright.cli.command import Command
from archwright.cli.commands.inspect_network import network_facts, show_network
from archwright.cli.console import Show, count, shorten
from archwright.engine.options import require, require_kinds, require_positive, require_unused

if TYPE_CHECKING:
    from archwright.graph import Architecture, Network
    from archwright.spaces import Size, Space


@dataclass(frozen=True, kw_only=True)
class InspectConfig:
    """Print the costs of a network: of a run, of an architecture, or of the supernet of a space."""

    network: Path | None = None
    """A run folder, or a network.json in one, whose network is shown step by step (else
    --architecture or --space)."""
    architecture: str | None = None
    """An architecture file, a run folder, a published name (darts-v2), or a notation (else
    --space)."""
    space: str | None = None
    """nasbench201, darts, spos, or a Python file: its supernet, or beside --architecture the space
    that this is of, which must be named if it is a file of your own."""
    channels: int | None = None
    """Width at full resolution (else the run's, or as published)."""
    cells: int | None = None
    """Depth, in the space's own count (else the run's, or as published)."""
    classes: int | None = None
    """Outputs of the classifier (else the run's, or 10)."""
    image_size: int | None = None
    """Side of an image in pixels (else the run's, or the space's)."""
    image_channels: int | None = None
    """Channels of an image: 1 for grey, 3 for colours (else the run's, or 3)."""
    latency_device: str | None = None
    """Say latency and energy, too, on a device of HW-NAS-Bench (nasbench201 at 16/5/32)."""
    latency_table: Path | None = None
    """Say latency (and energy) by a table, too: as archwright profile writes it, or of whole
    architectures."""

    def __post_init__(self) -> None:
        """Check each number, and that there is a network to inspect.

        Raises:
            ConfigError: a number is out of range, or there is none.
        """
        require_kinds(self)
        given = self.architecture is not None or self.space is not None
        require(
            given or self.network is not None,
            "inspect needs a run, --architecture TEXT, or --space TEXT for a supernet",
        )
        if self.network is not None:
            others = (field.name for field in fields(self) if field.name != "network")
            require_unused(self, *others, beside="a run")
            return
        require_positive(self, "channels", "cells", "classes", "image_size", "image_channels")
        sources = (self.latency_device, self.latency_table)
        require(
            None in sources, "--latency-device and --latency-table exclude each other: give one"
        )
        require(
            self.architecture is not None or sources == (None, None),
            "--latency-device and --latency-table are for an architecture: give --architecture",
        )


def _run(config: InspectConfig) -> dict[str, Any]:
    """What there is to say, as JSON has it."""
    if config.network is not None:
        return network_facts(config.network)
    from archwright.cost import activation_bytes, graph_cost
    from archwright.spaces import (
        get_space,
        named_space,
        read_architecture,
        space_of,
        write_architecture,
    )

    if config.architecture is None:
        assert config.space is not None, "the configuration has one of the two"
        space = get_space(config.space)
        size = _size(config, space, space.search_size, {})
        network = _countable(space.supernet(size))
        own = {"decisions": {d.name: list(d.candidates) for d in network.decisions()}}
    else:
        named = named_space(config.space, config.architecture)
        architecture = read_architecture(config.architecture, named)
        space = space_of(architecture, named)
        size = _size(config, space, space.train_size, _run_settings(config.architecture))
        network = _countable(space.discrete(architecture, size))
        live = graph_cost(network, live=True)
        text = write_architecture(architecture)
        own = {
            "architecture": text,
            "live_params": live.params,
            "live_macs": live.macs,
            "costs": _costs(config, architecture, space, size),
        }
    cost = graph_cost(network)
    return {
        "space": space.name,
        "channels": size.channels,
        "cells": size.cells,
        "classes": size.classes,
        "image_size": size.image_size,
        "image_channels": size.image_channels,
        "params": cost.params,
        "macs": cost.macs,
        "activation_bytes": activation_bytes(network, 1),
        **own,
    }


def _countable(network: "Network") -> "Network":
    """Return `network` if a training step on one image is possible, for which costs are counted.

    Raises:
        ConfigError: it could not.
    """
    from archwright.cost import degenerate_batch_norm

    norm, pixels = degenerate_batch_norm(network, 1), network.image.height
    require(
        norm is None,
        f"--image-size {pixels} leaves the batch norm {norm} a single value of an image: give more "
        f"pixels",
    )
    return network


def _costs(
    config: InspectConfig, architecture: "Architecture", space: "Space", size: "Size"
) -> dict[str, float | None]:
    """Return every cost by its name; a predicted cost comes with an upper bound that it rarely
    exceeds. None: it was not measured on the device.

    None: it was not measured on the device.
    """
    from archwright.cost import COSTS, CostContext, DecisionTable

    context = CostContext(latency_device=config.latency_device, latency_table=config.latency_table)
    if architecture.pruning is not None:
        return _counted(config, space.discrete(architecture, size))
    given = config.latency_device is not None or config.latency_table is not None
    known = [cost for cost in COSTS.values() if cost.kind != "measured"]
    measured = [cost for cost in COSTS.values() if cost.kind == "measured"] if given else []
    # where the source has none of them, the reader of the first explains
    known += [cost for cost in measured if cost.available(context)] or measured[:1]
    layout = DecisionTable(space, size)
    found: dict[str, float] = {}
    for cost in known:
        model = cost.build(layout, context)
        found[cost.name] = model.of(architecture)
        if (bound := model.bound(architecture)) != found[cost.name]:
            found[f"{cost.name}_bound"] = bound
    return {name: value if math.isfinite(value) else None for name, value in found.items()}


def _counted(config: InspectConfig, network: "Network") -> dict[str, float | None]:
    """Return the costs of a pruned network: the measurements of its space are not of it.

    Raises:
        ConfigError: measurements are asked for.
    """
    from archwright.cost import COSTS, CostContext

    for name in ("latency_device", "latency_table"):
        require(
            getattr(config, name) is None,
            f"--{name.replace('_', '-')} is of whole networks, this one is pruned: leave it out; "
            f"archwright export times the network itself",
        )
    values = {name: cost.of_network(network, CostContext()) for name, cost in COSTS.items()}
    return {name: value for name, value in values.items() if value is not None}


def _run_settings(text: str) -> dict[str, Any]:
    """Return the settings of a run folder; nothing if `text` is not one."""
    from archwright.engine.runs.folder import read_config

    # not Path.is_file, which fails on a text that is too long for a name
    return read_config(Path(text)) if os.path.isfile(os.path.join(text, "config.json")) else {}


def _size(
    config: InspectConfig, space: "Space", published: tuple[int, int], held: dict[str, Any]
) -> "Size":
    from archwright.spaces import Size

    return Size(
        channels=config.channels or held.get("channels") or published[0],
        cells=config.cells or held.get("cells") or published[1],
        classes=config.classes or len(held.get("classes", ())) or 10,
        image_size=config.image_size or held.get("image_size") or space.image_size,
        image_channels=config.image_channels or held.get("image_channels") or 3,
    )


def _show(facts: dict[str, Any], show: Show) -> dict[str, Any]:
    if "network" in facts:
        return show_network(facts, show)
    from archwright.cost import COSTS
    from archwright.spaces import Size

    supernet = "decisions" in facts
    what = "supernet" if supernet else shorten(facts["architecture"], 100)
    show.line(f"{facts['space']}: {what}")
    show.line(Size(**{name: facts[name] for name in Size.__dataclass_fields__}).text)
    columns, rows = ("", "parameters", "MACs"), [_row("all edges", facts, "")]
    if supernet:
        rows[0] = _row(f"{len(facts['decisions'])} decisions open", facts, "")
    else:
        rows.append(_row("edges that reach the output", facts, "live_"))
    show.table(columns, rows)
    show.line(f"kept for backward, one image: {facts['activation_bytes'] / 1e6:,.2f} MB in float32")
    costs = facts.get("costs", {})
    for cost in (cost for name, cost in COSTS.items() if name in costs and cost.inspect_text):
        value, bound = costs[cost.name], costs.get(f"{cost.name}_bound")
        more = "" if bound is None else f" (predicted; hardly above {bound:,.4g})"
        text = "not measured" if value is None else cost.format(value)
        show.line(f"{cost.inspect_text}: {text}{more}")
    return facts


def _row(head: str, facts: dict[str, Any], prefix: str) -> tuple[str, str, str]:
    return head, count(facts[f"{prefix}params"]), count(facts[f"{prefix}macs"])


command = Command(name="inspect", config=InspectConfig, run=_run, show=_show, positional="network")
