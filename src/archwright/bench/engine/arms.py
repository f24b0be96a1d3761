"""Arms of a comparison of searches: methods, each with and without simplification."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, cast, get_args

from archwright.errors import ConfigError, unknown
from archwright.graph.passes.simplification.settings import simplification
from archwright.nas.methods import METHODS
from archwright.nas.presets import preset_options

Lowering = Literal["fused", "naive"]
BASELINES = ("random-ws", "random")
"""Methods that learn no alpha; none of the others is shown without them."""
RANDOM = "random"
"""The baseline that trains no supernet."""
_MOST = 10_000
"""Seeds that one range may hold."""


@dataclass(frozen=True, kw_only=True)
class Arm:
    """Arm of a comparison: a method with its preset, on a supernet lowered in one way."""

    method: str
    preset: str
    simplify: str
    lowering: Lowering

    def title(self, preset: str) -> str:
        """Return the method, with its preset if that is another than `preset`, the usual one."""
        return self.method if self.preset == preset else f"{self.method}/{self.preset}"

    @property
    def supernet(self) -> str:
        """Return the simplification, and the lowering if it is not the usual one."""
        usual = self.lowering == _usual(self.simplify)
        return self.simplify if usual else f"{self.simplify}/{self.lowering}"


def parse_arms(methods: str, simplify: str, preset: str, *, baselines: bool) -> tuple[Arm, ...]:
    """Parse the arms that `--methods` and `--simplify` name, both lists separated by commas.

    A method may name a preset of its own (`beta-darts/doubled`), a simplification its lowering
    (`none/fused`). Without one, `none` is lowered as it is written, which is how supernets are
    commonly built, and anything else is fused. `random` trains no supernet and takes part once; it
    is added where it is not named, and with `baselines` so is `random-ws`.

    Raises:
        ConfigError: a method, a preset, a simplification or a lowering is unknown.
    """
    chosen = [_method(item, preset) for item in methods.split(",")]
    named = {method for method, _ in chosen}
    added = [RANDOM, *(BASELINES if baselines else ())]
    chosen += [(method, preset) for method in dict.fromkeys(added) if method not in named]
    rows = [parse_simplify(item) for item in simplify.split(",")]
    found: dict[Arm, None] = {}
    for method, own in chosen:
        _ = preset_options(own, method)  # is there such a preset?
        for stages, how in rows if method != RANDOM else [("none", None)]:
            lowering: Lowering = how or _usual(stages)
            one = Arm(method=method, preset=own, simplify=stages, lowering=lowering)
            found[one] = None
    return tuple(found)


def parse_seeds(text: str) -> tuple[int, ...]:
    """Parse the seeds of a list such as `0-4` or `0,2,100-104`.

    Raises:
        ConfigError: it is no such list, or a seed is out of range.
    """
    found: dict[int, None] = {}
    for item in text.split(","):
        first, dash, last = item.strip().partition("-")
        if not first.isdecimal() or (dash and not last.isdecimal()):
            raise ConfigError(f"--seeds {text}: give numbers and ranges, such as 0-4 or 0,2,5-7")
        low, high = int(first), int(last or first)
        if not low <= high < 2**32:
            raise ConfigError(f"--seeds {item}: a range rises, and ends below 2^32")
        if high - low >= _MOST:
            raise ConfigError(f"--seeds {item} are more than {_MOST:,}")
        found.update(dict.fromkeys(range(low, high + 1)))
    return tuple(found)


def write_seeds(seeds: Iterable[int]) -> str:
    """Invert `parse_seeds`, with ranges where seeds follow each other."""
    runs: list[list[int]] = []
    for seed in sorted(set(seeds)):
        if runs and seed == runs[-1][-1] + 1:
            runs[-1].append(seed)
        else:
            runs.append([seed])
    return ",".join(f"{run[0]}-{run[-1]}" if len(run) > 1 else str(run[0]) for run in runs)


def _method(item: str, preset: str) -> tuple[str, str]:
    name, _, own = item.strip().partition("/")
    if name not in METHODS:
        raise ConfigError(unknown("method", name, METHODS))
    return name, own or preset


def _usual(simplify: str) -> Lowering:
    return "naive" if simplify == "none" else "fused"


def parse_simplify(item: str) -> tuple[str, Lowering | None]:
    """Parse one item of `--simplify`: its simplification, and its lowering if it names one.

    Raises:
        ConfigError: either is unknown.
    """
    stages, slash, own = item.strip().partition("/")
    if slash and own not in get_args(Lowering):
        raise ConfigError(f"--simplify {item}: {unknown('lowering', own, get_args(Lowering))}")
    return str(simplification(stages)), cast("Lowering", own) if slash else None
