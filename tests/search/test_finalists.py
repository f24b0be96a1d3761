"""Finalists: which are compared, how their trials go, and that the supernet is not changed."""

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from archwright.cost import cost_model
from archwright.errors import ConfigError
from archwright.ir import Architecture
from archwright.search import answer
from archwright.search.answer import Judge
from archwright.search.config import SearchConfig
from archwright.search.reopened import Reopened
from archwright.search.run import search
from archwright.search.trial import Score, Trials
from archwright.spaces import Size, get_space, read_architecture
from archwright.train.trainer import Trainer

from ..runs.helpers import tiny_search, traces

CELL = "|{0}~0|+|none~0|{0}~1|+|none~0|none~1|{0}~2|"
PLAIN = read_architecture(CELL.format("nor_conv_3x3"))
WILD = read_architecture(
    "|nor_conv_1x1~0|+|avg_pool_3x3~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_3x3~1|nor_conv_1x1~2|"
)


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> SearchConfig:
    """A search without budgets that has ended."""
    config = tiny_search(
        tmp_path_factory.mktemp("search") / "out",
        **{"method": "darts", "epochs": 2, "watch": False},
        **{"deploy_channels": 4, "deploy_cells": 1, "deploy_image_size": 8},
    )
    search(config)
    return config


def trials(done: SearchConfig, **options: Any) -> Trials:
    asked = Reopened.of(done).searching
    bilevel = asked.begin()
    settings = {"epochs": 0.5, "out": done.out, **options}
    return Trials(bilevel, asked.weights_batches, asked.alpha_batches, **settings)


def scored(done: SearchConfig, losses: dict[Architecture, float]) -> Trials:
    made = trials(done)
    made.seen = {one: Score(loss, 50.0) for one, loss in losses.items()}
    return made


def test_the_least_loss_wins_and_regularity_counts_beside_it(done: SearchConfig) -> None:
    terms = Reopened.of(done).searching.terms
    tried = scored(done, {PLAIN: 1.0, WILD: 0.9})

    def best(regularity: float) -> Architecture:
        return Judge(tried, replace(terms, regularity=regularity), finalists=2).best([PLAIN, WILD])

    assert best(0.0) == WILD
    assert best(1.0) == PLAIN


def test_what_diverged_is_last_and_null_in_json(done: SearchConfig) -> None:
    terms = Reopened.of(done).searching.terms
    judge = Judge(scored(done, {PLAIN: math.inf, WILD: 5.0}), terms, finalists=2)
    assert judge.best([PLAIN, WILD]) == WILD
    records = json.loads(json.dumps(judge.record(), allow_nan=False))
    assert [record["loss"] for record in records] == [None, 5.0]


@pytest.mark.parametrize(
    ("asked", "regularity", "counts"),
    [(None, 0.0, [1, 48]), (None, 0.5, [16, 48]), (1, 0.5, [1, 1]), (3, 0.0, [3, 3])],
)
def test_how_many_are_compared(
    done: SearchConfig,
    monkeypatch: pytest.MonkeyPatch,
    asked: int | None,
    regularity: float,
    counts: list[int],
) -> None:
    opened = Reopened.of(done)
    terms = replace(opened.searching.terms, regularity=regularity)
    compared: list[int] = []
    monkeypatch.setattr(
        answer.Judge, "best", lambda self, found: compared.append(len(found)) or found[0]
    )
    cost = cost_model(
        "macs", get_space("nasbench201"), Size(channels=4, cells=1, image_size=8, image_channels=1)
    )
    strongest = cost.of(terms.derive(opened.weights))
    limited = replace(done, max_macs=(cost.least()[0] + strongest) / 2, regularity=regularity)
    judge = Judge(trials(done), terms, finalists=asked)
    judge.choose(terms, opened.weights)
    Reopened(opened.searching, judge, opened.weights).answer(limited)
    assert compared == counts


def test_a_trial_trains_a_copy_and_is_repeated_to_the_bit(done: SearchConfig) -> None:
    tried = trials(done)
    network = tried._bilevel.network
    before = {name: value.clone() for name, value in network.state_dict().items()}
    random = torch.get_rng_state()
    score = tried.score(PLAIN)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert torch.equal(torch.get_rng_state(), random)
    tried.score(WILD)
    assert trials(done).score(PLAIN) == score  # whatever was tried before
    assert tried.score(PLAIN) is score


def test_a_trial_starts_from_the_supernet_and_ends_nearer_to_the_images(
    done: SearchConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[float] = []
    original = Trainer.step

    def counted(self: Trainer, *batch: Any) -> None:
        steps.append(batch[-1])
        original(self, *batch)

    monkeypatch.setattr(Trainer, "step", counted)
    few = trials(done, epochs=1e-9)
    few.score(PLAIN)
    assert steps == [0.0]
    assert len(few._weights) > 1
    long = trials(done, epochs=20.0)
    assert long.score(PLAIN).loss < few.score(PLAIN).loss
    assert len(steps) == 1 + 20 * len(long._weights)


def test_alphas_images_are_decoded_once(
    done: SearchConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried, epochs = trials(done), list[int]()
    original = tried._alpha.epoch
    monkeypatch.setattr(
        tried._alpha, "epoch", lambda epoch: epochs.append(epoch) or original(epoch)
    )
    tried.score(PLAIN)
    tried.score(WILD)
    assert epochs == [0]


def test_the_log_has_the_finalists(done: SearchConfig, tmp_path: Path) -> None:
    result = search(replace(done, out=tmp_path / "out", finalists=3))
    (row,) = (r for r in traces(tmp_path / "out")["log"] if r["event"] == "finalists")
    losses = {read_architecture(one["architecture"]): one["loss"] for one in row["tried"]}
    assert len(losses) == 3
    assert min(losses, key=losses.__getitem__) == result.architecture
    assert not [r for r in traces(done.out)["log"] if r["event"] == "finalists"]


def test_a_trial_of_no_length_is_refused(done: SearchConfig) -> None:
    with pytest.raises(ConfigError, match=r"^--finalist-epochs must be above 0, got 0$"):
        replace(done, finalist_epochs=0)
