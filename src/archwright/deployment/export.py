"""Export of a run: write a file for other programs, check it against torch, and measure it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from archwright import data
from archwright.backends.agreement import max_error
from archwright.backends.contract import Runtime
from archwright.backends.formats import WEIGHT_BYTES
from archwright.backends.logits import LogitsModule
from archwright.backends.registry import Format, get_backend
from archwright.backends.runtime import load, serialise
from archwright.backends.timing import benchmark_interleaved
from archwright.cost import graph_cost
from archwright.data.splits import subset_indices
from archwright.deployment.card import card_of
from archwright.deployment.config import ExportConfig
from archwright.deployment.images import DataRequest, images_for
from archwright.deployment.score import score_exported
from archwright.engine.device import make_fabric
from archwright.engine.networks.trained import TrainedNetwork, load_network
from archwright.errors import RunError
from archwright.io.files import write_bytes
from archwright.io.schema import to_json
from archwright.lowering import GraphModule
from archwright.spaces import get_space

_CALIBRATION_BATCH = 64
"""Images in a calibration batch."""


@dataclass(frozen=True, kw_only=True)
class ExportResult:
    """Result of an export: the file, its cost and its latency.

    `published_params` and `published_macs` are those of the architecture as published, from which
    the network of a search differs. `size_mb` (10^6 bytes) is the size of the weights alone, as in
    budgets, and `bytes` the size of the file. `latency_ms` is a median and `latency_spread_ms` the
    interquartile range, for `batch_size` images with `threads` threads. `deviation` is the largest
    difference between the logits of the file and of torch, in units of max(1, largest logit); for
    int8, it is that of the float32 file of the same network.

    For int8, `top1` is the accuracy in percent of test images, and the fields `..._float32` are
    accuracy, size and latency of the float32 file. For a pruned network, the fields `..._unpruned`
    are MACs and latency of the unpruned network in the same format and type of weights. All files
    were timed interleaved. `data_summary` describes the images for calibration and score.
    `noted` is the run folder whose log contains the result, None for a run that has not ended;
    `unnoted` is the reason if the log cannot be written.
    """

    run: Path
    file: Path
    format: str
    weights: str
    architecture: str
    params: int
    macs: int
    published_params: int
    published_macs: int
    size_mb: float
    bytes: int
    deviation: float
    latency_ms: float
    latency_spread_ms: float
    repeats: int
    batch_size: int
    threads: int
    runtime: str
    metric: str
    score: float | None = None
    score_float32: float | None = None
    bytes_float32: int | None = None
    latency_ms_float32: float | None = None
    macs_unpruned: int | None = None
    latency_ms_unpruned: float | None = None
    data_summary: dict[str, Any] | None = None
    noted: Path | None = None
    unnoted: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the result as JSON holds it, without `noted` and without fields that are None."""
        content = to_json(replace(self, noted=None), skip_none=True)
        del content["metric"]
        keys = {"score": self.metric, "score_float32": f"{self.metric}_float32"}
        return {keys.get(name, name): value for name, value in content.items()}


def export(config: ExportConfig) -> ExportResult:
    """Export the network of a run, and write the result to the log of the run.

    The file is written only after the check against torch.

    Raises:
        RunError: there is no network to export, it is damaged, the logits of the file differ from
            those of torch, or the file cannot be written.
        GraphError: the format cannot represent a part of the network.
        ConfigError: a library is not installed.
        DataError: the images that int8 needs cannot be used.
    """
    trained = load_network(config.run, None if config.space is None else get_space(config.space))
    backend = get_backend(config.format)
    backend.require_installed(config.weights)
    cost, published = trained.cost, trained.published_cost
    plain = serialise(trained.module, config.format, card_of(trained))
    gap = max_error(LogitsModule(trained.module), _open(config, plain), trained.network.image)
    # fresh weights suffice for the unpruned network: they do not change its time
    whole = None if trained.unpruned is None else GraphModule(trained.unpruned).eval()
    others = {} if whole is None else {"unpruned": whole}
    if config.weights == "float32":
        more = {n: serialise(m, config.format, card_of(trained)) for n, m in others.items()}
        files, scores = {"": plain, **more}, dict[str, Any]()
    else:
        files, scores = _quantise(config, trained, {"": trained.module, **others}, plain)
    if trained.unpruned is not None:
        scores["macs_unpruned"] = graph_cost(trained.unpruned).macs
    result = ExportResult(
        run=config.run,
        file=config.out,
        format=config.format,
        weights=config.weights,
        architecture=card_of(trained).architecture,
        params=cost.params,
        macs=cost.macs,
        published_params=published.params,
        published_macs=published.macs,
        size_mb=cost.params * WEIGHT_BYTES[config.weights] / 1e6,
        bytes=len(files[""]),
        deviation=gap,
        batch_size=config.batch_size,
        threads=config.threads,
        runtime=backend.runtime_version(),
        metric=trained.space.task.metric.key,
        **_latencies(config, trained, files),
        **scores,
    )
    ended = (
        trained.folder.result() is not None
    )  # raises before the file is written if the log cannot be read
    try:
        write_bytes(config.out, files[""])
    except OSError as error:
        raise RunError(f"cannot write {config.out}: {error.strerror}; give another --out") from None
    if not ended:
        return result
    try:
        trained.folder.log.write("export", **result.to_json())
    except RunError as error:  # the file is written, so the export has succeeded
        return replace(result, unnoted=str(error).split(";")[0])
    return replace(result, noted=trained.folder.path)


def export_network(run: Path, out: Path, *, form: Format = "onnx") -> ExportResult:
    """Export the network of a run with default settings; see `export`."""
    return export(ExportConfig(run=run, out=out, format=form))


def _open(config: ExportConfig, content: bytes) -> Runtime:
    return load(content, config.format, threads=config.threads)


def _quantise(
    config: ExportConfig,
    trained: TrainedNetwork,
    modules: Mapping[str, GraphModule],
    plain: bytes,
) -> tuple[dict[str, bytes], dict[str, Any]]:
    """Return the quantised files and the float32 file, and the accuracy of both."""
    request = DataRequest(
        data=config.data, data_root=config.data_root, test_limit=config.test_limit
    )
    images = images_for(config.run, card_of(trained), trained.settings, request)
    card = card_of(trained, config.weights)
    made = {
        name: serialise(
            module, config.format, card, calibration=_calibration(images, config.calibration)
        )
        for name, module in modules.items()
    }
    fabric = make_fabric("cpu", "32-true")
    threads = torch.get_num_threads()
    own, before = (
        score_exported(fabric, load(content, config.format, threads=threads), images).headline
        for content in (made[""], plain)
    )
    scored = {"score": own, "score_float32": before, "bytes_float32": len(plain)}
    return {**made, "float32": plain}, {**scored, "data_summary": data.about(images)}


def _calibration(images: data.ImageData, count: int) -> Iterator[Tensor]:
    """Return batches of training images, normalised and not augmented, as test images are."""
    part = images.train.subset(subset_indices(len(images.train), count))
    batches = data.Batches(
        part, _CALIBRATION_BATCH, seed=0, stream="calibration", mean=images.mean, std=images.std
    )
    return (batch for batch, _ in batches.epoch(0))


def _latencies(
    config: ExportConfig, trained: TrainedNetwork, files: Mapping[str, bytes]
) -> dict[str, Any]:
    """Measure the latency of every file, interleaved; return it by the names of the fields."""
    image = trained.network.image
    calls = [
        _open(config, content).call(image, batch=config.batch_size) for content in files.values()
    ]
    own, *others = benchmark_interleaved(calls, repeats=config.repeats)
    found = {"latency_ms": own.median_ms, "latency_spread_ms": own.spread_ms}
    names = [f"latency_ms_{name}" for name in files if name]
    beside = {name: timing.median_ms for name, timing in zip(names, others, strict=True)}
    return {**found, "repeats": own.repeats, **beside}
