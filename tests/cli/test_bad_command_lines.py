"""A command line that cannot be understood: code 2, and one line that names what to change."""

import pytest

from archwright.cli.bench import command as bench
from archwright.cli.main import COMMANDS

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
        (("report",), "report needs RUN ...: one or more run folders"),
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


def test_what_cannot_be_explained_is_still_one_line(call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("archwright.cli.parse.complaint", lambda command, flags, words: "")
    done = call(*SEARCH, "--epochs", "x")
    assert done.code == 2
    assert done.err.count("\n") == 1
    assert done.err.startswith("archwright: error: Value error Error parsing --epochs: ")
