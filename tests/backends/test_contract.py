"""Every registered backend keeps the contract for writing, loading and refusing."""

import json
import sys
from importlib.metadata import metadata
from pathlib import Path
from typing import Any, get_args

import pytest
import torch
from torch import Tensor

from archwright.backends import (
    Backend,
    ExportRequest,
    LogitsModule,
    ModelCard,
    get_backend,
    max_error,
    open_exported,
)
from archwright.backends.formats import WEIGHT_BYTES, Layout, Weights
from archwright.backends.registry import (
    BACKENDS,
    PLUGINS,
    Format,
    backend_of,
    backends,
    check_format,
    places,
)
from archwright.backends.runtime import load, serialise
from archwright.errors import ConfigError, GraphError, RunError
from archwright.graph import Shape
from archwright.lowering import GraphModule
from archwright.spaces import get_space, reference_architecture

from ..strategies import seeded, tiny

EVERY = pytest.mark.parametrize("name", BACKENDS)


@pytest.fixture(scope="module")
def module() -> GraphModule:
    """A network with all weights and statistics random."""
    space, size = get_space("nasbench201"), tiny("nasbench201")
    return seeded(space.discrete(reference_architecture(space, size), size)).float().eval()


def card(module: GraphModule, weights: Weights = "float32") -> ModelCard:
    channels, side, _ = module.network.image
    return ModelCard(
        architecture="|a~0|",
        space="nasbench201",
        channels=4,
        cells=1,
        classes=tuple("0123456789"),
        image_channels=channels,
        image_size=side,
        mean=(0.5,) * channels,
        std=(0.25,) * channels,
        weights=weights,
    )


def noise(module: GraphModule, count: int = 16) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(count, *module.network.image, generator=generator)


def installed(name: str, weights: Weights = "float32") -> Backend:
    """The backend, if its libraries are there."""
    backend = get_backend(name)
    try:
        backend.require_installed(weights)
    except ConfigError as error:
        pytest.skip(str(error))
    return backend


def test_the_registry_tells_backends_apart() -> None:
    every = list(backends())
    assert [backend.name for backend in every][: len(BACKENDS)] == list(BACKENDS)
    assert len({backend.suffix for backend in every}) == len(every)
    assert get_args(Format) == tuple(places())
    for backend in every:
        assert get_backend(backend.name) is backend
        assert backend_of(Path(f"a{backend.suffix}")) is backend
        assert set(backend.weights) <= set(get_args(Weights)) == set(WEIGHT_BYTES)
        assert set(backend.layouts) <= set(get_args(Layout))
        assert "float32" in backend.weights  # what others are checked and scored against
        check_format(backend.name, "float32", Path(f"a{backend.suffix}"))
    assert backend_of(Path("a.txt")) is None


@EVERY
def test_the_libraries_of_a_backend_can_be_installed(name: str) -> None:
    backend = get_backend(name)
    extras = metadata("archwright").get_all("Provides-Extra") or []
    assert bool(backend.libraries) == bool(backend.extra)
    assert backend.extra in ["", *extras]


@EVERY
@pytest.mark.parametrize("weights", get_args(Weights))
def test_a_library_that_is_missing_is_named(
    name: str, weights: Weights, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = get_backend(name)
    needed = (*backend.libraries, *(backend.quantisers if weights == "int8" else ()))
    for module in needed:
        monkeypatch.setitem(sys.modules, module, None)
    if not needed:
        backend.require_installed(weights)
        return
    package = needed[0].partition(".")[0]
    line = (
        rf"^{package} is not installed: pip install {package} to export with it "
        rf"\(or archwright\[{backend.extra}\]\)$"
    )
    with pytest.raises(ConfigError, match=line):
        backend.require_installed(weights)


@EVERY
def test_a_file_has_the_numbers_and_the_card_of_the_network(
    name: str, module: GraphModule, tmp_path: Path
) -> None:
    backend = installed(name)
    path = tmp_path / f"a{backend.suffix}"
    path.write_bytes(serialise(module, name, card(module)))
    loaded, found = open_exported(path)
    assert found == card(module)
    assert json.loads(loaded.metadata["cells"]) == 1
    max_error(LogitsModule(module), loaded, module.network.image, batches=(1, 2, 5))
    again = load(path.read_bytes(), name, threads=2)
    assert torch.allclose(again(noise(module)), loaded(noise(module)), atol=1e-5)
    loaded.call(module.network.image, batch=3)()
    assert backend.runtime_version().split()[0] == backend.runtime


@EVERY
@pytest.mark.parametrize("weights", get_args(Weights))
def test_weights_are_those_of_the_card_or_refused(
    name: str, weights: Weights, module: GraphModule
) -> None:
    described = card(module, weights)
    if weights not in get_backend(name).weights:
        with pytest.raises(ConfigError, match=f"^--weights {weights} is not for --format {name}, "):
            serialise(module, name, described, calibration=[noise(module)])
        with pytest.raises(ConfigError, match=r"whose files have .*: leave one of the two out$"):
            check_format(name, weights, Path(f"a{get_backend(name).suffix}"))
        return
    installed(name, weights)
    loaded = load(serialise(module, name, described, calibration=[noise(module)]), name)
    assert ModelCard.from_metadata(loaded.metadata, "a") == described
    with torch.no_grad():
        wanted = LogitsModule(module)(noise(module))
    error = float((loaded(noise(module)) - wanted).norm() / wanted.norm())
    assert error < (1e-5 if weights == "float32" else 0.3)
    if weights != "float32":
        assert error > 1e-4, "integer weights are rounded"
        with pytest.raises(ConfigError, match="int8 need images: give calibration batches"):
            serialise(module, name, described)


@EVERY
def test_limits_are_refused_in_one_line(name: str, module: GraphModule) -> None:
    backend = get_backend(name)
    for layout in set(get_args(Layout)) - set(backend.layouts):
        line = f"^files of --format {name} do not take images as {layout}: give nchw"
        with pytest.raises(ConfigError, match=line):
            serialise(module, name, card(module), layout=layout)
    with pytest.raises(ConfigError, match=f"^files of --format {name} do not run on tpu:1 here: "):
        load(b"", name, device="tpu:1")
    if backend.max_threads is not None:
        backend.require_threads(backend.max_threads)
        line = rf"^--threads \d+ is not for --format {name}, which runs in .* here: leave it out$"
        with pytest.raises(ConfigError, match=line):
            backend.require_threads(backend.max_threads + 1)
    else:
        backend.require_threads(64)


@EVERY
def test_open_decisions_and_damaged_files_are_refused(
    name: str, module: GraphModule, tmp_path: Path
) -> None:
    backend = installed(name)
    supernet = GraphModule(get_space("nasbench201").supernet(tiny("nasbench201"))).eval()
    with pytest.raises(GraphError, match="is undecided: derive the network first"):
        serialise(supernet, name, card(module))
    path = tmp_path / f"a{backend.suffix}"
    with pytest.raises(RunError, match=r"no file at .*: archwright export writes one"):
        open_exported(path)
    path.write_bytes(b"nothing")
    with pytest.raises(RunError, match=f"cannot read {path}: "):
        open_exported(path)


def test_a_request_has_the_graph_and_the_state(module: GraphModule) -> None:
    request = ExportRequest(module=module, card=card(module))
    assert request.network is module.network
    assert request.state.keys() == module.state_dict().keys()
    assert (request.weights, request.layout) == ("float32", "nchw")


class Toy(Backend):
    """A backend with nothing but what a backend must have: a table of the weights' means."""

    name = "toy"
    suffix = ".toy"
    runtime = "torch"

    def write(self, request: ExportRequest) -> bytes:
        means = {name: float(value.double().mean()) for name, value in request.state.items()}
        return json.dumps({"card": request.metadata, "means": means}).encode()

    def open(self, content: bytes | Path, *, threads: int, device: str) -> Any:
        return ToyRuntime(content if isinstance(content, bytes) else content.read_bytes())


class ToyRuntime:
    def __init__(self, content: bytes) -> None:
        held = json.loads(content)
        self.metadata: dict[str, str] = held["card"]
        self.mean = sum(held["means"].values())

    def __call__(self, images: Tensor) -> Tensor:
        return images.mean((1, 2, 3), keepdim=True).flatten(1).expand(-1, 10) * self.mean

    def call(self, image: Shape, *, batch: int = 1) -> Any:
        return lambda: self(torch.zeros(batch, *image))


def test_a_toy_is_written_opened_and_limited(
    module: GraphModule, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(BACKENDS, "toy", f"{__name__}:Toy")
    path = tmp_path / "a.toy"
    path.write_bytes(serialise(module, "toy", card(module)))
    loaded, found = open_exported(path)
    assert found == card(module)
    assert loaded(noise(module)).shape == (16, 10)
    check_format("toy", "float32", path)
    with pytest.raises(ConfigError, match="--weights int8 is not for --format toy"):
        check_format("toy", "int8", path)


@pytest.mark.parametrize(
    ("place", "line"),
    [
        ("archwright.nowhere:Toy", r"^archwright\.nowhere:Toy cannot be loaded \(ModuleNotFound"),
        (
            "archwright.graph:ReLU",
            r"^archwright\.graph:ReLU is not a backend named 'broken': make it",
        ),
        (
            "archwright.backends.onnx.backend:Onnx",
            r"Onnx is not a backend named 'broken': make it a subclass",
        ),
    ],
)
def test_a_broken_package_is_named(monkeypatch: pytest.MonkeyPatch, place: str, line: str) -> None:
    groups = {PLUGINS: {"broken": place}}
    monkeypatch.setattr("archwright.io.plugins.plugins", groups.__getitem__)
    with pytest.raises(ConfigError, match=line):
        get_backend("broken")
    assert backend_of(Path("a.onnx")) is get_backend("onnx")  # which is asked first


def test_an_unknown_format_is_named() -> None:
    with pytest.raises(ConfigError, match="unknown format 'onx': did you mean 'onnx'"):
        get_backend("onx")
