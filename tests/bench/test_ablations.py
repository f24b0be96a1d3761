"""The script that switches parts of a search, and the tables of what it found."""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from archwright.bench.engine.freeze import settings_hash
from archwright.bench.engine.results import Results, read_results, write_results
from archwright.errors import ConfigError
from archwright.nas.config import SearchConfig
from archwright.spaces import read_architecture
from archwright.tables import nasbench201
from docs_tables import ablations as ablation_pages

from . import sample_searches
from .test_scripts import script

ablations = script("ablations")
BEST = "|nor_conv_3x3~0|+|none~0|nor_conv_3x3~1|+|skip_connect~0|none~1|nor_conv_3x3~2|"
OTHER = "|nor_conv_3x3~0|+|none~0|nor_conv_1x1~1|+|skip_connect~0|none~1|nor_conv_3x3~2|"


def asked(folder: Path) -> argparse.Namespace:
    return argparse.Namespace(seeds="0,3", data_root=None, runs=folder)


def some(rows: Sequence[dict[str, Any]]) -> Results:
    return Results(
        command="python bench/ablations.py",
        settings={},
        versions={"torch": "2"},
        hardware="a machine",
        threads=1,
        rows=list(rows),
    )


def test_each_part_is_switched_for_each_seed(tmp_path: Path) -> None:
    cases = list(ablations.parts(asked(tmp_path)))
    assert [(case.row["part"], case.row["seed"]) for case in cases] == [
        (part, seed) for seed in (0, 3) for part in ablations.PARTS
    ]
    configs: list[SearchConfig] = [case.config for case in cases]
    assert len({config.out for config in configs}) == len(cases)
    hashes = {case.row["settings_hash"] for case in cases}
    assert len(hashes) == len(ablations.PARTS)
    plain = SearchConfig(method="diffgraph", preset="proxy", out=tmp_path)
    assert settings_hash(plain) not in hashes
    encoder, shrunk = configs[:2]
    assert (encoder.options, shrunk.options) == ({"encoder": True}, {"progressive": True})
    assert replace(encoder, options={}, out=tmp_path) == replace(shrunk, options={}, out=tmp_path)


def test_parts_are_searched_with_reported_seeds_only_where_they_are_frozen(tmp_path: Path) -> None:
    given = argparse.Namespace(seeds="204", data_root=None, runs=tmp_path)
    with pytest.raises(
        ConfigError, match=r"seed 204 is reported, and .* the settings of diffgraph"
    ):
        list(ablations.parts(given))


def test_a_budget_and_weights_differ_in_nothing_else(tmp_path: Path) -> None:
    cases = list(ablations.penalties(asked(tmp_path)))
    assert {case.row["space"] for case in cases} == {"nasbench201", "darts", "spos"}
    assert len({case.config.out for case in cases}) == len(cases) == 3 * 2 * 6
    for case in cases:
        row, config = case.row, case.config
        assert row["least"] < row["limit"] < row["most"]
        budget = row["penalty"] == "budget"
        assert config.max_macs == (row["limit"] if budget else None)
        assert config.objective == (None if budget else f"macs={row['penalty']}")
        assert config.seed == row["seed"]


def test_what_is_there_is_not_searched_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[SearchConfig] = []

    def search(config: SearchConfig) -> Any:
        ran.append(config)
        return SimpleNamespace(architecture=read_architecture(BEST), costs=None, accuracy=9.0)

    monkeypatch.setattr(ablations, "search", search)
    words = ["ablations", "parts", "--runs", str(tmp_path), "--results", str(tmp_path)]
    monkeypatch.setattr("sys.argv", [*words, "--seeds", "1"])
    ablations.main()
    path = tmp_path / "ablation-parts.json"
    rows = read_results(path).rows
    assert len(ran) == len(rows) == len(ablations.PARTS)
    assert {row["architecture"] for row in rows} == {BEST}
    ablations.main()
    assert len(ran) == len(ablations.PARTS)
    write_results(path, some(rows[:1]))
    with pytest.raises(Exception, match="was measured with torch='2', not "):
        ablations.main()


def test_parts_stand_beside_the_searches_that_they_change(tmp_path: Path) -> None:
    assert ablation_pages.parts(tmp_path) == ""
    row = {"part": "--encoder", "architecture": BEST, "cpu_s": 10.0}
    rows = [{**row, "seed": seed} for seed in (204, 205, 206)]
    write_results(tmp_path / "ablation-parts.json", some(rows))
    plain = [sample_searches.search("diffgraph all", seed, OTHER) for seed in (204, 205, 300)]
    write_results(tmp_path / "searches.json", sample_searches.results(*plain))
    page = ablation_pages.parts(tmp_path)
    assert "`python bench/ablations.py`\n\na machine, 1 thread; torch 2." in page
    best, other = (nasbench201.lookup(text).cifar10_test for text in (BEST, OTHER))
    assert f"| as frozen | 2 | {other:.2f} (0.00) |" in page  # seeds that parts have
    assert f"| --encoder | 3 | {best:.2f} (0.00) |" in page
    assert page.splitlines()[-1].endswith(f"| 10 | {best - other:+.2f} | 0.500 |")


def test_what_was_found_is_a_multiple_of_the_limit(tmp_path: Path) -> None:
    row = {"space": "darts", "limit": 2e6, "seed": 0}
    rows = [
        {**row, "penalty": "budget", "macs": 1.8e6},
        {**row, "penalty": "budget", "macs": 1.9e6, "seed": 1},
        {**row, "penalty": "0.1", "macs": 3e6},
    ]
    assert ablation_pages.penalties(tmp_path) == ""
    write_results(tmp_path / "ablation-penalties.json", some(rows))
    page = ablation_pages.penalties(tmp_path)
    assert "| space | limit, M MACs | n | budget | weight 0.1 |" in page
    assert "| darts | 2.0 | 2 | 0.90 to 0.95 | 1.50 |" in page
