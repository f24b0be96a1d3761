"""The networks of a comparison: what each way of pruning leaves of the same trained weights."""

from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import torch

from archwright import data
from archwright.bench.pruning_config import NODES, WHOLE, Contestant, PruningConfig, course
from archwright.cost import graph_cost
from archwright.data.splits import subset_indices
from archwright.errors import ConfigError
from archwright.ir import Network
from archwright.lower import NaiveNetwork
from archwright.prune.baselines.channels import Ranking, prune_channels
from archwright.prune.baselines.narrower import narrower
from archwright.prune.baselines.operations import (
    describe,
    edge_scores,
    select_edges,
    without_edges,
)
from archwright.prune.calibration import calibration_batches, calibration_images
from archwright.prune.compensate import take_statistics
from archwright.prune.config import PruneConfig
from archwright.prune.gates import gated_network
from archwright.prune.source import Source, read_source
from archwright.prune.stages import Cut, Gated, Stages
from archwright.prune.targets import require_reachable, targets_of
from archwright.runs.device import placed
from archwright.runs.folder import RunFolder, hold, open_run
from archwright.runs.keeper import Keeper
from archwright.spaces import write_architecture
from archwright.train.config import TrainConfig
from archwright.train.entrants import Entrant
from archwright.train.run import train
from archwright.train.weights import load_weights

if TYPE_CHECKING:
    from lightning_fabric import Fabric

_GATES = Contestant(method="gates")
_ONWARD = Contestant(method="onward")
"""The trained network, trained on without gates for as many epochs as gates are learned in."""


@dataclass(frozen=True)
class Made:
    """A network, what was taken away, and its percent of test images before it is fine-tuned."""

    network: NaiveNetwork
    cut: str
    top1_pruned: float | None
    fresh: bool = False


class Trained:
    """A trained network of one seed, and all that is made from it; each part when it is needed."""

    def __init__(
        self, config: PruningConfig, fabric: "Fabric", images: data.ImageData, seed: int
    ) -> None:
        self.config, self.fabric, self.images, self.seed = config, fabric, images, seed
        few = subset_indices(len(images.test), course(len(images.test)))
        self._course = replace(images, test=images.test.subset(few))

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
        return stages.top1(stages.unpruned())

    @cached_property
    def macs(self) -> int:
        """Multiply-accumulates of the trained network."""
        return graph_cost(self.source.published).macs

    @cached_property
    def gated(self) -> Gated:
        """The network with learned gates."""
        with self.keeper(_GATES, 1) as keeper:
            return self.stages(_GATES, 1, few=True).learn_gates(keeper, keeper.restore())

    @cached_property
    def onward(self) -> NaiveNetwork:
        """The network trained on by the recipe of the gates, without any."""
        settings = self.config
        like = replace(settings, epochs=settings.gate_epochs, lr=settings.gate_lr)
        stages = self.stages(_ONWARD, 1, few=True, config=like)
        network = stages.unpruned()
        with self.keeper(_ONWARD, 1, like) as keeper:
            return stages.tune(network, keeper, _ONWARD.method, keeper.restore())

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
    ) -> Generator[Keeper]:
        """Keep a fine-tuning resumable.

        Raises:
            RunError: its folder holds one of other settings, or another process writes it.
        """
        path = self.config.folder(self.seed, one, share)
        settings = {**self.asked(one, share, config).settings(), "out": str(path)}
        with hold(path):
            folder = open_run(path, "bench pruning", settings, resume=True)
            yield Keeper(folder, self.fabric, 60.0)

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
        network, cut, fresh = _MAKERS[one.method](self, one, share)
        if fresh:
            return Made(network, cut, None, fresh=True)
        placed(network, self.fabric.device)
        take_statistics(network, calibration_images(*self._calibration))
        return Made(network, cut, self.stages(one, share).top1(network))

    @property
    def _calibration(self) -> tuple[Any, ...]:
        return self.fabric, self.images, self.config.calibration, self.seed

    def nodes(self, one: Contestant, share: float) -> "_Making":
        """Deleted nodes, and what stands in for them."""
        cut = self._cut(one, share)
        return cut.network, cut.pruning.to_text(), False

    def _cut(self, one: Contestant, share: float) -> Cut:
        stages = self.stages(one, share)
        if stages.config.score == "gate":
            gated = self.gated
        else:
            network, gates = gated_network(self.source.network, self.onward.state_dict())
            gated = Gated(network=placed(network, self.fabric.device), gates=gates)
        return stages.cut(gated, targets_of(stages.config, self.source))

    def channels(self, one: Contestant, share: float) -> "_Making":
        """Fewer channels."""
        ranking: Ranking = "network" if one.method == "channels-global" else "layer"
        network, asked = prune_channels(self.onward, share * self.macs, ranking=ranking)
        return network, f"{asked:.4f} of the channels of the {ranking}", False

    def operations(self, one: Contestant, share: float) -> "_Making":
        """Fewer edges."""
        whole = self.source.network
        scores = edge_scores(self.onward, calibration_batches(*self._calibration))
        removed = select_edges(whole, scores, share * self.macs)
        network = NaiveNetwork(without_edges(whole, removed))
        network.load_state_dict(_kept(self.onward, network))
        return placed(network, self.fabric.device), describe(whole, removed), False

    def unpruned(self, one: Contestant, share: float) -> "_Making":
        """All of it."""
        network = NaiveNetwork(self.source.network)
        network.load_state_dict(self.onward.state_dict())
        return placed(network, self.fabric.device), "", False

    def fresh(self, one: Contestant, share: float) -> "_Making":
        """The architecture that deleting nodes leaves, trained from fresh weights."""
        pruning = self._cut(replace(one, method="nodes"), share).pruning
        architecture = replace(self.source.architecture, pruning=pruning)
        entrant = replace(self._entrant, architecture=architecture)
        return self._trained(one, share, entrant), pruning.to_text(), True

    def narrower(self, one: Contestant, share: float) -> "_Making":
        """The whole architecture with fewer channels, trained from fresh weights."""
        entrant = narrower(self._entrant, share * self.macs)
        return self._trained(one, share, entrant), f"channels={entrant.size.channels}", True

    @property
    def _entrant(self) -> Entrant:
        source = self.source
        return Entrant("found", source.space, source.architecture, source.size)

    def _trained(self, one: Contestant, share: float, entrant: Entrant) -> NaiveNetwork:
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
        module = NaiveNetwork(entrant.network)
        module.load_state_dict(load_weights(folder.weights, entrant.network))
        return placed(module, self.fabric.device)


_Making = tuple[NaiveNetwork, str, bool]
"""A network, what was taken away, and whether it was trained from fresh weights."""
_MAKERS: dict[str, Callable[[Trained, Contestant, float], _Making]] = {
    WHOLE: Trained.unpruned,
    "nodes": Trained.nodes,
    "gates": Trained.nodes,
    "taylor": Trained.nodes,
    "random": Trained.nodes,
    "channels": Trained.channels,
    "channels-global": Trained.channels,
    "operations": Trained.operations,
    "fresh": Trained.fresh,
    "narrower": Trained.narrower,
}


def _kept(whole: NaiveNetwork, part: NaiveNetwork) -> dict[str, Any]:
    state = whole.state_dict()
    return {name: state[name] for name in part.state_dict()}


def cost_of(network: Network) -> tuple[int, int]:
    """Multiply-accumulates and parameters of what the logits depend on."""
    cost = graph_cost(network, live=True)
    return cost.macs, cost.params
