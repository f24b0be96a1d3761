"""Every method of the registry, on every space, with and without simplification."""

import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch import Tensor

from archwright.engine.runs.folder import RunFolder, read_config
from archwright.errors import ConfigError
from archwright.graph.passes.simplification import simplify
from archwright.graph.passes.simplification.settings import simplification
from archwright.lowering import FusedNetwork, GraphModule
from archwright.nas.bilevel.bilevel import Bilevel
from archwright.nas.config import SearchConfig
from archwright.nas.loop.search import search
from archwright.nas.method import Progress
from archwright.nas.methods import METHODS, get_method
from archwright.nas.presets import preset_options
from archwright.pipeline.config import BuildConfig
from archwright.pipeline.stages import search_config
from archwright.spaces import get_space, read_architecture
from archwright.tasks import CLASSIFICATION

from ...engine.helpers import tiny_search
from ...strategies import any_space, tiny

if TYPE_CHECKING:
    from lightning_fabric import Fabric

TRAINED = [name for name in METHODS if get_method(name).trains]
SAMPLING = ("gdas", "random-ws")
"""Those that run nothing but a sample."""
QUICK = ("nasbench201", "spos", "user")
"""The spaces on which two steps take no second; those of the DARTS space do."""


def combinations() -> list[Any]:
    return [
        pytest.param(
            *(name, space, stages),
            marks=() if space in QUICK or (name, stages) == ("gdas", "all") else pytest.mark.slow,
        )
        for name in TRAINED
        for space in (*QUICK, "darts")
        for stages in ("none", "all")
    ]


def two_steps(
    fabric: "Fabric", name: str, space: str, stages: str, lowering: type[GraphModule]
) -> tuple[list[Tensor], Bilevel]:
    """Alpha's gradients in two steps, in float64 from the same start with the same noise."""
    method = get_method(name, **({"partial": 2} if name == "pc-darts" else {}))
    size = tiny(space)
    graph = simplify(method.supernet(any_space(space).supernet(size)), simplification(stages))
    recipe = replace(method.recipe(space), alpha_start=0, epochs=2, alpha_init=0.1)
    torch.manual_seed(0)
    naive = GraphModule(graph)
    run = Bilevel(fabric, CLASSIFICATION, lowering(graph).double(), method, recipe)
    run.network.load_state_dict(naive.state_dict())
    generator = torch.Generator().manual_seed(1)
    run.alpha.double()
    with torch.no_grad():
        for parameter in run.alpha.parameters():
            parameter.copy_(0.1 * torch.randn(parameter.shape, generator=generator))
    images = torch.randn(2, 4, *size.image, generator=generator).double()
    labels = torch.randint(size.classes, (2, 4), generator=generator)
    gradients: list[Tensor] = []
    torch.manual_seed(2)
    for epoch in range(2):
        halves = [(images[half], labels[half]) for half in (0, 1)]
        run.step(halves[0], halves[1], Progress(epoch, 2, epoch / 2))
        gradients += [p.grad.clone() for p in run.alpha.parameters() if p.grad is not None]
    return gradients, run


@pytest.mark.parametrize(("name", "space", "stages"), combinations())
def test_two_steps_of_either_lowering_agree(
    fabric: "Fabric", name: str, space: str, stages: str
) -> None:
    naive, run = two_steps(fabric, name, space, stages, GraphModule)
    fused, other = two_steps(fabric, name, space, stages, FusedNetwork)
    assert len(naive) == len(fused)
    assert bool(naive) == get_method(name).learns
    for one, two in zip(naive, fused, strict=True):
        assert one.isfinite().all()
        torch.testing.assert_close(two, one, rtol=1e-6, atol=1e-9 * float(one.abs().max()))
    for row, (weights, again) in enumerate(
        zip(run.weights_by_decision().values(), other.weights_by_decision().values(), strict=True)
    ):
        assert len(weights) == len(run.network.decisions[row].candidates)
        assert sum(weights) > 0
        assert weights == pytest.approx(again, abs=1e-6)
    # twins have one set of running statistics, which of samples counts each of them that runs
    compared = dict(run.network.named_parameters())
    if name not in SAMPLING:
        compared = run.network.state_dict()
    of_fused = other.network.state_dict()
    for slot, value in compared.items():
        torch.testing.assert_close(of_fused[slot], value.detach(), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("stages", ["none", "all"])
def test_a_whole_search_ends_with_an_architecture(tmp_path: Path, name: str, stages: str) -> None:
    config = tiny_search(
        tmp_path / "out", method=name, simplify=stages, epochs=1, limit=64, watch=None
    )
    options = {"samples": 3} if name == "random-ws" else {}
    options |= {"alpha_start": 0} if name == "pc-darts" else {}
    config = config.with_settings(**options)
    result = search(config)
    assert read_architecture(str(result.to_json()["architecture"])) == result.architecture
    epochs = [r for r in RunFolder(config.out).log.records() if r["event"] == "epoch"]
    assert len(epochs) == get_method(name).trains
    assert (result.out / "weights.safetensors").exists()


def test_random_draws_the_same_architecture_however_its_supernet_would_be(tmp_path: Path) -> None:
    def found(stages: str, seed: int) -> object:
        out = tmp_path / f"{stages}-{seed}"
        return search(tiny_search(out, method="random", simplify=stages, seed=seed)).architecture

    drawn = found("none", 0)
    assert found("all", 0) == drawn == found("pms+fms", 0)
    assert found("all", 1) != drawn


def test_random_search_with_sharing_takes_the_best_that_it_drew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from archwright.nas.derive import oneshot

    scores = {3: [1.0, 9.0, 4.0], 2: [5.0, 5.0]}
    for samples, given in scores.items():
        seen: list[object] = []

        def score(
            fabric: object,
            task: object,
            supernet: object,
            architecture: object,
            batches: object,
            *,
            seen: list[object] = seen,
            given: list[float] = given,
        ) -> float:
            seen.append(architecture)
            return given[len(seen) - 1]

        monkeypatch.setattr(oneshot, "one_shot_score", score)
        out = tmp_path / str(samples)
        config = tiny_search(out, method="random-ws", epochs=1, limit=64, samples=samples)
        assert search(config).architecture == seen[given.index(max(given))]
        assert len(seen) == samples


def test_an_option_of_another_method_is_refused() -> None:
    message = "--tau is no option of darts, but of gdas, snas, diffgraph"
    with pytest.raises(ConfigError, match=f"^{re.escape(message)}$"):
        get_method("darts", tau=1.0)


@pytest.mark.parametrize("name", ["gdas", "snas", "diffgraph"])
def test_a_temperature_does_not_rise(name: str) -> None:
    with pytest.raises(ConfigError, match=r"^--tau-min 2 must not be above --tau 0\.5$"):
        get_method(name, tau=0.5, tau_min=2.0)
    get_method(name, tau=2.0, tau_min=2.0)


def test_a_temperature_is_held_against_that_of_the_preset(tmp_path: Path) -> None:
    settings: dict[str, Any] = {"out": tmp_path, "method": "diffgraph", "preset": "proxy"}
    SearchConfig(**settings, options={"tau_min": 2.0}).with_preset().build_method()
    with pytest.raises(ConfigError, match=r"^--tau-min 6 must not be above --tau 5$"):
        SearchConfig(**settings, options={"tau_min": 6.0}).with_preset().build_method()


def test_an_unknown_method_is_named() -> None:
    with pytest.raises(ConfigError, match=r"^unknown method 'drts': did you mean 'darts'\?"):
        get_method("drts")


def test_recomputing_is_of_the_fused_lowering() -> None:
    with pytest.raises(
        ConfigError, match="--recompute needs the fused lowering: leave out --recompute, or"
    ):
        SearchConfig(out=Path("out"), recompute=True, lowering="naive")


def test_options_stand_in_place_of_the_published_ones() -> None:
    method = get_method("gdas", tau=2.0, tau_min=None)
    assert method == get_method("gdas", tau=2.0)
    assert method != get_method("gdas")


@pytest.mark.parametrize(
    ("preset", "method", "message"),
    [
        ("papr", "darts", "unknown preset 'papr': did you mean 'paper'? known are "),
        ("doubled", "darts", "preset 'doubled' is for beta-darts, not for darts"),
        ("proxy", "dart", "unknown method 'dart': did you mean 'darts'?"),
    ],
)
def test_an_impossible_preset_is_refused(
    tmp_path: Path, preset: str, method: str, message: str
) -> None:
    with pytest.raises(ConfigError, match=f"^{re.escape(message)}"):
        search(tiny_search(tmp_path / "out", preset=preset, method=method))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("method", METHODS)
def test_presets_name_settings_and_options_that_there_are(tmp_path: Path, method: str) -> None:
    assert METHODS[method].presets["paper"] == {}
    for preset in METHODS[method].presets:
        config = SearchConfig(out=tmp_path, method=method, preset=preset, data="x").with_preset()
        settings = config.settings()
        for name, value in preset_options(preset, method).items():
            assert settings[name] == value
        recipe = config.recipe(config.build_method().recipe("nasbench201"))
        assert recipe.epochs > recipe.alpha_start


def test_a_preset_has_its_own_sizes_for_another_space(tmp_path: Path) -> None:
    def sizes(space: str, preset: str) -> tuple[int | None, int | None, int | None]:
        config = SearchConfig(
            out=tmp_path, space=space, preset=preset, data="cifar10"
        ).with_preset()
        return config.channels, config.cells, config.image_size

    assert sizes("nasbench201", "proxy") == (8, 3, 16)
    assert sizes("darts", "proxy") == (8, 5, 16)
    assert sizes("spos", "proxy") == (None, None, 16)
    assert sizes("darts", "paper") == (None, None, None)
    # digits are of one size
    assert SearchConfig(out=tmp_path, preset="proxy").with_preset().image_size is None


def test_what_a_preset_says_of_a_method_counts(tmp_path: Path) -> None:
    out = tmp_path / "out"
    search(tiny_search(out, method="beta-darts", preset="proxy", epochs=2))
    assert read_config(out)["beta_decay"] == 2.5


def test_what_is_given_counts_more_than_the_preset(tmp_path: Path) -> None:
    config = SearchConfig(out=tmp_path, method="darts", preset="proxy", epochs=10).with_preset()
    assert (config.epochs, config.alpha_start) == (10, 2)  # at its share, as 1 of 5
    assert replace(config, epochs=1, alpha_start=None).with_preset().alpha_start == 0
    assert config.batch_size == METHODS["darts"].presets["proxy"]["batch_size"]


@pytest.mark.parametrize("epochs", [1, 10, 100])
def test_what_begins_on_the_way_stays_at_its_share(tmp_path: Path, epochs: int) -> None:
    config = SearchConfig(out=tmp_path, method="pc-darts", epochs=epochs)
    published = config.build_method().recipe("nasbench201")
    assert (published.epochs, published.alpha_start) == (50, 15)
    assert config.recipe(published).alpha_start == 15 * epochs // 50
    assert replace(config, epochs=None).recipe(published) == published
    slow = replace(published, warmup_epochs=5.0)
    assert config.recipe(slow).warmup_epochs == epochs / 10
    built = BuildConfig(out=tmp_path, method="pc-darts", search_epochs=epochs)
    searched = search_config(built, get_space("nasbench201"), 32)
    assert searched.recipe(published).alpha_start == 15 * epochs // 50  # the same rule for both


def test_what_is_given_of_alpha_and_never_begins_is_refused(tmp_path: Path) -> None:
    config = SearchConfig(out=tmp_path, method="pc-darts", epochs=3, alpha_start=3)
    with pytest.raises(ConfigError, match=r"^--alpha-start 3 must be below --epochs 3"):
        config.recipe(config.build_method().recipe("nasbench201"))


def test_a_preset_of_smaller_images_says_nothing_of_what_is_deployed(tmp_path: Path) -> None:
    config = SearchConfig(out=tmp_path, preset="proxy", data="cifar10", max_macs=1e8)
    message = (
        "--preset proxy searches on images of 16 pixels, and costs depend on the image size of "
        "the found network: give it with --deploy-image-size"
    )
    for asked in (
        config,
        replace(config, max_macs=None, pareto=3),
        replace(config, max_macs=None, objective="macs=1"),
    ):
        with pytest.raises(ConfigError, match=f"^{re.escape(message)}$"):
            asked.with_preset()
    assert replace(config, deploy_image_size=32).with_preset().image_size == 16
    assert replace(config, image_size=24).with_preset().image_size == 24
    assert replace(config, data="digits").with_preset().image_size is None


def test_channels_that_pc_darts_cannot_part_are_one_line(tmp_path: Path) -> None:
    message = "--partial 4 must divide the channels of every searched edge, and there is one of 6"
    with pytest.raises(ConfigError, match=f"^{re.escape(message)}"):
        search(tiny_search(tmp_path / "out", method="pc-darts", channels=6, alpha_start=0))
    assert not (tmp_path / "out").exists()
