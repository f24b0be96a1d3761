"""Whatever a damaged run folder holds, its readers answer rightly or with one line."""

import json
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from archwright.cost import CostModel
from archwright.cost.expected.decision_table import DecisionTable
from archwright.cost.latency import read_latency
from archwright.engine.networks.trained import load_network
from archwright.engine.runs.folder import RunFolder, read_config
from archwright.engine.runs.log import RunLog
from archwright.errors import ArchwrightError, ConfigError, GenotypeError, RunError
from archwright.graph.serial import network_from_text
from archwright.nas.loop.result import SearchResult
from archwright.nas.loop.search import search
from archwright.report.page import write_report
from archwright.spaces import Size, get_space, read_architecture
from archwright.tasks import CLASSIFICATION
from archwright.training.run import TrainResult, train

from .helpers import CELL, files, tiny_search, tiny_training
from .mutated import mutations

NAMES = ("config.json", "architecture.json", "network.json", "log.jsonl")
SAMPLED = 12
"""So many damages of a file are tried in the gate, spread over all; the slow test tries each."""


@pytest.fixture(scope="module", params=["train", "search"])
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run."""
    out = tmp_path_factory.mktemp(request.param) / "run"
    if request.param == "train":
        return train(tiny_training(out, epochs=1, auxiliary=0.0)).out
    return search(tiny_search(out, epochs=1, max_macs=2e7, pareto=2)).out


def damages(text: str, name: str) -> Iterator[tuple[str, str]]:
    if name != "log.jsonl":
        yield from mutations(text)
        return
    lines = text.splitlines()
    for number, line in enumerate(lines):
        for damaged, what in mutations(line):
            whole = [*lines[:number], damaged, *lines[number + 1 :]]
            yield "\n".join(whole) + "\n", f"line {number + 1} {what}"


def readers(run: Path, page: Path) -> list[Callable[[], object]]:
    def result() -> object:
        held, kind = RunFolder(run).result(), read_config(run).get("kind")
        if held is None:
            return None
        content = {**held, "out": str(run)}
        if kind == "train":
            read = TrainResult.from_json(content, CLASSIFICATION)
        else:
            read = SearchResult.from_json(content)
        return json.dumps(read.to_json(), allow_nan=False)

    return [
        lambda: load_network(run),
        lambda: read_architecture(str(run)),
        lambda: write_report([run], page),
        result,
    ]


def unexpected(run: Path, name: str, page: Path, *, sampled: int | None) -> list[str]:
    """What readers did with a damaged file other than to answer or to refuse it in a line."""
    file, found = run / name, []
    whole = file.read_text()
    before = files(run)
    every = list(damages(whole, name))
    step = 1 if sampled is None else max(len(every) // sampled, 1)
    try:
        for text, what in every[::step]:
            file.write_text(text)
            for read in readers(run, page):
                try:
                    read()
                except ArchwrightError as error:
                    if "\n" in str(error):
                        found.append(f"{name} {what}: two lines: {error}")
                except Exception as error:  # what is looked for
                    place = traceback.extract_tb(error.__traceback__)[-1]
                    found.append(f"{name} {what}: {error!r} at {place.filename}:{place.lineno}")
    finally:
        file.write_text(whole)
    assert files(run) == before
    return found


@pytest.mark.parametrize("name", NAMES)
def test_damaged_values_are_one_line(run: Path, tmp_path: Path, name: str) -> None:
    found = unexpected(run, name, tmp_path / "page.html", sampled=SAMPLED)
    assert not found, "\n".join(found)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_every_damaged_value_is_one_line(run: Path, tmp_path: Path, name: str) -> None:
    found = unexpected(run, name, tmp_path / "page.html", sampled=None)
    assert not found, "\n".join(found)


DEEP, LONG = "[" * 100_000, '{"schema": ' + "9" * 5000 + "}"


@given(content=st.binary(max_size=60) | st.text(max_size=60).map(lambda text: text.encode()))
@example(content=DEEP.encode())
@example(content=LONG.encode())
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_bytes_that_no_run_wrote(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "config.json").write_bytes(content)
    with pytest.raises(RunError, match=r"config\.json is (damaged|of another version)"):
        read_config(tmp_path)
    (tmp_path / "architecture.json").write_bytes(content)
    with pytest.raises(GenotypeError):
        read_architecture(str(tmp_path / "architecture.json"))
    log = tmp_path / "log.jsonl"
    log.write_bytes(b"{" + content.replace(b"\n", b"") + b"\n")
    with pytest.raises(RunError, match=r"log\.jsonl is damaged: line 1 is no record"):
        RunLog(log).records()
    with pytest.raises(RunError, match=r"network\.json is damaged: it is no JSON|holds no network"):
        network_from_text(content, "network.json")
    for name in ("config.json", "architecture.json", "log.jsonl"):
        (tmp_path / name).unlink()


@given(
    text=st.text(alphabet="|~+:;=()[]{},'0123 nor_convGenotypeskip\x00é", max_size=60)
    | st.sampled_from([CELL, "darts-v2", "Genotype(normal=[], normal_concat=range(2, 6))"]).flatmap(
        lambda text: st.tuples(st.just(text), st.integers(0, len(text)), st.characters()).map(
            lambda cut: cut[0][: cut[1]] + cut[2] + cut[0][cut[1] + 1 :]
        )
    )
)
@example(text="Genotype(" + "(" * 10_000)
@example(text="Genotype(normal=" + "-" * 100_000 + "1)")
@example(text="nasbench201:" + "|" * 5000)
@settings(max_examples=60)
def test_a_damaged_architecture_text_is_one_line(text: str) -> None:
    try:
        read_architecture(text)
    except (GenotypeError, ConfigError) as error:
        line = str(error)
    else:
        line = ""
    assert "\n" in text or "\n" not in line


HEADER = "operation,input,output,latency_ms"


def latencies(path: Path) -> CostModel:
    return read_latency(DecisionTable(get_space("nasbench201"), Size(channels=4, cells=1)), path)


@given(
    content=st.binary(max_size=80)
    | st.lists(st.text(alphabet='0123456789.,-enaif"\n\r\tx;\x00', max_size=40), max_size=4).map(
        lambda rows: "\n".join([HEADER, *rows]).encode()
    )
)
@example(content=b"PAR1")
@example(content=b"PAR1" + b"\x00" * 40 + b"PAR1")
@example(content=("operation\n" + "x" * 200_000).encode())
@example(content=b'a,b\n"')
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_damaged_latency_table_is_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "table.csv"
    path.write_bytes(content)
    with pytest.raises(ConfigError) as raised:
        latencies(path)
    assert str(path) in str(raised.value)
    assert "\n" not in str(raised.value)
    assert files(tmp_path) == ["table.csv"]
