"""The drawing of a network that is a chain of blocks."""

import json
import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from archwright.engine.networks.network_file import save_graph, write_graph
from archwright.engine.runs.folder import RunFolder
from archwright.errors import RunError
from archwright.graph import Architecture
from archwright.report import write_report
from archwright.spaces import Size, get_space, read_architecture
from archwright.spaces.discretise import random_architecture

from . import samples

MACRO = (
    "nasbench-macro:block0=|mb6_5x5~0|;block1=|identity~0|;block2=|mb3_3x3~0|;block3=|mb3_3x3~0|"
)


def trained(folder: Path, name: str, size: Size, architecture: Architecture) -> Path:
    """A training of a network of the space `name`."""
    run = samples.write_run(folder, samples.config("train", name), [samples.start("train")], None)
    network = get_space(name).discrete(architecture, size)
    save_graph(RunFolder(run), architecture, network)
    return run


@pytest.fixture
def macro(tmp_path: Path) -> Path:
    """A training of four blocks on images of 16 pixels."""
    size = Size(channels=8, cells=4, image_size=16)
    return trained(tmp_path / "run", "nasbench-macro", size, read_architecture(MACRO))


def strip(run: Path) -> str:
    (found,) = re.findall(r'<svg[^>]*class="cell strip".*?</svg>', write_report([run]).read_text())
    return found


def test_each_step_stands_with_its_expression_and_its_shape(macro: Path) -> None:
    svg = ElementTree.fromstring(strip(macro))
    boxes = [g for g in svg.iter("g") if str(g.get("class")).startswith("block")]
    assert [[text.text for text in box.iter("text")] for box in boxes] == [
        ["stem", "conv3 · bn · relu", "8 ch, 16x16"],
        ["0", "mb6 5x5 s2", "16 ch, 8x8"],
        ["1", "identity s2", "32 ch, 4x4"],
        ["2", "mb3 3x3", "32 ch, 4x4"],
        ["3", "mb3 3x3 s2", "64 ch, 2x2"],
        ["head", "pw · bn · relu · gap · linear", "10 ch, 1x1"],
    ]
    told = boxes[1].findtext("title") or ""
    assert re.fullmatch(
        r"block0: mb6 5x5 s2, 16 ch, 8x8; [\d,]+ parameters, [\d,]+ multiply-accumulates", told
    )


def test_the_drawing_is_read_aloud_step_by_step(macro: Path) -> None:
    svg = ElementTree.fromstring(strip(macro))
    assert svg.get("role") == "img"
    assert "stem: conv3 · bn · relu, 8 ch, 16x16; block0: mb6 5x5 s2, 16 ch, 8x8; " in (
        svg.findtext("title") or ""
    )


def test_a_stage_is_a_row(macro: Path) -> None:
    svg = ElementTree.fromstring(strip(macro))
    tops = [box.get("y") for box in svg.iter("rect") if box.get("class") is None]
    assert len(tops) == 6
    assert len(set(tops)) == 5
    assert tops[2] == tops[3]  # two blocks of one shape


def test_twenty_blocks_stay_small_and_apart(tmp_path: Path) -> None:
    size = Size(channels=64, cells=20, image_size=224)
    architecture = random_architecture(get_space("spos"), size, np.random.default_rng(0))
    found = strip(trained(tmp_path / "run", "spos", size, architecture))
    assert len(found) < 20_000
    svg = ElementTree.fromstring(found)
    assert float(svg.get("width", "")) <= 1082
    boxes = [
        [float(box.get(key, "")) for key in ("x", "y", "width", "height")]
        for box in svg.iter("rect")
        if box.get("class") is None
    ]
    assert len(boxes) == 22
    for i, (x0, y0, w0, h0) in enumerate(boxes):
        for x1, y1, w1, h1 in boxes[:i]:
            assert x0 + w0 <= x1 or x1 + w1 <= x0 or y0 + h0 <= y1 or y1 + h1 <= y0


def test_a_network_of_repeated_cells_is_drawn_as_its_cell(tmp_path: Path) -> None:
    run = samples.training(tmp_path / "run")
    text = samples.NB201_TEXT
    network = get_space("nasbench201").discrete(read_architecture(text), Size(channels=4, cells=1))
    write_graph(run / "network.json", network)
    html = write_report([run]).read_text()
    assert 'class="cell"' in html
    assert "strip" not in html.split("</style>")[1]


def test_a_damaged_network_is_one_line(macro: Path) -> None:
    path = macro / "network.json"
    content = json.loads(path.read_text())
    content["steps"] = []
    path.write_text(json.dumps(content))
    with pytest.raises(RunError, match=r"network\.json") as caught:
        write_report([macro])
    assert "\n" not in str(caught.value)
