"""The networks of a comparison: what each way of pruning leaves of the same trained weights."""

from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import torch

from archwright import data
from archwright.bench.pruning_config import (
    CHANNELS,
    NODES,
    ONE_GO,
    OPERATIONS,
    WHOLE,
    Contestant,
    PruningConfig,
    course,
)
from archwright.cost import graph_cost
from archwright.data.splits import subset_indices
from archwright.engine.checkpointer import Checkpointer
from archwright.engine.device import to_device
from archwright.engine.folder import RunFolder, hold, open_run
from archwright.engine.weights import load_weights
from archwright.errors import ConfigError
from archwright.graph import Network, Pruning
from archwright.lowering import GraphModule
from archwright.pruning.baselines.channels import prune_channels
from archwright.pruning.baselines.operations import EdgeScore, describe, prune_edges
from archwright.pruning.baselines.scale_width import scale_width
from archwright.pruning.calibration import calibration_batches
from archwright.pruning.config import PruneConfig
from archwright.pruning.gates import gated_network
from archwright.pruning.reconstruction import reset_bn_statistics
from archwright.pruning.source import Source, read_source
from archwright.pruning.stages import GatedNetwork, PrunedNetwork, Stages
from archwright.pruning.targets import require_reachable, targets_of
from archwright.spaces import write_architecture
from archwright.tasks import Batch
from archwright.training.config import TrainConfig
from archwright.training.network_spec import NetworkSpec
from archwright.training.run import train

if TYPE_CHECKING:
    from lightning_fabric import Fabric

_GATES = Contestant(method="gates")
_ONWARD = Contestant(method="onward")
"""The trained network, trained on without gates for as many epochs as gates are learned in."""


@dataclass(frozen=True)
class Made:
    """A network, before it is fine-tuned; one that was trained from fresh weights is not.

    Attributes:
        cut: what was taken away, as text.
        top1_pruned: its percent of test images; None of a fresh one.
        gates: the smallest and the largest that was learned, where gates decided.
    """

    network: GraphModule
    cut: str = ""
    fresh: bool = False
    top1_pruned: float | None = None
    gates: list[float] | None = None


class Trained:
    """A trained network of one seed, and all that is made from it; each part when it is needed."""

    def __init__(
        self, config: PruningConfig, fabric: "Fabric", images: data.ImageData, seed: int
    ) -> None:
        self.config, self.fabric, self.images, self.seed = config, fabric, images, seed
        few = subset_indices(len(images.test), course(len(images.test)))
        self._course = replace(images, test=images.test.subset(few))
        self._prunings: dict[tuple[Contestant, float], Pruning] = {}

    @cached_property
    def source(self) -> Source:
        """The trained network.

        Raises:
            RunError: there is no such training, or its network cannot be pruned.
            ConfigError: it does not take these images.
        """
        run = self.config.trained
        if run is None:
            run = train(self.config.training(self.seed)).out
        source = read_source(run)
        source.require_fit(self.images)
        return source

    @cached_property
    def top1_before(self) -> float:
        """Percent of test images that the trained network gets right."""
        stages = self.stages(_ONWARD, 1)
        return stages.score(stages.unpruned())

    @cached_property
    def macs(self) -> int:
        """Multiply-accumulates of the trained network."""
        return graph_cost(self.source.published).macs

    @cached_property
    def gated(self) -> GatedNetwork:
        """The network with learned gates."""
        with self.keeper(_GATES, 1) as keeper:
            return self.stages(_GATES, 1, few=True).learn_gates(keeper, keeper.restore())

    @cached_property
    def onward(self) -> GraphModule:
        """The network trained on by the recipe of the gates, without any."""
        settings = self.config
        like = replace(settings, epochs=settings.gate_epochs, lr=settings.gate_lr)
        stages = self.stages(_ONWARD, 1, few=True, config=like)
        network = stages.unpruned()
        with self.keeper(_ONWARD, 1, like) as keeper:
            return stages.finetune(network, keeper, _ONWARD.method, keeper.restore())

    def stages(
        self,
        one: Contestant,
        share: float,
        *,
        few: bool = False,
        config: PruningConfig | None = None,
    ) -> Stages:
        """How a network is pruned and fine-tuned; with `few`, scored on few images on the way."""
        return Stages(
            fabric=self.fabric,
            config=self.asked(one, share, config),
            source=self.source,
            images=self._course if few else self.images,
        )

    def asked(
        self, one: Contestant, share: float, config: PruningConfig | None = None
    ) -> PruneConfig:
        """The configuration of a pruning of this network."""
        asked = (config or self.config).pruning(self.source.path, self.seed, one, share)
        return asked.on(self.source.settings)

    @contextmanager
    def keeper(
        self, one: Contestant, share: float, config: PruningConfig | None = None
    ) -> Generator[Checkpointer]:
        """Keep a fine-tuning resumable.

        Raises:
            RunError: its folder holds one of other settings, or another process writes it.
        """
        path = self.config.folder(self.seed, one, share)
        settings = {**self.asked(one, share, config).settings(), "out": str(path)}
        with hold(path):
            folder = open_run(path, "bench pruning", settings, resume=True)
            yield Checkpointer(folder, self.fabric, 60.0)

    def require_reachable(self, wanted: Iterable[tuple[Contestant, float]]) -> None:
        """Check that deleting nodes comes down to every share that is wanted of it.

        Raises:
            ConfigError: it does not (with the least that can be reached).
        """
        for one, share in wanted:
            if one.method not in (*NODES, "fresh"):
                continue
            asked = self.asked(one, share)
            try:
                require_reachable(self.source, targets_of(asked, self.source), asked.pruning)
            except ConfigError as error:
                reason = str(error).replace("--macs", "the network", 1)
                raise ConfigError(f"--targets {share:g}, {one.title}: {reason}") from None

    def make(self, one: Contestant, share: float) -> Made:
        """The network that is left, before it is fine-tuned; a fresh one in the end.

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
        """Images on which statistics are taken and losses compared."""
        config = self.config
        return calibration_batches(self.fabric, self.images, config.calibration, self.seed)

    def nodes(self, one: Contestant, share: float) -> Made:
        """Deleted nodes, and what stands in for them."""
        cut = self._cut(one, share)
        values = cut.importance.values()
        gates = [min(values), max(values)] if one.method == _GATES.method else None
        return Made(cut.network, cut.pruning.to_text(), gates=gates)

    def _cut(self, one: Contestant, share: float) -> PrunedNetwork:
        stages = self.stages(one, share)
        if stages.config.score == "gate":
            gated = self.gated
        else:
            network, gates = gated_network(self.source.network, self.onward.state_dict())
            gated = GatedNetwork(network=to_device(network, self.fabric.device), gates=gates)
        cut = stages.cut(gated, targets_of(stages.config, self.source))
        self._prunings[one, share] = cut.pruning
        return cut

    def channels(self, one: Contestant, share: float) -> Made:
        """Fewer channels."""
        ranking, rounds = CHANNELS[one.method]
        round_to = self.config.round_to if rounds else 1
        macs = share * self.macs
        network, asked = prune_channels(self.onward, macs, ranking=ranking, round_to=round_to)
        return Made(network, f"{asked:.4f} of the channels of the {ranking}")

    def operations(self, one: Contestant, share: float) -> Made:
        """Fewer edges."""
        score: EdgeScore = "taylor" if OPERATIONS[one.method] == "taylor" else "loss"
        macs = share * self.macs
        network, removed = prune_edges(
            self.images.task, self.onward, macs, self.calibration, score=score
        )
        return Made(network, describe(self.source.network, removed))

    def unpruned(self, one: Contestant, share: float) -> Made:
        """All of it."""
        network = GraphModule(self.source.network)
        network.load_state_dict(self.onward.state_dict())
        return Made(network)

    def fresh(self, one: Contestant, share: float) -> Made:
        """The architecture that deleting nodes leaves, trained from fresh weights."""
        nodes = replace(one, method="nodes")
        known = self._prunings.get((nodes, share))
        pruning = known or self._cut(nodes, share).pruning
        architecture = replace(self.source.architecture, pruning=pruning)
        entrant = replace(self._entrant, architecture=architecture)
        return Made(self._trained(one, share, entrant), pruning.to_text(), fresh=True)

    def narrower(self, one: Contestant, share: float) -> Made:
        """The whole architecture with fewer channels, trained from fresh weights."""
        entrant = scale_width(self._entrant, share * self.macs, round_to=self.config.round_to)
        cut = f"channels={entrant.size.channels}"
        return Made(self._trained(one, share, entrant), cut, fresh=True)

    def whole(self, one: Contestant, share: float) -> Made:
        """The whole architecture, trained from fresh weights."""
        return Made(self._trained(one, share, self._entrant), fresh=True)

    @property
    def _entrant(self) -> NetworkSpec:
        source = self.source
        return NetworkSpec("found", source.space, source.architecture, source.size)

    def _trained(self, one: Contestant, share: float, entrant: NetworkSpec) -> GraphModule:
        """A fresh network, trained by the recipe of the whole one, in as many epochs in all."""
        held = self.source.settings
        settings: dict[str, Any] = {
            **{name: held[name] for name in TrainConfig.__dataclass_fields__ if name in held},
            **{"against": (), "inherit": None, "devices": 1, "command": None, "resume": True},
            "architecture": write_architecture(entrant.architecture),
            "channels": entrant.size.channels,
            "epochs": held["epochs"] + self.config.gate_epochs + self.config.epochs,
            **{"device": self.config.device, "precision": self.config.precision},
            "seed": self.seed,
            "data_root": self.asked(one, share).data_root,
            "test_limit": len(self._course.test),
            "out": self.config.folder(self.seed, one, share),
        }
        config = TrainConfig(**settings)
        folder = RunFolder(train(config).out)
        module = GraphModule(entrant.network)
        module.load_state_dict(load_weights(folder.weights, entrant.network))
        return to_device(module, self.fabric.device)


_MAKERS: dict[str, Callable[[Trained, Contestant, float], Made]] = {
    WHOLE: Trained.unpruned,
    **dict.fromkeys(NODES, Trained.nodes),
    **dict.fromkeys(CHANNELS, Trained.channels),
    **dict.fromkeys(OPERATIONS, Trained.operations),
    "fresh": Trained.fresh,
    "narrower": Trained.narrower,
    ONE_GO: Trained.whole,
}


def cost_of(network: Network) -> tuple[int, int]:
    """Multiply-accumulates and parameters of what the logits depend on."""
    cost = graph_cost(network, live=True)
    return cost.macs, cost.params
