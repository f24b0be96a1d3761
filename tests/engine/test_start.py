"""What a run writes down about itself when it starts."""

from pathlib import Path
from typing import Any

import pytest

from archwright import data
from archwright.engine.runs.folder import read_config
from archwright.nas.loop.search import search
from archwright.training.run import train

from .helpers import tiny_search, tiny_training


@pytest.mark.parametrize(("run", "make"), [(search, tiny_search), (train, tiny_training)])
def test_a_run_says_what_its_network_takes_and_tells_apart(
    tmp_path: Path, run: Any, make: Any
) -> None:
    out = tmp_path / "out"
    done = run(make(out, epochs=1))
    config = read_config(out)
    images = data.load("digits", limit=config["limit"])
    assert config["classes"] == [str(digit) for digit in range(10)]
    assert (config["image_size"], config["image_channels"]) == (8, 1)
    assert config["mean"] == pytest.approx(images.mean, abs=1e-7)
    assert config["std"] == pytest.approx(images.std, abs=1e-7)
    assert config["data_title"] == "scikit-learn digits"
    assert (config["background"], config["white_level"]) == ("white", 65535)
    assert config["command"] is None  # no command line asked for it
    # a size that is given as it was resolved, and another command, are the same run
    assert run(make(out, epochs=1, resume=True)) == done
    assert run(make(out, epochs=1, resume=True, image_size=8, command="again")) == done
    assert read_config(out) == config
