"""A command line that cannot be understood: code 2, and one line that names what to change."""

from pathlib import Path

import pytest

from archwright.cli.command import Command, UsageError
from archwright.cli.commands.bench import command as bench
from archwright.cli.commands.lookup import command as lookup
from archwright.cli.commands.report import command as report
from archwright.cli.commands.search import command as search
from archwright.cli.flags import flags_of
from archwright.cli.main import COMMANDS
from archwright.cli.parse import parse
from archwright.cli.usage_errors import CONVERTERS
from archwright.engine.options import choices

from .test_help import commands

KNOWN = ", ".join(COMMANDS)
BENCHES = ", ".join(bench.parts)
SEARCH = ("search", "--out", "runs/x")
TRAIN = ("train", "--out", "runs/x", "--architecture", "darts-v2")


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ((), f"give a command: {KNOWN}; or --help"),
        (
            ("serch", "--out", "x"),
            "unknown command 'serch': did you mean 'search'? "
            f"known are {', '.join(sorted(COMMANDS))}",
        ),
        (
            ("--json", "lookup", "x"),
            f"--json must stand behind a command: {KNOWN}",
        ),
        ((*SEARCH, "--epoch", "3"), "search has no flag --epoch: did you mean --epochs?"),
        (
            (*SEARCH, "--bacth-size=3"),
            "search has no flag --bacth-size: did you mean --batch-size?",
        ),
        ((*SEARCH, "--xyzzy"), "search has no flag --xyzzy: see archwright search --help"),
        ((*SEARCH, "-q"), "search has no flag -q: see archwright search --help"),
        ((*SEARCH, "--no-resume"), "search has no flag --no-resume: did you mean --resume?"),
        (("search",), "search needs --out PATH"),
        (("train",), "train needs --out PATH and --architecture TEXT"),
        (("train", "--out", "x"), "train needs --architecture TEXT"),
        (("lookup",), "lookup needs ARCH"),
        (("lookup", "--json"), "lookup needs ARCH"),
        ((*SEARCH, "--epochs", "x"), "--epochs needs a whole number, got 'x'"),
        ((*SEARCH, "--epochs=1.5"), "--epochs needs a whole number, got '1.5'"),
        ((*SEARCH, "--batch_size", "x"), "--batch-size needs a whole number, got 'x'"),
        ((*SEARCH, "--seed", "None"), "--seed needs a whole number, got 'None'"),
        ((*SEARCH, "--lr", "fast"), "--lr needs a number, got 'fast'"),
        ((*SEARCH, "--epochs"), "--epochs needs a whole number, got nothing"),
        ((*SEARCH, "--data", "--epochs", "3"), "--data needs a value, got nothing"),
        ((*SEARCH, "--alpha-betas", "1"), "--alpha-betas needs 2 values, each a number, got '1'"),
        (
            (*SEARCH, "--alpha-betas", "0.5", "x"),
            "--alpha-betas needs 2 values, each a number, got 'x'",
        ),
        (
            (*SEARCH, "--precision", "bf16"),
            "--precision knows no 'bf16': did you mean 'bf16-mixed'? give 32-true or bf16-mixed",
        ),
        ((*SEARCH, "--precision"), "--precision needs 32-true or bf16-mixed, got nothing"),
        (
            (*TRAIN, "--against", "random", "hand-mad"),
            "--against knows no 'hand-mad': did you mean 'hand-made'? give hand-made or random",
        ),
        ((*TRAIN, "--against"), "--against needs hand-made or random, got nothing"),
        (
            (*TRAIN, "--against", "--epochs", "3"),
            "--against needs hand-made or random, got nothing",
        ),
        ((*SEARCH, "--nesterov=yes"), "--nesterov takes no value, got 'yes'"),
        ((*SEARCH, "y"), "unexpected argument 'y': the command takes flags only"),
        ((*SEARCH, "--resume", "y"), "unexpected argument 'y': the command takes flags only"),
        (("lookup", "a", "b"), "unexpected argument 'b': the command takes one ARCH"),
        (("bench",), f"bench needs a name behind it: {BENCHES}"),
        (("bench", "--json"), f"bench needs a name behind it: {BENCHES}"),
        (
            ("bench", "supernt"),
            "unknown bench 'supernt': did you mean 'supernet'? "
            f"known are {', '.join(sorted(bench.parts))}",
        ),
        (
            ("bench", "supernet", "--spac=darts"),
            "bench supernet has no flag --spac: did you mean --space?",
        ),
        (
            ("bench", "supernet", "darts"),
            "unexpected argument 'darts': the command takes flags only",
        ),
        # what a configuration refuses
        ((*SEARCH, "--epochs", "0"), "--epochs must be above 0, got 0"),
        ((*SEARCH, "--seed", "-1"), "--seed must be 0 to 2^32 - 1, got -1"),
        ((*SEARCH, "--lr=-0.1"), "--lr must be above 0, got -0.1"),
        ((*TRAIN, "--against", "random", "random"), "--against names a network twice"),
        (("report",), "report needs RUN ..."),
        (("report", "x", "--out", "."), "--out . is a folder: name a file"),
        (
            ("inspect",),
            "inspect needs a run, --architecture TEXT, or --space TEXT for a supernet",
        ),
        (("inspect", "--space", "darts", "--cells", "0"), "--cells must be above 0, got 0"),
    ],
)
def test_it_is_one_line(call, words: tuple[str, ...], line: str) -> None:
    done = call(*words)
    assert done.err == f"archwright: error: {line}\n"
    assert done.out == ""
    assert done.code == 2


def test_the_last_of_a_flag_counts_and_words_after_two_dashes_are_none() -> None:
    config = parse(
        search, ["--out=x", "--epochs", "3", "--epochs=4", "--nesterov", "--no-nesterov"]
    )
    assert (config.config.epochs, config.config.nesterov) == (4, False)
    assert parse(lookup, ["--json", "--", "--odd name"]).config.arch == "--odd name"


def test_values_are_of_the_type_of_their_flag() -> None:
    words = ["--out", "a b", "--alpha-betas", "0.5", "-.5e0", "--data_root=x=y", "--seed", "7"]
    with pytest.raises(UsageError, match=r"^--alpha-betas must be at least 0 and below 1, got -0"):
        parse(search, words)
    config = parse(search, [word.replace("-.5e0", ".25") for word in words]).config
    assert (config.out, config.data_root) == (Path("a b"), Path("x=y"))
    assert (config.alpha_betas, config.seed, config.epochs) == ((0.5, 0.25), 7, None)
    assert (
        config.command
        == "archwright search --out 'a b' --alpha-betas 0.5 .25 --data_root=x=y --seed 7"
    )
    found = parse(report, ["a", "b", "--json"])
    assert (found.config.runs, found.output.json) == ((Path("a"), Path("b")), True)


@pytest.mark.parametrize("command", list(commands()), ids=lambda command: command.name)
def test_the_type_of_every_flag_can_be_read(command: Command) -> None:
    for flag in flags_of(command):
        for kind in flag.values:
            assert kind in CONVERTERS or choices(kind), flag.name
