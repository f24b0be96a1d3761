"""The contract of a search method, over the registry; and methods of other packages."""

import importlib
import os
import re
import subprocess
import sys
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import pytest
from torch import Tensor

from archwright.cli import main
from archwright.cli.commands.search import command, method_flags
from archwright.cli.flags import METHOD, flags_of
from archwright.engine.runs.folder import read_config
from archwright.errors import ConfigError
from archwright.lowering import Mixture
from archwright.nas import methods as registry
from archwright.nas.config import SearchConfig
from archwright.nas.method import Method, Progress
from archwright.nas.methods import METHODS, get_method, options_of, register_method
from archwright.nas.methods.darts import Darts

DIGITS = (
    *("--data", "digits", "--limit", "64", "--epochs", "1", "--cells", "1", "--channels", "4"),
    *("--batch-size", "16", "--device", "cpu", "--no-watch"),
)

TOY = '''
"""DARTS with a softmax that is sharper."""

from dataclasses import dataclass

from archwright.engine.options import require_positive
from archwright.lowering import Mixture
from archwright.nas.method import option
from archwright.nas.methods.darts import Darts


@dataclass(frozen=True, kw_only=True)
class Sharp(Darts):
    sharpness: float = option(2.0, require_positive)
    """Factor of the logits."""

    def mixture(self, logits, progress):
        return Mixture.from_logits(self.sharpness * logits)
'''


@pytest.fixture
def empty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget after the test what it registers."""
    monkeypatch.setattr(METHODS, "_registered", {})


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A folder with a package that brings a method along, as pip would install it."""
    folder = tmp_path / "site"
    (folder / "sharp-1.0.dist-info").mkdir(parents=True)
    (folder / "sharp.py").write_text(TOY)
    (folder / "sharp-1.0.dist-info" / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: sharp\nVersion: 1.0\n"
    )
    (folder / "sharp-1.0.dist-info" / "entry_points.txt").write_text(
        f"[{registry.GROUP}]\nsharp = sharp:Sharp\n"
    )
    return folder


def archwright(site: Path, *words: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(site), *sys.path])
    return subprocess.run(
        [sys.executable, "-m", "archwright", *words],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("name", METHODS)
def test_a_method_keeps_its_contract(name: str) -> None:
    method = get_method(name)
    assert isinstance(method, METHODS[name])
    assert options_of(name).isdisjoint(f.name for f in fields(SearchConfig))
    SearchConfig(out=Path("out"), method=name, options=dict.fromkeys(options_of(name)))
    assert set(method.unpruned) <= options_of(name)
    assert not get_method(name, **method.unpruned).progressive_shrinking
    for space in ("nasbench201", "darts"):
        assert method.recipe(space).epochs > 0
    for preset, settings in method.presets.items():
        known = options_of(name) | {f.name for f in fields(SearchConfig)}
        assert set(settings) <= known, preset


def test_every_option_of_a_method_is_a_flag_of_one_type_and_text() -> None:
    flags = {flag.name: flag for flag in flags_of(command) if flag.section == METHOD}
    assert set(flags) == {option for name in METHODS for option in options_of(name)}
    assert all(flag.text and flag.default is None for flag in flags.values())
    assert flags["tau"].hint == "(default: gdas 10.0, snas 1.0, diffgraph 1.0)"
    assert flags["encoder"].hint == "(default: diffgraph off)"


def test_listing_methods_and_their_options_imports_no_pytorch() -> None:
    code = (
        "import sys; from archwright.nas.methods import METHODS, options_of; "
        "print(sorted(map(len, map(options_of, METHODS))), 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == f"{sorted(map(len, map(options_of, METHODS)))} False\n"


def test_a_method_of_a_package_searches_with_its_own_flag(package: Path, tmp_path: Path) -> None:
    found = archwright(
        package,
        *("search", *DIGITS, "--method", "sharp", "--sharpness", "3", "--out", str(tmp_path / "a")),
    )
    assert found.returncode == 0, found.stderr
    settings = read_config(tmp_path / "a")
    assert (settings["method"], settings["sharpness"]) == ("sharp", 3.0)
    assert (tmp_path / "a" / "architecture.json").exists()
    text = " ".join(archwright(package, "search", "--help").stdout.split())
    assert "random, sharp." in text
    assert "--sharpness X Factor of the logits. (default: sharp 2.0)" in text
    refused = archwright(package, "search", "--sharpness", "0", "--method", "sharp", "--out", "x")
    assert (refused.returncode, refused.stderr) == (
        2,
        "archwright: error: --sharpness must be above 0, got 0.0\n",
    )


def test_a_registered_method_searches_with_its_own_flag(
    empty: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    seen: list[float] = []

    @register_method("flat")
    @dataclass(frozen=True, kw_only=True)
    class Flat(Darts):
        flatness: float = 1.0

        def mixture(self, logits: Tensor, progress: Progress) -> Mixture:
            seen.append(self.flatness)
            return Mixture.from_logits(logits / self.flatness)

    assert list(METHODS)[-1] == "flat"
    words = ["search", *DIGITS, "--method", "flat", "--flatness", "4", "--out", str(tmp_path / "a")]
    assert main(words) == 0, capsys.readouterr().err
    assert set(seen) == {4.0}
    assert read_config(tmp_path / "a")["flatness"] == 4.0
    assert register_method("flat")(Flat) is Flat  # as when a notebook's cell runs again


def test_an_option_of_another_method_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["search", *DIGITS, "--tau", "1", "--out", str(tmp_path / "a")]) == 1
    line = "archwright: error: --tau is no option of darts, but of gdas, snas, diffgraph\n"
    assert capsys.readouterr().err == line
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"method": "gdas", "tau": -1.0}, "--tau must be above 0, got -1.0"),
        ({"method": "diffgraph", "draws": 0}, "--draws must be above 0, got 0"),
        ({"method": "beta-darts", "beta_decay": -1.0}, "--beta-decay must not be negative, got"),
        ({"method": "darts-2nd", "unroll": "exct"}, "unknown unroll 'exct': did you mean 'exact'?"),
    ],
)
def test_an_option_is_checked_when_it_is_given(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=f"^{re.escape(message)}"):
        SearchConfig.from_settings(out=Path("out"), **settings)
    method = settings.pop("method")
    with pytest.raises(ConfigError, match=f"^{re.escape(message)}"):
        METHODS[method](**settings)


def test_an_option_of_no_method_is_refused() -> None:
    with pytest.raises(
        ConfigError, match=r"^--colour is no option of darts, nor of any other meth"
    ):
        get_method("darts", colour="red")


def test_flat_settings_are_those_of_the_run_folder() -> None:
    config = SearchConfig.from_settings(out=Path("out"), method="gdas", tau=3.0, tau_min=None)
    assert config == SearchConfig(out=Path("out"), method="gdas", options={"tau": 3.0})
    assert hash(config) == hash(SearchConfig(out=Path("out"), method="gdas"))
    assert config.settings()["tau"] == 3.0
    assert "options" not in config.settings()
    changed = config.with_settings(tau_min=1.0, epochs=2)
    assert (changed.options, changed.epochs) == ({"tau": 3.0, "tau_min": 1.0}, 2)
    assert changed.with_settings(tau=None).options == {"tau_min": 1.0}


@pytest.mark.parametrize("name", ["darts", "gdas"])
def test_a_name_that_is_taken_is_refused(empty: None, name: str) -> None:
    with pytest.raises(ConfigError, match=f"^there is a method '{name}' already: register another"):
        register_method(name)(Darts)


def test_a_class_that_is_no_method_is_refused(empty: None) -> None:
    message = "^method 'x' is .*: it must be a dataclass derived from archwright.nas.method.Method$"
    with pytest.raises(ConfigError, match=message):
        register_method("x")(dict)  # type: ignore[type-var]


def test_an_option_needs_a_default(empty: None) -> None:
    @dataclass(frozen=True, kw_only=True)
    class Bare(Darts):
        width: int

    with pytest.raises(ConfigError, match=r"^method 'bare': its option width needs a default$"):
        register_method("bare")(Bare)


def test_an_option_has_a_name_of_its_own_and_one_type(empty: None) -> None:
    @dataclass(frozen=True, kw_only=True)
    class Greedy(Darts):
        lr: float = 1.0

    register_method("greedy")(Greedy)
    message = "^method 'greedy': its option lr has the name of a setting of every search: rename it"
    with pytest.raises(ConfigError, match=message):
        method_flags()
    with pytest.raises(ConfigError, match=message):
        SearchConfig(out=Path("out"), method="greedy")


def test_a_method_that_was_typed_in_has_flags_without_text(empty: None) -> None:
    typed: dict[str, Any] = {"__name__": "typed"}
    exec(TOY, typed)
    register_method("typed")(typed["Sharp"])
    (flag,) = (flag for flag in method_flags() if flag.name == "sharpness")
    assert (flag.text, flag.hint) == ("", "(default: typed 2.0)")


def test_methods_share_options_of_one_type(empty: None) -> None:
    @dataclass(frozen=True, kw_only=True)
    class Whole(Darts):
        tau: int = 1

    register_method("whole")(Whole)
    with pytest.raises(ConfigError, match=r"^method 'whole': its option tau has another type than"):
        method_flags()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "import no_such_module",
            r"^sharp:Sharp cannot be loaded \(ModuleNotFoundError: No module named",
        ),
        (
            "Sharp = 3",
            r"^method 'sharp' is 3: it must be a dataclass derived from archwright.nas.method.Meth",
        ),
    ],
)
def test_a_package_that_is_broken_is_named(
    package: Path, monkeypatch: pytest.MonkeyPatch, text: str, message: str
) -> None:
    (package / "sharp.py").write_text(text)
    monkeypatch.syspath_prepend(package)
    monkeypatch.delitem(sys.modules, "sharp", raising=False)
    groups = {registry.GROUP: {"sharp": "sharp:Sharp"}}
    monkeypatch.setattr("archwright.io.plugins.plugins", groups.__getitem__)
    importlib.invalidate_caches()
    assert "sharp" in METHODS
    with pytest.raises(ConfigError, match=message):
        _ = METHODS["sharp"]
    sys.modules.pop("sharp", None)


def test_the_base_class_needs_a_recipe_and_a_mixture() -> None:
    with pytest.raises(TypeError, match="abstract method"):
        Method()  # type: ignore[abstract]
