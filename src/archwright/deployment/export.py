"""Export of a run to a file that other programs run: written, checked against torch, measured."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
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
from archwright.lowering import GraphModule
from archwright.spaces import get_space

_CALIBRATED = 64
"""Images of a calibration batch."""


@dataclass(frozen=True, kw_only=True)
class ExportResult:
    """Result of an export: the file, its cost and its latency.

    `published_params` and `published_macs` are those of the architecture as published, from which
    a network that a search left differs. `size_mb` (10^6 bytes) are the weights by themselves, as
    budgets count them, `bytes` those of the file. `latency_ms` is a median and `latency_spread_ms`
    the interquartile range, for `batch_size` images in `threads` threads. `deviation` is the
    largest difference of the logits of the file from torch's, in units of the largest; of int8,
    those of the float32 file of the same network.

    Of int8 there is the accuracy, in percent of test images, and what the float32 file has and
    takes; of a pruned network, what the unpruned one takes in the same format, with weights of the
    same type. Both were timed in turns with the file. `data_summary` says on what it was calibrated
    and scored.
    `noted` is the run folder in whose log the result stands, None for a run that goes on; where the
    log cannot be written, `unnoted` says why.
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
        """Return the result for a machine; fields without a value are left out."""
        content = {**asdict(self), "run": str(self.run), "file": str(self.file), "noted": None}
        del content["metric"]
        keys = {"score": self.metric, "score_float32": f"{self.metric}_float32"}
        return {keys.get(n, n): value for n, value in content.items() if value is not None}


def export(config: ExportConfig) -> ExportResult:
    """Export the network of a run, and note it in the log of the run.

    The file appears when it has been checked, or not at all.

    Raises:
        RunError: there is no network to export, it is damaged, the file answers otherwise than
            torch, or it cannot be written.
        GraphError: the format has no form for something in the network.
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
        files, scores = _quantised(config, trained, {"": trained.module, **others}, plain)
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
    ended = trained.folder.result() is not None  # a log that cannot be read is refused before
    try:
        write_bytes(config.out, files[""])
    except OSError as error:
        raise RunError(f"cannot write {config.out}: {error.strerror}; give another --out") from None
    if not ended:
        return result
    try:
        trained.folder.log.write("export", **result.to_json())
    except RunError as error:  # the file is there: what is asked for is done
        return replace(result, unnoted=str(error).split(";")[0])
    return replace(result, noted=trained.folder.path)


def export_network(run: Path, out: Path, *, form: Format = "onnx") -> ExportResult:
    """Export the network of a run with the usual settings; see `export`."""
    return export(ExportConfig(run=run, out=out, format=form))


def _open(config: ExportConfig, content: bytes) -> Runtime:
    return load(content, config.format, threads=config.threads)


def _quantised(
    config: ExportConfig,
    trained: TrainedNetwork,
    modules: Mapping[str, GraphModule],
    plain: bytes,
) -> tuple[dict[str, bytes], dict[str, Any]]:
    """Return the quantised files beside the plain one, and the accuracy before and after."""
    asked = DataRequest(data=config.data, data_root=config.data_root, test_limit=config.test_limit)
    images = images_for(config.run, card_of(trained), trained.settings, asked)
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
    """Return training images as test images are: normalised, and not augmented."""
    part = images.train.subset(subset_indices(len(images.train), count))
    batches = data.Batches(
        part, _CALIBRATED, seed=0, stream="calibration", mean=images.mean, std=images.std
    )
    return (batch for batch, _ in batches.epoch(0))


def _latencies(
    config: ExportConfig, trained: TrainedNetwork, files: Mapping[str, bytes]
) -> dict[str, Any]:
    """Time every file, all in turns; return the times by the name of their field."""
    image = trained.network.image
    calls = [
        _open(config, content).call(image, batch=config.batch_size) for content in files.values()
    ]
    own, *others = benchmark_interleaved(calls, repeats=config.repeats)
    found = {"latency_ms": own.median_ms, "latency_spread_ms": own.spread_ms}
    names = [f"latency_ms_{name}" for name in files if name]
    beside = {name: timing.median_ms for name, timing in zip(names, others, strict=True)}
    return {**found, "repeats": own.repeats, **beside}
