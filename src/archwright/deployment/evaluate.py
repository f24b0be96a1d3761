"""Evaluation of a trained network in a run, a checkpoint or an exported file."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from archwright.backends.registry import backend_of
from archwright.backends.runtime import open_exported
from archwright.data import about
from archwright.deployment.card import card_of
from archwright.deployment.config import EvaluateConfig
from archwright.deployment.images import DataRequest, images_for
from archwright.deployment.score import Score, score_exported, score_network
from archwright.engine.device import make_fabric
from archwright.engine.networks.trained import load_network
from archwright.engine.options import require_unused
from archwright.io.schema import to_json
from archwright.spaces import get_space


@dataclass(frozen=True, kw_only=True)
class EvaluateResult:
    """Result of an evaluation: the network, the images and the score.

    `task` is the task of the training; `kind` is the kind of the run (search, train, prune) or the
    format of the file; `weights` is float32 or int8; `data_summary` describes the images; `seconds`
    is the duration of the scoring.
    """

    file: Path
    kind: str
    weights: str
    architecture: str
    task: str
    data: str
    data_summary: dict[str, Any]
    score: Score
    seconds: float

    def to_json(self) -> dict[str, Any]:
        """Return the result as JSON holds it, with the numbers of the score at its top level."""
        content = to_json(self)
        del content["score"]
        return {**content, **self.score.to_json()}


def evaluate(config: EvaluateConfig) -> EvaluateResult:
    """Score a network on test images, normalised as it was trained.

    With the images of its run, the score equals the one of its training to the last digit.

    Raises:
        ConfigError: no images are known, or the device does not exist.
        DataError: the images cannot be used, or do not fit the network.
        RunError: there is no network, or it is damaged.
    """
    request = DataRequest(
        data=config.data, data_root=config.data_root, test_limit=config.test_limit
    )
    backend = None if config.file.is_dir() else backend_of(config.file)
    if backend is None:
        trained = load_network(
            config.file, None if config.space is None else get_space(config.space)
        )
        card, kind = card_of(trained), trained.kind
        precision = config.precision or trained.settings.get("precision", "32-true")
        fabric = make_fabric(config.device, precision)
        images = images_for(config.file, card, trained.settings, request)
        began = time.perf_counter()
        score = score_network(fabric, trained.module, images)
    else:
        require_unused(config, "precision", "space", beside="an exported file")
        device = "cpu" if config.device == "auto" else config.device
        fabric = make_fabric(device, "32-true")
        exported, card = open_exported(
            config.file, threads=torch.get_num_threads(), device=str(fabric.device)
        )
        kind, images = backend.name, images_for(config.file, card, {}, request)
        began = time.perf_counter()
        score = score_exported(fabric, exported, images)
    return EvaluateResult(
        file=config.file,
        kind=kind,
        weights=card.weights,
        architecture=card.architecture,
        task=images.task.name,
        data=images.title,
        data_summary=about(images),
        score=score,
        seconds=round(time.perf_counter() - began, 3),
    )
