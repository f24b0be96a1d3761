"""Configuration of the comparison of prunings."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, cast, get_args

from archwright.bench.engine.arms import write_seeds
from archwright.bench.engine.command import command_line
from archwright.bench.engine.options import BenchOptions
from archwright.engine.options import (
    require,
    require_fraction,
    require_not_negative,
    require_positive,
)
from archwright.engine.runs.folder import read_config
from archwright.errors import ConfigError, unknown
from archwright.pruning.config import FusionName, PruneConfig, Score
from archwright.training.config import TrainConfig

if TYPE_CHECKING:
    from archwright.pruning.baselines.channels import Ranking

WHOLE = "unpruned"
"""The network that nothing is taken from, trained on as the others are."""
NODES: dict[str, Score] = {"nodes": "loss", "gates": "gate", "taylor": "taylor", "random": "random"}
"""Methods that delete nodes, and what each ranks them by."""
CHANNELS: "dict[str, tuple[Ranking, bool]]" = {
    "channels": ("layer", True),
    "channels-global": ("network", True),
    "channels-unrounded": ("layer", False),
    "channels-global-unrounded": ("network", False),
}
"""Methods that remove channels: where these compete, and whether widths are rounded."""
OPERATIONS: dict[str, Score] = {"operations": "loss", "operations-taylor": "taylor"}
"""Methods that remove operations, and what each ranks them by."""
ONE_GO = "whole"
"""The whole network, trained from fresh weights for as many epochs in one go."""
FRESH = ("fresh", "narrower", ONE_GO)
"""Methods that train a network from fresh weights, for as many epochs as the others have had."""
METHODS = (*NODES, *CHANNELS, *OPERATIONS, *FRESH)

_BEST: FusionName = "linear+se"
_USUAL = ",".join(
    (
        *("nodes", "gates", "random", "channels-global", "channels-global-unrounded"),
        *("operations", *FRESH),
    )
)
_LEAST_TIMED = 16
"""Networks of fewer channels are not timed: most of what they take is spent between operations."""
_EVAL_SUBSET = 500
"""Test images on which epochs are scored on the way; what is reported is scored on all."""


@dataclass(frozen=True, kw_only=True)
class PruningArm:
    """Arm of the comparison: a pruning method; `fusion` replaces deleted nodes."""

    method: str
    fusion: str | None = None

    @property
    def title(self) -> str:
        """Return the method, with its fusion."""
        return self.method if self.fusion is None else f"{self.method}, {self.fusion}"


UNPRUNED = PruningArm(method=WHOLE)


@dataclass(frozen=True, kw_only=True)
class PruningConfig(BenchOptions):
    """Compare pruning methods on a trained network, at equal multiply-accumulates (NR-DARTS).

    All methods start from the same weights, use the same number of passes over the same images, and
    share the way of recomputing statistics and of fine-tuning. Finished networks are kept, and the
    same command continues after an interruption.
    """

    lists: ClassVar[tuple[str, ...]] = (
        *("methods", "fusions", "targets", "seeds"),
        *("latency_rounds", "latency_batches"),
    )
    filename: ClassVar[str] = "pruning.json"

    network: str
    """The run folder of a training; or what --architecture of train takes, to train one a seed."""
    targets: str = "0.727,0.6,0.5"
    """Shares of the multiply-accumulates that may be left, separated by commas."""
    methods: str = _USUAL
    """nodes (by the loss without each), gates, taylor, random: nodes are deleted; channels,
    channels-global: by torch-pruning, a share of each layer or of all layers together, to rounded
    widths or, with -unrounded behind, to any; operations (by the loss without each),
    operations-taylor: edges are removed; fresh, narrower, whole: the pruned architecture, the whole
    one with fewer channels, or the whole one, is trained from fresh weights in one go."""
    fusions: str = "sum,linear,se,linear+se"
    """What stands in for deleted nodes; linear+se alone where the loss does not rank them."""
    seeds: str = "0-2"
    """Seeds, such as 0-2 or 0,2,100-104."""
    data: str = ""
    """Images (else those of the training, or digits)."""
    image_size: int | None = None
    """Side in pixels that images are resized to."""
    limit: int | None = None
    """Use so many of the training images, a fixed sample."""
    channels: int | None = None
    """Width of a network that is trained here (else the space's)."""
    cells: int | None = None
    """Depth of a network that is trained here (else the space's)."""
    train_epochs: int = 20
    """Epochs of a network that is trained here."""
    train_lr: float = 0.05
    """Highest learning rate of these epochs."""
    gate_epochs: int = 4
    """Epochs in which gates are learned, no fewer than of fine-tuning; other methods are trained on
    for as many."""
    gate_lr: float = 0.01
    """Learning rate of these epochs."""
    sparsity: float = 0.01
    """Weight of the sum of |gate| in the loss."""
    drop_gates: bool = False
    """Leave the gates of nodes that stay out of what is fine-tuned (methods: gates)."""
    per_cost: bool = False
    """Divide a node's importance by what deleting it saves."""
    calibration: int = 256
    """Training images on which fusions are fitted, statistics taken, and losses compared."""
    round_to: int | None = None
    """Number that the widths which channels are pruned to, and those of narrower networks, are
    multiples of (else 4 where there were 8 channels or more, and any number below)."""
    epochs: int = 4
    """Epochs of fine-tuning."""
    lr: float = PruneConfig.lr
    """Highest learning rate of the fine-tuning."""
    batch_size: int = 96
    """Images a step."""
    momentum: float = 0.9
    """Momentum of SGD."""
    weight_decay: float = 3e-4
    """Weight decay."""
    cutout: int = 0
    """Side in pixels of the square that is cut out; 0: none."""
    latency_batches: str = "1,32"
    """Numbers of images that each network is timed on in onnxruntime, in turns with the unpruned
    one, once all rows are there."""
    latency_rounds: int = 0
    """How often each is timed, on a machine that does nothing else; 0: not at all. The same command
    times what was not timed before, and trains nothing anew."""
    runs: Path = Path("runs/pruning")
    """Folder for the run folders of trainings and fine-tunings."""

    def __post_init__(self) -> None:
        """Check each setting.

        Raises:
            ConfigError: one is out of range (its flag is named), or a name is unknown.
        """
        super().__post_init__()
        require_positive(self, "image_size", "limit", "channels", "cells")
        require_positive(self, "train_epochs", "train_lr", "gate_epochs", "gate_lr", "lr")
        require_positive(self, "batch_size", "calibration", "round_to")
        require_not_negative(self, "sparsity", "epochs", "weight_decay", "cutout")
        require_not_negative(self, "latency_rounds")
        require_fraction(self, "momentum")
        require(
            self.gate_epochs >= self.epochs,
            f"--gate-epochs {self.gate_epochs} is less than --epochs {self.epochs}: learn gates "
            f"for as long as networks are fine-tuned, or longer",
        )
        if self.trained is not None:
            for name in ("channels", "cells"):
                require(
                    getattr(self, name) is None,
                    f"--{name} is that of the training in {self.network}: leave it out",
                )
        width = self.channels
        if self.trained is not None:
            width = read_config(self.trained).get("channels")
        require(
            not self.latency_rounds or width is None or width >= _LEAST_TIMED,
            f"--latency-rounds {self.latency_rounds}: {width} channels are too few to time a "
            f"network of; give --channels {_LEAST_TIMED} or more, or --latency-rounds 0",
        )
        _ = self.arms, self.shares, self.batches

    @property
    def trained(self) -> Path | None:
        """Return the run folder of a training, if that is what the network is."""
        there = os.path.isfile(os.path.join(self.network, "config.json"))
        trained = there and read_config(Path(self.network)).get("kind") == "train"
        return Path(self.network) if trained else None

    @property
    def arms(self) -> tuple[PruningArm, ...]:
        """Return the pruning methods of the comparison, without the unpruned network."""
        fusions = _words(self.fusions)
        for name in fusions:
            require(name in get_args(FusionName), unknown("fusion", name, get_args(FusionName)))
        found: dict[PruningArm, None] = {}
        for method in _words(self.methods):
            require(method in METHODS, unknown("method", method, METHODS))
            several: Iterable[Any] = fusions if method == "nodes" else [_BEST]
            if method not in (*NODES, "fresh"):
                several = [None]
            found.update((PruningArm(method=method, fusion=one), None) for one in several)
        return tuple(found)

    @property
    def wanted(self) -> tuple[tuple[PruningArm, float], ...]:
        """Return the networks of a seed with their targets, those that are whole first."""
        whole = [UNPRUNED, *(one for one in self.arms if one.method == ONE_GO)]
        pruned = [one for one in self.arms if one not in whole]
        pairs = [(one, share) for share in self.shares for one in pruned]
        return (*((one, 1.0) for one in whole), *pairs)

    @property
    def shares(self) -> tuple[float, ...]:
        """Return the targets, largest first."""
        return tuple(sorted({_share(text) for text in _words(self.targets)}, reverse=True))

    @property
    def batches(self) -> tuple[int, ...]:
        """Return images that networks are timed on."""
        words = _words(self.latency_batches)
        wanted = f"--latency-batches {self.latency_batches}: give numbers of images, such as 1,32"
        require(all(word.isdecimal() and int(word) for word in words), wanted)
        return tuple(dict.fromkeys(map(int, words)))

    def training(self, seed: int) -> TrainConfig:
        """Return the configuration of a training; an unfinished one is resumed."""
        shared = ("data_root", "image_size", "limit", "channels", "cells", "batch_size")
        shared += ("momentum", "weight_decay", "cutout", "device", "precision")
        return TrainConfig(
            **{name: getattr(self, name) for name in shared},
            architecture=self.network,
            data=self.data or "digits",
            test_limit=min(self.test_limit or _EVAL_SUBSET, _EVAL_SUBSET),
            epochs=self.train_epochs,
            lr=self.train_lr,
            drop_path=0.0,
            auxiliary=0.0,
            seed=seed,
            resume=True,
            out=self.folder(seed, PruningArm(method="trained"), 1),
        )

    def pruning(self, run: Path, seed: int, one: PruningArm, share: float) -> PruneConfig:
        """Return the configuration of a pruning and its fine-tuning."""
        shared = ("data_root", "image_size", "limit", "test_limit", "per_cost", "calibration")
        shared += ("epochs", "lr", "batch_size", "momentum", "weight_decay", "cutout", "device")
        score = NODES.get(one.method, PruneConfig.score)
        if score == "gate":
            shared += ("gate_epochs", "gate_lr", "sparsity", "drop_gates")
        return PruneConfig(
            **{name: getattr(self, name) for name in (*shared, "precision")},
            run=run,
            data=self.data or ("digits" if self.trained is None else ""),
            macs=share,
            fusion=cast(FusionName, one.fusion or _BEST),
            score=score,
            seed=seed,
            out=self.folder(seed, one, share),
        )

    def folder(self, seed: int, one: PruningArm, share: float) -> Path:
        """Return the run folder of a network; that of a whole one is not named after a share."""
        parts = (one.method, one.fusion, f"{share:g}" if share < 1 else None)
        return self.runs / f"seed{seed}" / "-".join(part for part in parts if part)

    @classmethod
    def command(cls, settings: dict[str, Any], rows: Iterable[dict[str, Any]]) -> str:
        """Return the command line that makes `rows`, all of these `settings`, again."""
        held = [row for row in rows if row["method"] != WHOLE]
        fusions = dict.fromkeys(row["fusion"] for row in held if row["method"] == "nodes")
        targets = sorted({row["target"] for row in held} - {1.0}, reverse=True)
        config = cls.of(
            settings,
            methods=",".join(dict.fromkeys(row["method"] for row in held)) or cls.methods,
            fusions=",".join(fusions) or cls.fusions,
            targets=",".join(f"{target:g}" for target in targets) or cls.targets,
            seeds=write_seeds(row["seed"] for row in rows),
        )
        always = ("network", "targets", "methods", "fusions", "seeds")
        words = command_line("pruning", config, always=always)
        return words.replace(" --network ", " ", 1)


def eval_subset_size(images: int) -> int:
    """Return the number of test images, of `images`, on which epochs are scored on the way."""
    return min(images, _EVAL_SUBSET)


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",")]


def _share(text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = 0.0
    if not 0 < share < 1:
        raise ConfigError(f"--targets {text}: give shares between 0 and 1, such as 0.727,0.6,0.5")
    return share
