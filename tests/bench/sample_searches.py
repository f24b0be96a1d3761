"""Sample results of searches, for tests."""

from typing import Any

from archwright.bench.engine.arms import Arm, parse_arms
from archwright.bench.nasbench201.config import Nasbench201Config
from archwright.bench.nasbench201.searches import Search, Searches


def _cell(*operations: str) -> str:
    a, b, c, d, e, f = operations
    return f"|{a}~0|+|{b}~0|{c}~1|+|{d}~0|{e}~1|{f}~2|"


CONV3 = _cell(*["nor_conv_3x3"] * 3, "skip_connect", *["nor_conv_3x3"] * 2)
CONV1 = _cell(*["nor_conv_1x1"] * 6)
SKIP = _cell(*["skip_connect"] * 6)


def arm(text: str) -> Arm:
    """`darts all`, `beta-darts/doubled none/fused`."""
    method, simplify = text.split()
    named = method.partition("/")[0]
    found = parse_arms(method, simplify, "proxy", baselines=False)
    return next(one for one in found if one.method == named)


def search(who: str, seed: int, architecture: str = CONV3, **fields: Any) -> Search:
    """A search that took a second and a megabyte, unless `fields` say something else."""
    usual: dict[str, Any] = {
        "seconds": 1.0,
        "cpu_seconds": 2.0,
        "saved_bytes": None if who.startswith("random ") else 1_000_000,
        "peak_bytes": None,
        "options": {},
        "settings_hash": "0" * 16,
        "weights": None,
        "images": "invented",
    }
    return Search(arm=arm(who), seed=seed, architecture=architecture, **{**usual, **fields})


def results(*found: Search, **settings: Any) -> Searches:
    """A file of them."""
    config = Nasbench201Config(data="digits", **settings)
    return Searches(
        command=Nasbench201Config.command(config.settings(), found) if found else "",
        settings=config.settings(),
        versions={"torch": "2"},
        hardware="a machine",
        threads=2,
        searches=found,
    )
