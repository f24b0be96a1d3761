"""Configuration of each stage, derived from the configuration of the build."""

from dataclasses import fields, replace
from typing import Any

from archwright.backends.formats import WEIGHT_BYTES
from archwright.cost.contract import Cost, CostContext
from archwright.cost.registry import get_cost, target_costs
from archwright.deployment.config import ExportConfig
from archwright.engine.options import RunOptions
from archwright.errors import ConfigError
from archwright.graph import Network
from archwright.nas.budget.options import LimitOptions
from archwright.nas.config import SearchConfig
from archwright.pipeline.config import BuildConfig
from archwright.pipeline.presets import PRESETS
from archwright.pruning.config import PruneConfig
from archwright.spaces import Size, Space
from archwright.training.config import TrainConfig

_IMAGES = ("data", "data_root", "image_size", "limit", "test_limit", "background", "white_level")
_OWN = {"out", "resume"}
TABLE = "latency.csv"
"""Latencies of this machine, in the build's folder."""


def search_config(config: BuildConfig, space: Space, image_size: int) -> SearchConfig:
    """Return the search, within budgets on networks of the final size."""
    shared = _shared(config, [field.name for field in fields(LimitOptions)])
    preset = PRESETS[config.preset]
    options: dict[str, Any] = {
        **_given(channels=config.search_channels),
        "cells": config.search_cells
        or (_least_cells(space) if "supernet" in preset.shallow else None),
        **_given(batch_size=config.batch_size),
    }
    if config.limits:
        channels, cells = final_size(config, space)
        options |= {"deploy_channels": channels, "deploy_cells": cells}
        options |= {"deploy_image_size": image_size}
    if any(get_cost(name).by_weight_type for name in config.limits):
        options |= {"deploy_weights": config.weights}
    table: dict[str, Any] = {"latency_table": config.out / TABLE} if config.profiles else {}
    found = SearchConfig(
        **{**shared, **table, **_left(preset.search, shared), **options},
        space=config.space,
        method=config.method,
        supernets=config.supernets,
        out=config.out / "search",
        resume=True,
    )
    return _of_epochs(found, config.search_epochs)


def final_size(config: BuildConfig, space: Space) -> tuple[int | None, int | None]:
    """Return the requested channels and cells of the final network; None: those of the space."""
    shallow = "final" in PRESETS[config.preset].shallow
    return config.channels, config.cells or (_least_cells(space) if shallow else None)


def _least_cells(space: Space) -> int:
    """Return the least depth of the space's networks, in the space's own count."""
    size = Size(channels=space.train_size[0], cells=1, classes=2, image_size=space.image_size)
    for cells in range(1, space.train_size[1]):
        try:
            space.skeleton.cells(replace(size, cells=cells))
            return cells
        except ConfigError:
            pass
    return space.train_size[1]


def _of_epochs(config: SearchConfig, epochs: int | None) -> SearchConfig:
    """Return the search with so many epochs (see `Recipe.of_epochs`), whatever the preset sets."""
    if epochs is None:
        return config
    with_preset = config.with_preset()
    recipe = with_preset.recipe(with_preset.build_method().recipe(config.space)).of_epochs(epochs)
    started = {"alpha_start": recipe.alpha_start, "warmup_epochs": recipe.warmup_epochs}
    return replace(config, epochs=epochs, **started)


def training_config(config: BuildConfig, size: Size, *, auxiliary: bool) -> TrainConfig:
    """Return the training of the found architecture, with an auxiliary head if one fits."""
    shared = _shared(config, [field.name for field in fields(RunOptions)])
    options = _left(PRESETS[config.preset].training, shared)
    options |= _given(epochs=config.epochs, batch_size=config.batch_size)
    options |= {"channels": size.channels, "cells": size.cells}
    options |= {} if auxiliary else {"auxiliary": 0.0}
    return TrainConfig(
        **{**shared, **options},
        architecture=str(config.out / "search"),
        space=config.space,
        against=config.against,
        out=config.out / "network",
        resume=True,
    )


def pruning_config(config: BuildConfig) -> PruneConfig | None:
    """Return the pruning, on the images of the training; None if there is none."""
    if not config.prunes:
        return None
    names = [field.name for field in fields(RunOptions) if field.name not in _IMAGES]
    options: dict[str, Any] = {**PRESETS[config.preset].pruning, **config.targets}
    options |= _given(epochs=config.finetune_epochs, batch_size=config.batch_size)
    return PruneConfig(
        **{**_shared(config, names), **options},
        fusion=config.fusion,
        data_root=config.data_root,
        run=config.out / "network",
        space=config.space,
        out=config.out / "pruned",
        resume=True,
    )


def within_budgets(pruning: PruneConfig, config: BuildConfig, network: Network) -> PruneConfig:
    """Return the pruning of a found network that also keeps the budgets of the build.

    The fusions that replace deleted nodes have a cost. A latency of this machine is measured as the
    file will be. If only the budget requires it, it is kept if possible: no pruning fails because
    of measurement noise, and the final check uses the file.
    """
    context = CostContext(weight_bytes=WEIGHT_BYTES[config.weights])
    limits: dict[str, list[float]] = {}
    for cost in map(get_cost, config.limits):
        here = cost.profiled and config.latency_device is None
        target = cost.as_target(config.limits[cost.name], context)
        if target is not None and (here or cost.kind != "measured"):
            limits.setdefault(target[0], []).append(target[1])
    targets: dict[str, Any] = {
        cost.name: _tighter(cost, getattr(pruning, cost.name), network, limits[cost.name])
        for cost in target_costs().values()
        if cost.name in limits
    }
    by_budget = [name for name in targets if get_cost(name).profiled]
    firm = all(getattr(pruning, name) is not None for name in by_budget)
    return replace(pruning, latency_firm=firm, **targets)


def _tighter(cost: Cost, asked: float | None, network: Network, limits: list[float]) -> float:
    """Return the least of the limits and of the target, which up to 1 may be a fraction."""
    if asked is None:
        return min(limits)
    if cost.share and asked <= 1:
        whole = cost.of_network(network, CostContext())
        assert whole is not None, f"{cost.name} has shares, and no of_network"
        asked *= whole
    return min(asked, *limits)


def export_config(config: BuildConfig) -> ExportConfig:
    """Return the export of the last network."""
    return ExportConfig(
        run=config.out / ("pruned" if config.prunes else "network"),
        space=config.space,
        out=config.file,
        format=config.format,
        weights=config.weights,
        data_root=config.data_root,
    )


def _shared(config: BuildConfig, names: list[str]) -> dict[str, Any]:
    return {name: getattr(config, name) for name in names if name not in _OWN}


def _given(**options: Any) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value is not None}


def _left(preset: dict[str, Any], shared: dict[str, Any]) -> dict[str, Any]:
    """Return the settings of a preset without those that are given explicitly."""
    return {name: value for name, value in preset.items() if shared.get(name) is None}
