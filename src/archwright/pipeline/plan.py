"""Plan of a build: the configuration of each stage, checked as far as possible before the first."""

from dataclasses import dataclass, replace
from typing import Any

from archwright import data
from archwright._version import __version__
from archwright.backends.model_card import ModelCard
from archwright.backends.registry import get_backend
from archwright.backends.runtime import load, serialise
from archwright.cost.registry import get_cost
from archwright.deployment.config import ExportConfig
from archwright.engine.device import make_fabric
from archwright.engine.setup import load_images, require_trainable, size_for
from archwright.errors import ConfigError
from archwright.graph import Architecture, Network
from archwright.graph.passes.rewire import deletable
from archwright.lowering import GraphModule
from archwright.nas.config import SearchConfig
from archwright.nas.loop.run import build_run
from archwright.pipeline.config import BuildConfig
from archwright.pipeline.stages import (
    TABLE,
    export_config,
    final_size,
    pruning_config,
    search_config,
    training_config,
    within_budgets,
)
from archwright.pruning.config import PruneConfig
from archwright.pruning.targets import require_reachable, targets_of
from archwright.spaces import Size, Space, get_space, reference_architecture, write_architecture
from archwright.training.config import TrainConfig
from archwright.training.loop import augmented_batches


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Stages for a final network of `size`; `images` describes the data."""

    config: BuildConfig
    space: Space
    size: Size
    images: dict[str, Any]
    search: SearchConfig
    training: TrainConfig
    pruning: PruneConfig | None
    export: ExportConfig

    @property
    def settings(self) -> dict[str, Any]:
        """Requested settings, and those that were resolved from them."""
        asked, size = self.config.settings(), self.size
        return {
            **{**asked, **self.space.settings},
            **{"channels": size.channels, "cells": size.cells, "classes": self.images["classes"]},
            **{"image_size": size.image_size, "image_channels": size.image_channels},
            **{"data_summary": self.images, "asked": asked, "task": self.space.task.name},
        }

    @property
    def stages(self) -> tuple[str, ...]:
        """Names of the stages, in order."""
        profiled = ("profile",) if self.config.profiles else ()
        pruned = ("prune",) if self.pruning is not None else ()
        return (*profiled, "search", "train", *pruned, "export")

    def pruning_of(self, found: Architecture) -> PruneConfig | None:
        """Return the pruning of the found network, within the budgets too; None: there is none."""
        if self.pruning is None:
            return None
        network = self.space.discrete(found, self.size)
        return within_budgets(self.pruning, self.config, network)

    def require_prunable(self, found: Architecture) -> None:
        """Check, before it is trained, that the found network can be pruned to the target.

        Raises:
            ConfigError: it cannot; the text says how far the network comes down.
        """
        pruning = self.pruning_of(found)
        if pruning is None:
            return
        network = self.space.discrete(found, self.size)
        if not deletable(network):
            raise ConfigError(
                f"the search found {write_architecture(found)}, which has no node that could be "
                f"deleted: go on with --resume and without {_targets(self.config)}"
            )
        require_reachable(network, targets_of(pruning, network), pruning.pruning)


def make_plan(config: BuildConfig) -> Plan:
    """Return the plan of a build.

    Raises:
        ConfigError: a setting, space or method that does not exist or does not fit; nothing is
            within the budgets (with the least that is possible); what does not fit into memory;
            a library that is not installed.
        DataError: the images cannot be used.
        GraphError: networks of the space cannot be said in the format.
    """
    images = load_images(config)
    space = replace(get_space(config.space), task=images.task)
    search = search_config(config, space, images.image_size)
    size = _final_size(config, space, search, images)
    if not (search.out / "config.json").exists():  # else it was checked when it started
        build_run(search_config(_before_profile(config), space, images.image_size))
    stand_in = reference_architecture(space, size)
    network = space.discrete(stand_in, size)
    if config.prunes and not deletable(network):
        raise ConfigError(
            f"space {space.name} has no cell that a node could be deleted from: leave "
            f"{_targets(config)} out"
        )
    plan = Plan(
        config=config,
        space=space,
        size=size,
        images=data.about(images),
        search=search,
        training=training_config(config, size, auxiliary=_head_fits(space, network, size)),
        pruning=pruning_config(config),
        export=export_config(config),
    )
    _require_training(plan, network, images)
    _require_export(plan, stand_in, network, images)
    return plan


def _targets(config: BuildConfig) -> str:
    return " and ".join(get_cost(name).target_flag for name in config.targets)


def _before_profile(config: BuildConfig) -> BuildConfig:
    """Return the configuration, without its latency budget until this machine is measured."""
    measured = not config.profiles or (config.out / TABLE).exists()
    if measured:
        return config
    timed = [cost.option for cost in map(get_cost, config.limits) if cost.profiled]
    return replace(config, **dict.fromkeys(timed))


def _final_size(
    config: BuildConfig, space: Space, search: SearchConfig, images: data.ImageData
) -> Size:
    """Return the size of the final network, for which the budgets of the search are computed.

    Raises:
        ConfigError: the supernet does not have its decisions.
    """
    with_preset, (channels, cells) = search.with_preset(), space.search_size
    searched = size_for(images, with_preset.channels or channels, with_preset.cells or cells)
    (wide, deep), (channels, cells) = final_size(config, space), space.train_size
    final = size_for(images, wide or channels, deep or cells)
    if space.skeleton.cells(searched) == space.skeleton.cells(final):
        return final
    if deep is None:  # depth is a matter of decisions: as deep as it is searched
        return replace(final, cells=searched.cells)
    raise ConfigError(
        f"--cells {final.cells} makes networks with other decisions than the {searched.cells} "
        f"cells that are searched: in space {space.name} --search-cells must be the same"
    )


def _head_fits(space: Space, network: Network, size: Size) -> bool:
    try:
        space.with_auxiliary(network, size)
    except ConfigError:
        return False
    return True


def _require_training(plan: Plan, network: Network, images: data.ImageData) -> None:
    """Check the training, and the fine-tuning, on a network of the space."""
    training = plan.training
    fabric = make_fabric(training.device, training.precision)
    sizes = {training.batch_size}
    sizes |= set() if plan.pruning is None else {plan.pruning.batch_size}
    for batch_size in sorted(sizes):
        recipe = replace(training, batch_size=batch_size)
        require_trainable(fabric, recipe, network, batch_size, "the final network")
        augmented_batches(fabric, recipe, images)


def _require_export(
    plan: Plan, stand_in: Architecture, network: Network, images: data.ImageData
) -> None:
    """Check that a network of the space can be exported, and its file run."""
    card = ModelCard(
        architecture=write_architecture(stand_in),
        space=str(plan.space.origin or plan.space.name),
        channels=plan.size.channels,
        cells=plan.size.cells,
        classes=tuple(plan.images["classes"]),
        image_channels=images.channels,
        image_size=images.image_size,
        mean=tuple(images.mean),
        std=tuple(images.std),
        version=__version__,
    )
    form = plan.export.format
    get_backend(form).require_installed(plan.export.weights)
    load(serialise(GraphModule(network).eval(), form, card), form)
