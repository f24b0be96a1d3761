from pathlib import Path
from typing import Any

import pytest

from archwright.engine.options import RunOptions
from archwright.errors import ArchwrightError, ConfigError
from archwright.nas.config import SearchConfig
from archwright.nas.methods import get_method
from archwright.training.config import TrainConfig

OUT = Path("out")


@pytest.mark.parametrize("make", [RunOptions, SearchConfig, TrainConfig])
@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"seed": -1}, "--seed must be 0 to 2"),
        ({"seed": 2**32}, "--seed must be 0 to 2"),
        ({"limit": 0}, "--limit must be above 0, got 0"),
        ({"devices": 0}, "--devices must be above 0"),
        ({"workers": -1}, "--workers must not be negative, got -1"),
        ({"checkpoint_seconds": -1.0}, "--checkpoint-seconds must not be negative"),
        ({"precision": "16"}, "unknown precision '16'"),
        ({"precision": None}, "unknown precision 'None'"),
        ({"data_root": "here"}, "--data-root must be a pathlib.Path, got 'here'"),
    ],
)
def test_what_every_run_refuses(make: Any, changed: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make(out=OUT, **({"architecture": "darts-v2"} if make is TrainConfig else {}), **changed)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"channels": 0}, "--channels must be above 0, got 0"),
        ({"lr": 0.0}, "--lr must be above 0"),
        ({"lr": float("nan")}, "--lr must be above 0, got nan"),
        ({"lr": float("inf")}, "--lr must be above 0, got inf"),
        ({"lr_min": -0.1}, "--lr-min must not be negative"),
        ({"momentum": 1.0}, "--momentum must be at least 0 and below 1"),
        ({"alpha_betas": (0.5, 1.0)}, "--alpha-betas must be at least 0 and below 1, got 1.0"),
        ({"alpha_init": -1e-3}, "--alpha-init must not be negative"),
        ({"lowering": "fusd"}, "unknown lowering 'fusd': did you mean 'fused'?"),
        (
            {"method": "diffgraph", "options": {"estimator": "hard"}},
            "unknown estimator 'hard': known are ",
        ),
        ({"method": "gdas", "options": {"tau": 0.0}}, r"--tau must be above 0, got 0\.0"),
        ({"alpha_start": -1}, "--alpha-start must not be negative"),
    ],
)
def test_what_a_search_refuses(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        SearchConfig(out=OUT, **changed)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"lr_min": 0.1}, "--lr-min 0.1 must not be above --lr 0.025"),
        ({"warmup_epochs": 50.0}, "--warmup-epochs 50 must be below --epochs 50"),
        ({"alpha_start": 50}, "--alpha-start 50 must be below --epochs 50"),
    ],
)
def test_settings_that_contradict_what_was_published(changed: dict[str, Any], message: str) -> None:
    published = get_method("darts").recipe("nasbench201")
    with pytest.raises(ConfigError, match=message):
        SearchConfig(out=OUT, **changed).recipe(published)


def test_a_setting_replaces_the_published_one_even_by_zero() -> None:
    published = get_method("darts").recipe("nasbench201")
    chosen = SearchConfig(out=OUT, lr_min=0.0, nesterov=False, epochs=7).recipe(published)
    assert (chosen.lr_min, chosen.nesterov, chosen.epochs) == (0.0, False, 7)
    assert chosen.alpha_lr == published.alpha_lr


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"clip": 0.0}, "--clip must be above 0"),
        ({"drop_path": 1.0}, "--drop-path must be at least 0 and below 1"),
        ({"ema": -0.1}, "--ema must be at least 0 and below 1"),
        ({"cutout": -1}, "--cutout must not be negative"),
        ({"lr_min": 0.1}, "--lr-min 0.1 must not be above --lr 0.025"),
        ({"epochs": 2, "warmup_epochs": 2.0}, "--warmup-epochs 2 must be below --epochs 2"),
        ({"against": ("random", "random")}, "--against names a network twice"),
        ({"against": ("rndom",)}, "unknown network for --against 'rndom': did you mean 'random'"),
    ],
)
def test_what_a_training_refuses(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        TrainConfig(out=OUT, architecture="darts-v2", **changed)


def test_an_unknown_method_names_the_nearest() -> None:
    with pytest.raises(ArchwrightError, match=r"unknown method 'dart': did you mean 'darts'"):
        get_method("dart")


def test_images_are_written_down_as_they_are_found_from_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ARCHWRIGHT_DATA", raising=False)
    monkeypatch.chdir(tmp_path)
    for folder in ("images", "digits", "root/cifar10"):
        (tmp_path / folder).mkdir(parents=True)

    def written(**options: Any) -> tuple[str, str | None]:
        settings = RunOptions(out=OUT, **options).settings()
        return settings["data"], settings["data_root"]

    assert written(data="images") == (str(tmp_path / "images"), None)
    assert written(data="digits") == ("digits", None)
    assert written(data="some/name") == ("some/name", None)
    root = Path("root")
    assert written(data="cifar10", data_root=root) == ("cifar10", str(tmp_path / "root"))
    monkeypatch.setenv("ARCHWRIGHT_DATA", "root")
    assert written(data="cifar10") == ("cifar10", None)
