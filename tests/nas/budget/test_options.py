from pathlib import Path
from typing import Any

import pytest

from archwright.errors import ConfigError
from archwright.nas.config import SearchConfig, require_alpha

REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"max_macs": 0.0}, "--max-macs must be above 0, got 0.0"),
    ({"max_latency_ms": float("nan")}, "--max-latency-ms must be above 0, got nan"),
    ({"deploy_cells": 0, "max_macs": 1e6}, "--deploy-cells must be above 0, got 0"),
    (
        {"deploy_image_size": 32},
        "--deploy-image-size has no use without a budget, --objective or --pareto",
    ),
    ({"spend": 2.0}, "--spend 2 has no use without a budget, such as --max-macs 5e7"),
    (
        {"spend": 0.0, "objective": "macs=0.1"},
        "--spend 0 has no use without a budget, such as --max-macs 5e7",
    ),
    (
        {"deploy_weights": "int8", "max_macs": 1e6},
        "--deploy-weights int8 has no use without --max-size-mb or a size_mb in --objective",
    ),
    ({"pareto": 1}, "--pareto must be 2 or more, got 1"),
    ({"finalists": 0}, "--finalists must be above 0, got 0"),
    ({"regularity": -1.0}, "--regularity must not be negative, got -1.0"),
    (
        {"objective": "macs=0.1", "max_macs": 1e6},
        "--objective weighs macs, which --max-macs limits: give one of the two",
    ),
    (
        {"objective": "mac=0.1"},
        "--objective: unknown cost 'mac': did you mean 'macs'? known are energy_mj, latency_ms, "
        "macs, memory_mb, params, size_mb; write COST=WEIGHT, joined by +",
    ),
    ({"objective": "macs=1+macs=2"}, "--objective weighs macs twice"),
    (
        {"objective": "macs=much"},
        "--objective macs=much: the weight must be a number above 0, such as macs=0.3",
    ),
    (
        {"max_latency_ms": 1.0},
        "--max-latency-ms needs measurements: --latency-device DEVICE, or --latency-table FILE "
        "(which archwright profile writes)",
    ),
    (
        {"objective": "energy_mj=1"},
        "--objective energy_mj needs measurements: --latency-device DEVICE, or --latency-table "
        "FILE (which archwright profile writes)",
    ),
    (
        {"latency_device": "pixel3", "latency_table": Path("t.csv"), "max_latency_ms": 1.0},
        "--latency-device and --latency-table contradict each other: give one",
    ),
    (
        {"latency_device": "pixel3", "max_macs": 1e6, "pareto": 3},  # a front of what is limited
        "--latency-device has no use without --max-latency-ms or --max-energy-mj",
    ),
    (
        {"latency_device": "pixel3"},
        "--latency-device has no use without --max-latency-ms or --max-energy-mj",
    ),
]


@pytest.mark.parametrize(("options", "message"), REFUSED)
def test_options_that_are_wrong_or_contradict_each_other(
    options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError) as error:
        SearchConfig(out=Path("out"), **options)
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("flag", "options"),
    [
        ("--pareto", {"pareto": 3}),
        ("--finalists", {"finalists": 3}),
        ("--regularity", {"regularity": 0.1}),
        ("--objective", {"objective": "macs=0.1"}),
    ],
)
def test_what_is_about_alpha_needs_a_method_that_learns(flag: str, options: dict[str, Any]) -> None:
    config = SearchConfig(out=Path("out"), method="random-ws", **options)
    with pytest.raises(
        ConfigError, match=rf"^{flag} needs alpha, which random-ws does not learn: leave it out$"
    ):
        require_alpha(config.build_method(), config)


def test_a_front_needs_all_candidates() -> None:
    config = SearchConfig(out=Path("out"), method="diffgraph", pareto=3)
    assert not config.build_method().progressive_shrinking
    shrinking = {"progressive": True}
    with pytest.raises(
        ConfigError,
        match=r"^--pareto and --progressive contradict each other: a front needs the cheapest and "
        r"the dearest candidates until the end; leave out one of the two$",
    ):
        SearchConfig(
            out=Path("out"), method="diffgraph", pareto=3, options=shrinking
        ).build_method()
    assert not SearchConfig(out=Path("out"), pareto=3).build_method().progressive_shrinking


def test_limits_and_weights_by_the_name_of_the_cost() -> None:
    config = SearchConfig(
        out=Path("out"),
        max_macs=1e6,
        max_size_mb=2.0,
        objective="latency_ms=0.3+params=0.1",
        latency_device="pixel3",
    )
    assert config.limits == {"macs": 1e6, "size_mb": 2.0}
    assert config.objective_weights == {"latency_ms": 0.3, "params": 0.1}
