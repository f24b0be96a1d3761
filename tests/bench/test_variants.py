"""Variants of a supernet, and settings that are refused before anything is measured."""

from pathlib import Path
from typing import Any

import pytest

from archwright.bench.engine.arms import Lowering
from archwright.bench.supernet.config import SupernetConfig
from archwright.bench.supernet.variants import DISCRETE, NAIVE, parse_variants
from archwright.errors import ConfigError


def names(text: str, lowering: Lowering = "fused") -> list[str]:
    return [v.name for v in parse_variants(text, lowering, recompute=False)]


def test_every_stage_has_a_row_behind_the_two_to_compare_with() -> None:
    config = SupernetConfig()
    assert config.variants[:2] == (DISCRETE, NAIVE)
    assert [v.name for v in config.variants[2:]] == ["pms", "pms+fms", "pms+fms+merge", "all"]
    assert {v.lowering for v in config.variants[2:]} == {"fused"}


def test_a_row_says_how_it_is_lowered_where_that_is_not_clear() -> None:
    assert names("none,all/naive, all")[2:] == ["none/fused", "all/naive", "all"]
    assert names("all,all/fused", lowering="naive")[2:] == ["all", "all/fused"]


def test_what_is_named_twice_is_measured_once() -> None:
    assert names("fms+pms,pms+fms,none/naive,pms+fms/fused")[2:] == ["pms+fms"]


def test_only_fused_rows_recompute() -> None:
    rows = parse_variants("all,all/naive", "fused", recompute=True)
    assert [(v.name, v.recompute) for v in rows if v.recompute] == [("all", True)]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"simplify": "pms,fns"}, "unknown simplification 'fns': did you mean 'fms'"),
        ({"simplify": "all,"}, "unknown simplification ''"),
        ({"simplify": "all/fusd"}, "--simplify all/fusd: unknown lowering 'fusd': did you mean 'f"),
        (
            {"simplify": "all/naive", "recompute": True},
            "--recompute is for the fused lowering, and no row is lowered so",
        ),
        ({"batch_size": 0}, "--batch-size must be above 0, got 0"),
        ({"channels": 0}, "--channels must be above 0"),
        ({"cells": -1}, "--cells must be above 0"),
        ({"image_size": 0}, "--image-size must be above 0"),
        ({"repeats": -1}, "--repeats must be 0 or above, got -1"),
        ({"threads": 0}, "--threads must be above 0"),
        ({"seed": -1}, "--seed must be 0 to 2^32 - 1, got -1"),
        ({"precision": "bf16"}, "unknown precision 'bf16'"),
        ({"lowering": "fusd"}, "unknown lowering 'fusd'"),
    ],
)
def test_what_cannot_be_measured_is_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        SupernetConfig(**settings)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_folder_is_no_file_to_write(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is a folder: name a file"):
        SupernetConfig(out=tmp_path)


def test_the_command_measures_the_same_again() -> None:
    config = SupernetConfig(space="darts", recompute=True, batch_size=8, out=Path("x.json"))
    assert config.command() == (
        "archwright bench supernet --space darts --batch-size 8 --recompute"
    )
    assert "out" not in config.settings()
    assert SupernetConfig().command() == "archwright bench supernet --space nasbench201"
