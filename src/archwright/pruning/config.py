"""Configuration of a pruning."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from archwright.cost.registry import Targets, target_costs
from archwright.engine.options import (
    NO_FLAG,
    RunOptions,
    require,
    require_fraction,
    require_not_negative,
    require_positive,
    require_unused,
)
from archwright.graph import Fusion, Pruning, named_fusion
from archwright.training.config import TrainConfig

FusionName = Literal["sum", "linear", "se", "linear+se"]
Per = Literal["channel", "scalar"]
Score = Literal["loss", "gate", "taylor", "random"]


@dataclass(frozen=True, kw_only=True)
class PruneConfig(Targets, RunOptions):
    """Delete nodes from the cells of a trained network, rewire around them, and fine-tune it."""

    run: Path
    """The run folder of a training, or a checkpoint in it."""
    out: Path
    """The run folder to write."""
    space: str | None = None
    """The Python file of the run's space, if that is one of your own."""
    data: str = ""
    """Images (else those that the network was trained on, of the same number and size)."""
    latency_firm: bool = field(default=True, metadata=NO_FLAG)
    """Whether a latency target that cannot be met is an error; else it is kept if possible. A build
    does that with its budget, and checks it at the end."""
    fusion: FusionName = "linear+se"
    """What the successors of a deleted node read: the plain sum of its predecessors, a linear
    aggregation, squeeze and excitation of the sum, or both."""
    per: Per = "channel"
    """A linear aggregation has a weight for each channel, or one for all of them (scalar)."""
    reduction: int = Fusion.reduction
    """Number of channels per unit of squeeze and excitation."""
    floor: int = Fusion.floor
    """Least number of units of squeeze and excitation."""
    score: Score = "loss"
    """Ranking of nodes: by the loss without each, after its replacement is fitted; by learned
    gates; by the first-order change of the loss; or at random."""
    per_cost: bool = False
    """Divide a node's importance by the cost that its deletion saves."""
    gates: Path | None = None
    """With --score gate: take over the gates that this pruning of the same training learned, and
    the weights learned with them (else they are learned), for several targets or fusions."""
    drop_gates: bool = False
    """With --score gate: remove the gates from the pruned network, which is faster, but no longer
    exactly the trained network (else they stay, one multiplication a node)."""
    gate_epochs: int = 10
    """With --score gate: epochs in which gates are learned together with the weights; with fewer
    epochs than fine-tuning has, all gates stay nearly equal."""
    gate_lr: float = 0.01
    """Learning rate of these epochs."""
    sparsity: float = 0.01
    """Weight of the sum of |gate| in the loss."""
    calibration: int = 256
    """Number of training images on which fusions are fitted, batch norms are given new statistics,
    and losses are compared."""
    keep_statistics: bool = False
    """Leave the batch norms' statistics as they were before nodes were deleted."""
    epochs: int = 10
    """Passes over the training images to fine-tune; 0: none."""
    batch_size: int = 96
    """Images a step."""
    lr: float = 0.025
    """Highest learning rate of the fine-tuning; it falls by half a cosine."""
    lr_min: float = 0.0
    """Learning rate at its end."""
    momentum: float = 0.9
    """Momentum of SGD."""
    weight_decay: float = 3e-4
    """Weight decay."""
    clip: float = 5.0
    """Largest gradient norm."""
    cutout: int | None = None
    """Side in pixels of the square that is cut out (else half the image's: 16 of 32); 0: none."""
    distill: float = 0.0
    """Weight of the divergence from the unpruned network's outputs in the loss; 0: none."""
    temperature: float = 4.0
    """Temperature at which outputs are compared."""

    def __post_init__(self) -> None:
        """Check the settings.

        Raises:
            ConfigError: one is out of range, or there is no target (the flags are named).
        """
        super().__post_init__()
        require_positive(self, *target_costs(), "reduction", "floor")
        require_positive(self, "batch_size", "lr", "gate_lr", "clip", "temperature")
        require_not_negative(self, "gate_epochs", "sparsity", "epochs", "lr_min", "weight_decay")
        require_not_negative(self, "cutout", "distill")
        require_fraction(self, "momentum")
        require(
            self.calibration >= 2,
            f"--calibration {self.calibration} leaves nothing to fit on: give at least 2 images",
        )
        learned = self.gates is not None or self.gate_epochs > 0
        require(
            self.score != "gate" or learned,
            "--gate-epochs 0 learns no gates: give at least 1, --gates RUN, or --score taylor",
        )
        if self.score != "gate":
            gated = ("gates", "drop_gates", "gate_epochs", "gate_lr", "sparsity")
            require_unused(self, *gated, beside=f"--score {self.score}")
        if "linear" not in self.fusion:
            require_unused(self, "per", beside=f"--fusion {self.fusion}")
        if "se" not in self.fusion:
            require_unused(self, "reduction", "floor", beside=f"--fusion {self.fusion}")
        if not self.distill:
            require_unused(self, "temperature", beside="--distill 0")
        require(
            any(getattr(self, target) is not None for target in target_costs()),
            "prune needs a target: --macs 0.727, --params 0.8, --latency-ms 5 or --memory-mb 1",
        )
        require(self.devices == 1, "prune runs in one process: leave --devices out")
        require(self.lr_min <= self.lr, "--lr-min must not be above --lr")

    @property
    def pruning(self) -> Pruning:
        """Pruning as it is configured, before any node is selected."""
        fusion = named_fusion(self.fusion, per=self.per, reduction=self.reduction, floor=self.floor)
        return Pruning(fusion=fusion, gated=self.score == "gate" and not self.drop_gates)

    def on(self, trained: Mapping[str, Any]) -> "PruneConfig":
        """Return this configuration on the images of a training with these settings, unless other
        images are configured.

        Other images get the size of the training's images, unless a size is configured.
        """
        names = ("image_size", "background", "white_level")
        names += () if self.data else ("limit", "test_limit")
        held = {name: trained.get(name) for name in names if getattr(self, name) is None}
        if not self.data and self.data_root is None and trained.get("data_root"):
            held["data_root"] = Path(trained["data_root"])
        return replace(self, data=self.data or trained["data"], **held)

    def recipe(self, *, epochs: int, lr: float) -> TrainConfig:
        """Return the training recipe for so many epochs with that initial learning rate."""
        shared = ("data", "data_root", "image_size", "limit", "test_limit", "seed", "out", "device")
        shared += ("background", "white_level")
        shared += ("precision", "workers", "batch_size", "momentum", "weight_decay", "clip")
        settings = {name: getattr(self, name) for name in (*shared, "cutout")}
        return TrainConfig(
            **settings,
            architecture="",
            epochs=epochs,
            lr=lr,
            lr_min=min(self.lr_min, lr),
            drop_path=0.0,
            auxiliary=0.0,
        )
