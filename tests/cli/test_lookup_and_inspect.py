"""Questions that train nothing: `lookup` and `inspect`."""

import json
import re
from pathlib import Path

import pytest

from archwright.cost import graph_cost
from archwright.graph import Architecture
from archwright.graph.serial import network_to_text
from archwright.spaces import SPACES, Size, get_space, read_architecture, write_architecture
from archwright.tables.nasbench201 import decode, lookup

BEST = (
    "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|"
    "+|skip_connect~0|nor_conv_3x3~1|nor_conv_1x1~2|"
)
SLOW = "|none~0|+|nor_conv_3x3~0|avg_pool_3x3~1|+|nor_conv_3x3~0|avg_pool_3x3~1|nor_conv_1x1~2|"


def write(path: Path, architecture: Architecture) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(architecture.to_json()))
    return path


def test_lookup_gives_the_published_numbers(call) -> None:
    done = call("lookup", BEST, "--json")
    assert done.code == 0
    found = json.loads(done.out)
    assert (found["architecture"], found["index"]) == (BEST, 6111)
    assert found["cifar10_test"] == 94.3733
    assert (found["cifar100_test"], found["imagenet16_test"]) == (73.22, 46.7111)
    assert found["rank"] == 1
    assert found["ranks"] == {"cifar10": 1, "cifar100": 3, "imagenet16": 8}
    assert found["latency_ms"]["raspi4"] == 68.4041
    assert list(found["energy_mj"]) == ["edgegpu", "eyeriss", "fpga"]
    assert found["optimum"]["cifar10"] == {"accuracy": 94.3733, "architecture": BEST}
    assert found["optimum"]["cifar100"]["accuracy"] > 73.22


def test_lookup_shows_a_table_beside_the_optimum(call) -> None:
    done = call("lookup", f"  {BEST} ")
    assert done.err == ""
    rows = [line.split() for line in done.out.splitlines()]
    assert ["cifar10", "94.37", "94.37", "1"] in rows
    assert ["raspi4", "68.40", "–"] in rows


def test_a_latency_that_was_not_measured_is_null(call) -> None:
    done = call("lookup", SLOW, "--json")
    assert json.loads(done.out)["latency_ms"]["edgetpu"] is None
    assert ["edgetpu", "–", "–"] in [line.split() for line in done.err.splitlines()]


def test_lookup_reads_the_digits_of_nasbench_macro(call, tmp_path: Path) -> None:
    path = tmp_path / "architecture.json"
    path.write_text(json.dumps(read_architecture("22212202").to_json()))
    for given in ("22212202", str(path)):
        answer = json.loads(call("lookup", given, "--json").out)
        assert (answer["architecture"], answer["rank"]) == ("22212202", 1)
        assert answer["cifar10_test"] == pytest.approx(93.13, abs=0.01)
    assert "387,882 parameters, 7,713,280 MACs" in call("lookup", "00000000").out


def test_lookup_reads_files_and_run_folders(call, tmp_path: Path) -> None:
    file = write(tmp_path / "run" / "architecture.json", read_architecture(BEST))
    for given in (file, file.parent):
        assert json.loads(call("lookup", given, "--json").out)["architecture"] == BEST


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ("02012130", "not a NAS-Bench-Macro architecture: column 7 reads '3', expected 0, 1 or 2"),
        (
            "darts-v2",
            "darts-v2 is of space darts: there are tables of nasbench201 and nasbench-macro",
        ),
        (
            BEST[1:],
            "not a NAS-Bench-201 architecture: column 1 reads 'nor_conv_3x3~0|+|nor_con...', "
            "expected '|'",
        ),
        ("runs/none", "no architecture at runs/none: give a file, a run folder, or a string"),
        (
            "darts-v2 without cell0:2",
            "darts-v2 without cell0:2 is pruned, and the table has whole cells only: archwright "
            "inspect --architecture 'darts-v2 without cell0:2' says what it costs",
        ),
        (
            f"{BEST} without cell0:2",
            f"{BEST} without cell0:2 is pruned, and the table has whole cells only: archwright "
            f"inspect --architecture '{BEST} without cell0:2' says what it costs",
        ),
    ],
)
def test_lookup_says_what_is_no_architecture_of_the_table(call, given: str, line: str) -> None:
    done = call("lookup", given)
    assert (done.code, done.out, done.err) == (1, "", f"archwright: error: {line}\n")


def test_inspect_gives_the_published_size_of_darts(call) -> None:
    done = call("inspect", "--architecture", "darts-v2", "--json")
    found = json.loads(done.out)
    assert (found["space"], found["channels"], found["cells"]) == ("darts", 36, 20)
    assert (found["params"], found["macs"]) == (3349342, 528359040)
    assert (found["live_params"], found["live_macs"]) == (3349342, 528359040)
    assert found["activation_bytes"] > 50e6
    assert found["architecture"].startswith("Genotype(normal=")
    assert len(found["architecture"]) > 400


def test_inspect_counts_edges_that_reach_nothing_apart(call) -> None:
    lost = "|nor_conv_3x3~0|+|nor_conv_3x3~0|none~1|+|none~0|none~1|nor_conv_1x1~2|"
    size = ("--channels", 4, "--cells", 1, "--classes", 7, "--image-size", 8)
    done = call("inspect", "--architecture", lost, *size, "--json")
    found = json.loads(done.out)
    assert (found["classes"], found["image_size"]) == (7, 8)
    assert found["live_params"] < found["params"]
    assert found["live_macs"] < found["macs"]
    assert "edges that reach the output" in done.err


def test_inspect_counts_a_supernet(call) -> None:
    done = call("inspect", "--space", "darts", "--channels", 4, "--cells", 3, "--json")
    found = json.loads(done.out)
    assert len(found["decisions"]) == 28
    assert len(found["decisions"]["normal/0->2"]) == 8
    assert found["params"] > 0
    assert found["macs"] > 0
    assert found["activation_bytes"] > 0
    assert "architecture" not in found


def test_inspect_takes_the_size_of_a_run(call, tmp_path: Path) -> None:
    write(tmp_path / "architecture.json", read_architecture(BEST))
    (tmp_path / "config.json").write_text(json.dumps({"schema": 1, "channels": 6, "cells": 2}))
    found = json.loads(call("inspect", "--architecture", tmp_path, "--json").out)
    assert (found["channels"], found["cells"]) == (6, 2)
    found = json.loads(call("inspect", "--architecture", tmp_path, "--cells", 1, "--json").out)
    assert (found["channels"], found["cells"]) == (6, 1)
    assert found["architecture"] == write_architecture(read_architecture(BEST))


def test_inspect_says_which_space_there_is_not(call) -> None:
    done = call("inspect", "--space", "dart")
    assert done.code == 1
    assert done.err == (
        "archwright: error: unknown space 'dart': did you mean 'darts'? "
        f"known are {', '.join(sorted(SPACES))}; or give a Python file that declares one\n"
    )


def test_inspect_says_every_cost(call) -> None:
    done = call("inspect", "--architecture", BEST, "--latency-device", "edgegpu", "--json")
    found = json.loads(done.out)["costs"]
    assert found["params"] == 1073466
    assert found["size_mb"] == pytest.approx(4 * found["params"] / 1e6)
    assert 0 < found["memory_mb"] < found["training_memory_mb"]
    row = lookup(BEST)
    assert found["latency_ms"] == pytest.approx(row.latency_ms["edgegpu"])
    assert found["energy_mj"] == pytest.approx(row.energy_mj["edgegpu"])
    assert "latency: " in done.err
    assert "peak memory of features, one image: " in done.err
    without = json.loads(call("inspect", "--architecture", BEST, "--json").out)["costs"]
    assert {*without} == {*found} - {"latency_ms", "energy_mj"}


def test_inspect_counts_what_is_left_of_a_pruned_network(call) -> None:
    words = ("--channels", "8", "--cells", "8", "--image-size", "16", "--json")
    whole, pruned = (
        json.loads(call("inspect", "--architecture", f"darts-v2{rest}", *words).out)["costs"]
        for rest in ("", " without cell0:2,3 cell4:2,3,4,5")
    )
    assert list(whole) == list(pruned)
    assert all(pruned[name] < whole[name] for name in ("macs", "params", "training_memory_mb"))
    assert pruned["size_mb"] == pytest.approx(4e-6 * pruned["params"])
    assert 0 < pruned["memory_mb"] <= whole["memory_mb"]


def test_inspect_has_no_measurements_of_pruned_networks(call) -> None:
    text = f"{BEST} without cell0:2"
    done = call("inspect", "--architecture", text, "--latency-device", "raspi4", "--json")
    assert (done.code, done.out, done.err) == (
        1,
        "",
        "archwright: error: --latency-device is of whole networks, this one is pruned: leave it "
        "out; archwright export times the network itself\n",
    )


def test_inspect_says_what_was_not_measured(call) -> None:
    unmeasured = "|none~0|+|none~0|none~1|+|none~0|none~1|nor_conv_3x3~2|"
    assert lookup(unmeasured).latency_ms["edgetpu"] is None
    done = call("inspect", "--architecture", unmeasured, "--latency-device", "edgetpu", "--json")
    assert json.loads(done.out)["costs"]["latency_ms"] is None
    assert "latency: not measured\n" in done.err


@pytest.mark.parametrize("words", [("--space", "darts"), ("--architecture", BEST)])
def test_inspect_needs_an_image_that_leaves_statistics(call, words: tuple[str, ...]) -> None:
    done = call("inspect", *words, "--image-size", 1)
    assert done.code == 1
    assert re.fullmatch(
        r"archwright: error: --image-size 1 leaves the batch norm \S+ a single value of an image: "
        r"give more pixels\n",
        done.err,
    )


def test_inspect_predicts_what_a_table_lacks(call, tmp_path: Path) -> None:
    texts = [decode(code) for code in range(7, 15000, 500)]
    lines = [f"{text},{lookup(text).latency_ms['raspi4']}" for text in texts]
    path = tmp_path / "table.csv"
    path.write_text("\n".join(["architecture,latency_ms", *lines]) + "\n")
    done = call("inspect", "--architecture", BEST, "--latency-table", path, "--json")
    found = json.loads(done.out)["costs"]
    assert found["latency_ms_bound"] > found["latency_ms"] > 0
    assert "(predicted; hardly above " in done.err
    known = call("inspect", "--architecture", texts[3], "--latency-table", path, "--json")
    assert "latency_ms_bound" not in json.loads(known.out)["costs"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ("--architecture", BEST, "--latency-device", "fpga", "--latency-table", "t.csv"),
            "--latency-device and --latency-table exclude each other: give one",
        ),
        (
            ("--space", "darts", "--latency-device", "fpga"),
            "--latency-device and --latency-table are for an architecture: give --architecture",
        ),
    ],
)
def test_inspect_takes_one_source_of_latencies(call, words: tuple[str, ...], message: str) -> None:
    done = call("inspect", *words)
    assert done.code == 2
    assert message in done.err


def test_inspect_shows_a_network_step_by_step(call, tmp_path: Path) -> None:
    space, size = get_space("nasbench201"), Size(channels=4, cells=1, image_size=8)
    network = space.discrete(read_architecture(BEST), size)
    file = tmp_path / "network.json"
    file.write_text(network_to_text(network))
    facts = json.loads(call("inspect", str(file), "--json").out)
    cost, live = graph_cost(network), graph_cost(network, live=True)
    assert (facts["params"], facts["macs"]) == (cost.params, cost.macs)
    assert (facts["live_params"], facts["live_macs"]) == (live.params, live.macs)
    assert (facts["image"], facts["logits"], facts["decisions"]) == ([3, 8, 8], [10, 1, 1], {})
    steps = {step["name"]: step for step in facts["steps"]}
    assert list(steps) == [step.name for step in network.steps]
    assert sum(step["params"] for step in facts["steps"]) == cost.params
    assert sum(step["macs"] for step in facts["steps"]) == cost.macs
    assert steps["cell0"]["shape"] == [4, 8, 8]
    assert steps["cell0"]["text"].startswith("cell cell: 0->1: relu")
    done = call("inspect", str(file))
    rows = [line.split() for line in done.out.splitlines()]
    assert ["all", "10x1x1", f"{cost.params:,}", f"{cost.macs:,}"] in rows


def test_inspect_takes_a_run_alone(call, tmp_path: Path) -> None:
    done = call("inspect", str(tmp_path), "--space", "darts")
    assert (done.code, done.err) == (
        2,
        "archwright: error: --space is of no use with a run: leave one of them out\n",
    )
    done = call("inspect", str(tmp_path))
    assert "is no run folder: it has no config.json" in done.err
    done = call("inspect", str(tmp_path / "network.json"))
    assert f"no network at {tmp_path / 'network.json'}: finish the run with --resume" in done.err
