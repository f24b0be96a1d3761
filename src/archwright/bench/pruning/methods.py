"""Networks of the comparison: each way of pruning applied to the same trained weights."""

from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import torch

from archwright import data
from archwright.bench.pruning.config import (
    CHANNELS,
    NODES,
    ONE_GO,
    OPERATIONS,
    WHOLE,
    PruningArm,
    PruningConfig,
    eval_subset_size,
)
from archwright.cost import graph_cost
from archwright.data.splits import subset_indices
from archwright.engine.device import to_device
from archwright.engine.networks.trained import TrainedNetwork, load_network
from archwright.engine.runs.checkpointer import Checkpointer
from archwright.engine.runs.folder import hold, open_run
from archwright.errors import ConfigError
from archwright.graph import Network, Pruning
from archwright.lowering import GraphModule
from archwright.pruning.baselines.channels import prune_channels
from archwright.pruning.baselines.operations import EdgeScore, describe, prune_edges
from archwright.pruning.baselines.scale_width import scale_width
from archwright.pruning.calibration import calibration_batches
from archwright.pruning.config import PruneConfig
from archwright.pruning.gates import gated_network
from archwright.pruning.prunable import load_prunable, require_fit
from archwright.pruning.reconstruction import reset_bn_statistics
from archwright.pruning.stages import GatedNetwork, PrunedNetwork, Stages
from archwright.pruning.targets import require_reachable, targets_of
from archwright.spaces import write_architecture
from archwright.tasks import Batch
from archwright.training.config import TrainConfig
from archwright.training.network_spec import NetworkSpec
from archwright.training.run import train

if TYPE_CHECKING:
    from lightning_fabric import Fabric

_GATES = PruningArm(method="gates")
_CONTINUED = PruningArm(method="onward")
"""The trained network, trained on without gates for as many epochs as gates are learned in."""


@dataclass(frozen=True)
class BuiltNetwork:
    """Network before it is fine-tuned; a network that was trained from fresh weights is not
    fine-tuned.

    Attributes:
        cut: the removed parts, as text.
        top1_pruned: its percent of test images; None of a fresh one.
        gates: the smallest and the largest learned gate, if gates ranked the nodes.
    """

    network: GraphModule
    cut: str = ""
    fresh: bool = False
    top1_pruned: float | None = None
    gates: list[float] | None = None


class NetworkFactory:
    """Factory of the networks of one seed, each made from one trained network on demand."""

    def __init__(
        self, config: PruningConfig, fabric: "Fabric", images: data.ImageData, seed: int
    ) -> None:
        self.config, self.fabric, self.images, self.seed = config, fabric, images, seed
        few = subset_indices(len(images.test), eval_subset_size(len(images.test)))
        self._eval_images = replace(images, test=images.test.subset(few))
        self._prunings: dict[tuple[PruningArm, float], Pruning] = {}

    @cached_property
    def source(self) -> TrainedNetwork:
        """Return the trained network.

        Raises:
            RunError: there is no such training, or its network cannot be pruned.
            ConfigError: it does not take these images.
        """
        run = self.config.trained
        if run is None:
            run = train(self.config.training(self.seed)).out
        source = load_prunable(run)
        require_fit(source, self.images)
        return source

    @cached_property
    def top1_before(self) -> float:
        """Return the headline metric of the trained network on the test images."""
        stages = self.stages(_CONTINUED, 1)
        return stages.score(stages.unpruned())

    @cached_property
    def macs(self) -> int:
        """Count the multiply-accumulates of the trained network."""
        return self.source.cost.macs

    @cached_property
    def gated(self) -> GatedNetwork:
        """Return the network with learned gates."""
        with self.checkpointer(_GATES, 1) as checkpointer:
            return self.stages(_GATES, 1, few=True).learn_gates(
                checkpointer, checkpointer.restore()
            )

    @cached_property
    def continued_training(self) -> GraphModule:
        """Return the network trained on by the recipe of the gates, without any."""
        settings = self.config
        like = replace(settings, epochs=settings.gate_epochs, lr=settings.gate_lr)
        stages = self.stages(_CONTINUED, 1, few=True, config=like)
        network = stages.unpruned()
        with self.checkpointer(_CONTINUED, 1, like) as checkpointer:
            state = checkpointer.restore()
            return stages.finetune(network, checkpointer, _CONTINUED.method, state)

    def stages(
        self,
        one: PruningArm,
        share: float,
        *,
        few: bool = False,
        config: PruningConfig | None = None,
    ) -> Stages:
        """Return the stages of a pruning; with `few`, scored on few images on the way."""
        return Stages(
            fabric=self.fabric,
            config=self.prune_config(one, share, config),
            source=self.source,
            images=self._eval_images if few else self.images,
        )

    def prune_config(
        self, one: PruningArm, share: float, config: PruningConfig | None = None
    ) -> PruneConfig:
        """Return the configuration of a pruning of this network."""
        prune_config = (config or self.config).pruning(self.source.path, self.seed, one, share)
        return prune_config.on(self.source.settings)

    @contextmanager
    def checkpointer(
        self, one: PruningArm, share: float, config: PruningConfig | None = None
    ) -> Generator[Checkpointer]:
        """Keep a fine-tuning resumable.

        Raises:
            RunError: its folder holds one of other settings, or another process writes it.
        """
        path = self.config.folder(self.seed, one, share)
        settings = {**self.prune_config(one, share, config).settings(), "out": str(path)}
        with hold(path):
            folder = open_run(path, "bench pruning", settings, resume=True)
            yield Checkpointer(folder, self.fabric, 60.0)

    def require_reachable(self, wanted: Iterable[tuple[PruningArm, float]]) -> None:
        """Check that deleting nodes comes down to every share that is wanted of it.

        Raises:
            ConfigError: it does not (with the least that can be reached).
        """
        for one, share in wanted:
            if one.method not in (*NODES, "fresh"):
                continue
            prune_config, network = self.prune_config(one, share), self.source.network
            try:
                require_reachable(network, targets_of(prune_config, network), prune_config.pruning)
            except ConfigError as error:
                reason = str(error).replace("--macs", "the network", 1)
                raise ConfigError(f"--targets {share:g}, {one.title}: {reason}") from None

    def make(self, one: PruningArm, share: float) -> BuiltNetwork:
        """Return the network that is left, before it is fine-tuned; a fresh one in the end.

        Raises:
            ConfigError: the share cannot be reached (with the least that can).
        """
        torch.manual_seed(self.seed)
        made = _MAKERS[one.method](self, one, share)
        if made.fresh:
            return made
        to_device(made.network, self.fabric.device)
        reset_bn_statistics(made.network, torch.cat([images for images, _ in self.calibration]))
        return replace(made, top1_pruned=self.stages(one, share).score(made.network))

    @cached_property
    def calibration(self) -> list[Batch]:
        """Return the images on which statistics are taken and losses compared."""
        config = self.config
        return calibration_batches(self.fabric, self.images, config.calibration, self.seed)

    def nodes(self, one: PruningArm, share: float) -> BuiltNetwork:
        """Delete nodes, with the configured fusion in their place."""
        cut = self._cut(one, share)
        values = cut.importance.values()
        gates = [min(values), max(values)] if one.method == _GATES.method else None
        return BuiltNetwork(cut.network, cut.pruning.to_text(), gates=gates)

    def _cut(self, one: PruningArm, share: float) -> PrunedNetwork:
        stages = self.stages(one, share)
        if stages.config.score == "gate":
            gated = self.gated
        else:
            network, gates = gated_network(
                self.source.network, self.continued_training.state_dict()
            )
            gated = GatedNetwork(network=to_device(network, self.fabric.device), gates=gates)
        cut = stages.cut(gated, targets_of(stages.config, self.source.network))
        self._prunings[one, share] = cut.pruning
        return cut

    def channels(self, one: PruningArm, share: float) -> BuiltNetwork:
        """Remove channels."""
        ranking, rounds = CHANNELS[one.method]
        round_to = self.config.round_to if rounds else 1
        macs = share * self.macs
        network, prune_config = prune_channels(
            self.continued_training, macs, ranking=ranking, round_to=round_to
        )
        return BuiltNetwork(network, f"{prune_config:.4f} of the channels of the {ranking}")

    def operations(self, one: PruningArm, share: float) -> BuiltNetwork:
        """Remove edges."""
        score: EdgeScore = "taylor" if OPERATIONS[one.method] == "taylor" else "loss"
        macs = share * self.macs
        network, removed = prune_edges(
            self.images.task, self.continued_training, macs, self.calibration, score=score
        )
        return BuiltNetwork(network, describe(self.source.network, removed))

    def unpruned(self, one: PruningArm, share: float) -> BuiltNetwork:
        """Return the whole network, trained on."""
        network = GraphModule(self.source.network)
        network.load_state_dict(self.continued_training.state_dict())
        return BuiltNetwork(network)

    def fresh(self, one: PruningArm, share: float) -> BuiltNetwork:
        """Train the architecture that deleting nodes leaves from fresh weights."""
        nodes = replace(one, method="nodes")
        known = self._prunings.get((nodes, share))
        pruning = known or self._cut(nodes, share).pruning
        architecture = replace(self.source.architecture, pruning=pruning)
        spec = replace(self._spec, architecture=architecture)
        return BuiltNetwork(self._trained(one, share, spec), pruning.to_text(), fresh=True)

    def narrower(self, one: PruningArm, share: float) -> BuiltNetwork:
        """Train the whole architecture with fewer channels from fresh weights."""
        spec = scale_width(self._spec, share * self.macs, round_to=self.config.round_to)
        cut = f"channels={spec.size.channels}"
        return BuiltNetwork(self._trained(one, share, spec), cut, fresh=True)

    def whole(self, one: PruningArm, share: float) -> BuiltNetwork:
        """Train the whole architecture from fresh weights."""
        return BuiltNetwork(self._trained(one, share, self._spec), fresh=True)

    @property
    def _spec(self) -> NetworkSpec:
        source = self.source
        return NetworkSpec("found", source.space, source.architecture, source.size)

    def _trained(self, one: PruningArm, share: float, spec: NetworkSpec) -> GraphModule:
        """Train a fresh network by the recipe of the whole one, in as many epochs in all."""
        held = self.source.settings
        settings: dict[str, Any] = {
            **{name: held[name] for name in TrainConfig.__dataclass_fields__ if name in held},
            **{"against": (), "inherit": None, "devices": 1, "command": None, "resume": True},
            "architecture": write_architecture(spec.architecture),
            "channels": spec.size.channels,
            "epochs": held["epochs"] + self.config.gate_epochs + self.config.epochs,
            **{"device": self.config.device, "precision": self.config.precision},
            "seed": self.seed,
            "data_root": self.prune_config(one, share).data_root,
            "test_limit": len(self._eval_images.test),
            "out": self.config.folder(self.seed, one, share),
        }
        config = TrainConfig(**settings)
        trained = load_network(train(config).out, spec.space)
        return to_device(trained.module.train(), self.fabric.device)


_MAKERS: dict[str, Callable[[NetworkFactory, PruningArm, float], BuiltNetwork]] = {
    WHOLE: NetworkFactory.unpruned,
    **dict.fromkeys(NODES, NetworkFactory.nodes),
    **dict.fromkeys(CHANNELS, NetworkFactory.channels),
    **dict.fromkeys(OPERATIONS, NetworkFactory.operations),
    "fresh": NetworkFactory.fresh,
    "narrower": NetworkFactory.narrower,
    ONE_GO: NetworkFactory.whole,
}


def cost_of(network: Network) -> tuple[int, int]:
    """Count multiply-accumulates and parameters of the part that the logits depend on."""
    cost = graph_cost(network, live=True)
    return cost.macs, cost.params
