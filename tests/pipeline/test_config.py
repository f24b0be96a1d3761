"""What a build asks of its stages, and what it refuses."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from archwright.errors import ConfigError
from archwright.nas.loop.run import build_run
from archwright.pipeline.config import BuildConfig
from archwright.pipeline.presets import PRESETS
from archwright.pipeline.stages import export_config, pruning_config, search_config, training_config
from archwright.spaces import Size, get_space, read_architecture

OUT = Path("runs/a")
CELL = read_architecture(
    "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_3x3~1|nor_conv_3x3~2|"
)
NB201 = get_space("nasbench201")
SIZE = Size(channels=24, cells=3, classes=10, image_size=32)


def config(**given: Any) -> BuildConfig:
    return BuildConfig(out=OUT, **given)


def test_the_search_is_held_to_budgets_at_the_final_size() -> None:
    asked = config(max_macs=1e8, channels=24, cells=3, search_cells=2, seed=5, limit=100)
    found = search_config(asked, NB201, 32)
    assert (found.max_macs, found.latency_table) == (1e8, None)
    assert (found.deploy_channels, found.deploy_cells, found.deploy_image_size) == (24, 3, 32)
    assert (found.channels, found.cells, found.epochs) == (None, 2, None)
    assert (found.seed, found.limit, found.preset) == (5, 100, "paper")
    assert (found.out, found.resume) == (OUT / "search", True)
    free = search_config(config(channels=24, cells=3), NB201, 32)
    assert (free.deploy_channels, free.deploy_cells, free.deploy_image_size) == (None, None, None)


def test_a_size_is_that_of_the_exported_type() -> None:
    asked = config(max_size_mb=1.0, channels=8, cells=1, data="digits")
    found = [search_config(replace(asked, weights=one), NB201, 8) for one in ("float32", "int8")]
    assert [one.deploy_weights for one in found] == ["float32", "int8"]
    floats, bytes_ = (build_run(one).constraints.budgets[0].cost.of(CELL) for one in found)
    assert floats == pytest.approx(4 * bytes_)
    assert search_config(config(weights="int8"), NB201, 8).deploy_weights == "float32"


def test_a_latency_is_that_of_this_machine_unless_something_else_says() -> None:
    assert search_config(config(max_latency_ms=5), NB201, 32).latency_table == OUT / "latency.csv"
    own = config(max_latency_ms=5, latency_table=Path("mine.csv"))
    assert (own.profiles, search_config(own, NB201, 32).latency_table) == (False, Path("mine.csv"))
    device = config(max_latency_ms=5, latency_device="raspi4")
    assert (device.profiles, search_config(device, NB201, 32).latency_device) == (False, "raspi4")


def test_a_shorter_search_keeps_the_share_before_alpha_starts() -> None:
    published = search_config(config(preset="tiny"), NB201, 8)
    shorter = search_config(config(preset="tiny", search_epochs=8), NB201, 8)
    assert (published.epochs, published.alpha_start) == (16, 6)
    assert (shorter.epochs, shorter.alpha_start) == (8, 3)
    proxy = search_config(config(preset="proxy", search_epochs=3), NB201, 32).with_preset()
    assert (proxy.epochs, proxy.alpha_start, proxy.preset) == (3, 0, "proxy")


@pytest.mark.parametrize(("name", "least"), [("nasbench201", 1), ("darts", 3), ("spos", 4)])
def test_small_presets_are_as_shallow_as_the_space_has_it(name: str, least: int) -> None:
    space = get_space(name)
    within: dict[str, Any] = {"space": name, "max_macs": 1e8}
    found = search_config(config(**within, preset="tiny"), space, 32)
    assert (found.cells, found.deploy_cells) == (least, least)
    found = search_config(config(**within, preset="proxy"), space, 32)
    assert (found.cells, found.deploy_cells) == (least, None)
    found = search_config(config(**within, preset="tiny", cells=7, search_cells=6), space, 32)
    assert (found.cells, found.deploy_cells) == (6, 7)


def test_the_training_is_of_the_final_size() -> None:
    found = training_config(config(against=("random",)), SIZE, auxiliary=True)
    assert (found.channels, found.cells, found.epochs, found.auxiliary) == (24, 3, 600, 0.4)
    assert (found.architecture, found.against) == (str(OUT / "search"), ("random",))
    assert (found.out, found.resume) == (OUT / "network", True)
    assert training_config(config(), SIZE, auxiliary=False).auxiliary == 0


def test_the_pruning_takes_its_images_from_the_training() -> None:
    assert pruning_config(config()) is None
    found = pruning_config(config(macs=0.8, fusion="sum", finetune_epochs=3, batch_size=32))
    assert found is not None
    assert (found.run, found.out, found.resume) == (OUT / "network", OUT / "pruned", True)
    assert (found.data, found.limit, found.macs, found.fusion) == ("", None, 0.8, "sum")
    assert (found.epochs, found.batch_size) == (3, 32)
    moved = pruning_config(config(macs=0.8, data_root=Path("there")))
    assert moved is not None
    assert moved.on({"data": "mine", "data_root": "here"}).data_root == Path("there")
    for target in ("params", "latency_ms"):
        found = pruning_config(config(**{target: 0.5}))
        assert found is not None
        assert getattr(found, target) == 0.5


def test_the_file_is_named_after_its_format() -> None:
    found = export_config(config(weights="int8"))
    assert (found.run, found.out, found.weights) == (OUT / "network", OUT / "model.onnx", "int8")
    assert export_config(config(macs=0.8)).run == OUT / "pruned"
    assert export_config(config(data_root=Path("there"))).data_root == Path("there")
    assert config(format="torch").file == OUT / "model.pt2"
    assert config(format="executorch").file == OUT / "model.pte"


@pytest.mark.parametrize("name", list(PRESETS))
def test_what_is_given_counts_beside_a_preset(name: Any) -> None:
    asked = config(
        **{"preset": name, "macs": 0.8, "search_epochs": 40, "epochs": 7, "finetune_epochs": 2},
        **{"batch_size": 48, "limit": 500, "channels": 8, "cells": 2, "max_macs": 1e8},
    )
    pruning = pruning_config(asked)
    assert pruning is not None
    search, training = search_config(asked, NB201, 8), training_config(asked, SIZE, auxiliary=False)
    assert (search.epochs, training.epochs, pruning.epochs) == (40, 7, 2)
    assert [one.batch_size for one in (search, training, pruning)] == [48, 48, 48]
    assert (search.limit, training.limit) == (500, 500)
    assert (search.deploy_channels, search.deploy_cells) == (8, 2)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"channels": 0}, "--channels must be above 0, got 0"),
        ({"search_epochs": 0}, "--search-epochs must be above 0, got 0"),
        ({"macs": -1.0}, "--macs must be above 0, got -1.0"),
        ({"max_macs": 0.0}, "--max-macs must be above 0, got 0.0"),
        (
            {"macs": 0.8, "finetune_epochs": -1},
            "--finetune-epochs must not be negative, got -1",
        ),
        ({"preset": "tyni"}, "unknown preset 'tyni': did you mean 'tiny'?"),
        ({"fusion": "max"}, "unknown fusion 'max'"),
        ({"method": "dart"}, "unknown method 'dart': did you mean 'darts'?"),
        ({"against": ("best",)}, "unknown network for --against 'best'"),
        ({"against": ("random", "random")}, "--against names a network twice"),
        ({"format": "onxx"}, "unknown format 'onxx': did you mean 'onnx'?"),
        (
            {"format": "torch", "weights": "int8"},
            "--weights int8 is not for --format torch, whose files have float32: leave one of",
        ),
        ({"devices": 2}, "build runs in one process: leave --devices out"),
        (
            {"finetune_epochs": 3},
            "--finetune-epochs is of no use where nothing is pruned: give --macs 0.8 with it",
        ),
        (
            {"max_latency_ms": 5, "format": "torch"},
            "--max-latency-ms is measured here with onnxruntime, and --format torch runs with "
            "another: give a --latency-table that archwright profile measured",
        ),
        (
            {"max_energy_mj": 5},
            "--max-energy-mj needs measurements: --latency-device DEVICE, or --latency-table FILE",
        ),
        (
            {"max_latency_ms": 5, "latency_device": "raspi4", "latency_table": Path("a.csv")},
            "--latency-device and --latency-table contradict each other: give one",
        ),
        (
            {"latency_device": "raspi4"},
            "--latency-device has no use without --max-latency-ms or --max-energy-mj",
        ),
    ],
)
def test_what_contradicts_is_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        config(**given)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
