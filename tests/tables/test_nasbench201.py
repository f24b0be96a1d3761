"""The packed table says what the benchmark says, and what is not an architecture is refused."""

import importlib.util
import re
import subprocess
import sys
from dataclasses import FrozenInstanceError
from pathlib import Path
from types import ModuleType

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from archwright.errors import ConfigError, GenotypeError
from archwright.tables import columns
from archwright.tables import nasbench201 as nb

ROOT = Path(__file__).parents[2]
ALL_3X3 = (
    "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|"
    "+|nor_conv_3x3~0|nor_conv_3x3~1|nor_conv_3x3~2|"
)
NOTHING = "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|"
# The cell with index 0; its numbers below were read off the source table by hand.
MIXED = (
    "|avg_pool_3x3~0|+|nor_conv_1x1~0|skip_connect~1|"
    "+|nor_conv_1x1~0|skip_connect~1|skip_connect~2|"
)


def two_digits(entry: nb.Entry) -> tuple[float, float, float]:
    percents = (entry.cifar10_test, entry.cifar100_test, entry.imagenet16_test)
    return tuple(round(percent, 2) for percent in percents)  # type: ignore[return-value]


def test_the_cell_of_all_3x3_reads_as_published() -> None:
    assert two_digits(nb.lookup(ALL_3X3)) == (93.76, 71.11, 41.44)


@pytest.mark.parametrize(
    ("dataset", "field", "percent"),
    [
        ("cifar10", "cifar10_test", 94.37),
        ("cifar100", "cifar100_test", 73.51),
        ("imagenet16", "imagenet16_test", 47.31),
    ],
)
def test_the_optimum_reads_as_published(dataset: str, field: str, percent: float) -> None:
    best = nb.optimum(dataset)
    assert round(getattr(best, field), 2) == percent
    assert best.ranks[dataset] == 1
    assert nb.accuracy(dataset)[best.index] == getattr(best, field)


def test_every_number_of_an_entry_stands_in_its_place() -> None:
    entry = nb.lookup(MIXED)
    assert entry.arch == MIXED
    assert entry.index == 0
    assert two_digits(entry) == (85.86, 52.91, 26.63)
    twelve = (entry.cifar10_test_12, entry.cifar100_test_12, entry.imagenet16_test_12)
    assert twelve == pytest.approx((69.55, 31.26, 17.0), abs=1e-5)
    validation = (entry.cifar10_val_12, entry.cifar100_val_12, entry.imagenet16_val_12)
    assert validation == pytest.approx((63.364, 31.84, 18.466667), abs=1e-5)
    assert entry.latency_ms == entry.latencies_ms["cifar10"]
    assert entry.energy_mj == entry.energies_mj["cifar10"]
    latency = [entry.latency_ms[device] for device in nb.DEVICES]
    expected = (5.807418, 10.481977, 0.957181, 3.60585, 3.64562, 2.57296)
    assert latency == pytest.approx(expected, abs=1e-6)
    energy = [entry.energies_mj["imagenet16"][device] for device in nb.ENERGY_DEVICES]
    assert energy == pytest.approx((24.238827, 0.176771, 4.54384), abs=1e-6)


def test_an_entry_agrees_with_the_columns() -> None:
    entry = nb.lookup(ALL_3X3)
    for dataset in nb.DATASETS:
        assert getattr(entry, f"{dataset}_test") == nb.accuracy(dataset)[entry.index]
        for split in ("test", "val"):
            column = nb.accuracy(dataset, split=split, epochs=12)
            assert getattr(entry, f"{dataset}_{split}_12") == column[entry.index]
        for device in nb.DEVICES:
            column = nb.latency(device, dataset)
            assert entry.latencies_ms[dataset][device] == column[entry.index]
        for device in nb.ENERGY_DEVICES:
            column = nb.energy(device, dataset)
            assert entry.energies_mj[dataset][device] == column[entry.index]


def test_there_are_15625_different_architectures() -> None:
    archs = nb.architectures()
    assert len(archs) == len(set(archs)) == nb.SIZE == 15625
    for index in (0, 1, 7812, 15624):
        assert nb.lookup(archs[index]).index == index


@pytest.mark.parametrize("dataset", nb.DATASETS)
def test_a_missing_measurement_is_not_a_number(dataset: str) -> None:
    for device in nb.DEVICES:
        column = nb.latency(device, dataset)
        assert np.isnan(column).sum() == (4699 if device == "edgetpu" else 0)
        assert np.nanmin(column) > 0
    missing = int(np.flatnonzero(np.isnan(nb.latency("edgetpu", dataset)))[0])
    entry = nb.lookup(nb.architectures()[missing])
    assert entry.latencies_ms[dataset]["edgetpu"] is None
    assert entry.latencies_ms[dataset]["edgegpu"] is not None


def test_ranks_count_those_that_are_better_and_ties_share() -> None:
    entry, percent = nb.lookup(NOTHING), nb.accuracy("cifar10")
    equal = np.flatnonzero(percent == entry.cifar10_test)
    assert entry.cifar10_test == 10.0
    assert len(equal) > 1
    assert entry.rank == entry.ranks["cifar10"] == nb.SIZE - len(equal) + 1
    assert nb.lookup(nb.architectures()[int(equal[-1])]).rank == entry.rank
    best = np.argsort(-percent, kind="stable")
    assert percent[best[0]] == percent[best[1]] > percent[best[2]] > percent[best[3]]
    assert [nb.lookup(nb.architectures()[int(at)]).rank for at in best[:4]] == [1, 1, 3, 4]


@pytest.mark.parametrize(
    ("device", "limit_ms", "dataset"),
    [("edgegpu", 5.0, "cifar10"), ("edgetpu", 1.0, "cifar100"), ("eyeriss", 1.0, "imagenet16")],
)
def test_the_best_within_a_latency(device: str, limit_ms: float, dataset: str) -> None:
    best = nb.best_within(device, limit_ms, dataset)
    percent, delay_ms = nb.accuracy(dataset), nb.latency(device, dataset)
    assert delay_ms[best.index] <= limit_ms
    better = percent > percent[best.index]
    assert better.any()
    assert not (better & (delay_ms <= limit_ms)).any()
    as_good = (percent == percent[best.index]) & (delay_ms <= limit_ms)
    assert delay_ms[best.index] == delay_ms[as_good].min()


def test_a_limit_that_excludes_nothing_gives_the_optimum() -> None:
    assert nb.best_within("raspi4", 1e9) == nb.optimum()


def test_the_limit_itself_is_allowed() -> None:
    fastest_ms = float(nb.latency("eyeriss").min())
    assert nb.best_within("eyeriss", fastest_ms).latency_ms["eyeriss"] == fastest_ms


def test_a_limit_below_every_latency_says_what_the_fastest_takes() -> None:
    with pytest.raises(
        ConfigError,
        match=r"no architecture runs within 0.5 ms on edgegpu \(cifar10\): the fastest takes 0.50",
    ):
        nb.best_within("edgegpu", 0.5)


def test_returned_columns_are_read_only() -> None:
    for column in (nb.accuracy(), nb.latency("fpga"), nb.energy("fpga")):
        with pytest.raises(ValueError, match="read-only"):
            column[0] = 0.0
    entry = nb.lookup(ALL_3X3)
    with pytest.raises(FrozenInstanceError):
        entry.index = 3  # type: ignore[misc]
    assert hash(entry) == hash(nb.lookup(ALL_3X3))
    assert entry == nb.lookup(ALL_3X3)


def test_blanks_around_an_architecture_do_not_matter() -> None:
    assert nb.lookup(f"  {ALL_3X3}\n") == nb.lookup(ALL_3X3)


@given(st.integers(0, nb.SIZE - 1))
def test_encoding_and_decoding_agree(code: int) -> None:
    assert nb.encode(nb.decode(code)) == code


def test_the_first_operation_is_the_highest_digit() -> None:
    assert nb.encode(NOTHING) == 0
    assert nb.encode(NOTHING.replace("none~2", "skip_connect~2")) == 1
    assert nb.encode(NOTHING.replace("|none", "|avg_pool_3x3", 1)) == 4 * 5**5
    assert nb.encode(ALL_3X3) == (5**6 - 1) // 4 * 3


@pytest.mark.parametrize("code", [-1, 15625])
def test_a_number_that_is_no_cell(code: int) -> None:
    with pytest.raises(GenotypeError, match=f"has the cells 0 to 15624, there is no {code}"):
        nb.decode(code)


OPERATIONS = "one of none, skip_connect, nor_conv_1x1, nor_conv_3x3, avg_pool_3x3"


@pytest.mark.parametrize(
    ("arch", "message"),
    [
        ("", "column 1 reads the end, expected '|'"),
        ("   ", "column 1 reads the end, expected '|'"),
        ("nor_conv_3x3~0|", "column 1 reads 'nor_conv_3x3~0|', expected '|'"),
        ("|", f"column 2 reads the end, expected {OPERATIONS}"),
        ("  |conv~0|", f"column 4 reads 'conv~0|', expected {OPERATIONS}"),
        ("|nor_conv_3x3", "column 14 reads the end, expected '~0|+|'"),
        ("|nor_conv_3x3|+|", "column 14 reads '|+|', expected '~0|+|'"),
        ("|none+~0|", "column 6 reads '+~0|', expected '~0|+|'"),
        ("|none~1|+", "column 7 reads '1|+', expected '0|+|'"),
        (
            NOTHING.replace("+", "-", 1),
            "column 9 reads '-|none~0|none~1|+|none~0...', expected '+|'",
        ),
        (
            NOTHING.replace("~1", "~0"),
            "column 23 reads '0|+|none~0|none~0|none~2...', expected '1|+|'",
        ),
        (NOTHING.replace("none~2", "None~2"), f"column 41 reads 'None~2|', expected {OPERATIONS}"),
        (NOTHING[:-1], "column 47 reads the end, expected '|'"),
        (NOTHING + "+", "column 48 reads '+', expected the end"),
        ("|none ~0|", f"column 2 reads 'none ~0|', expected {OPERATIONS}"),
    ],
)
def test_a_malformed_architecture_is_refused_at_its_column(arch: str, message: str) -> None:
    with pytest.raises(GenotypeError) as caught:
        nb.lookup(arch)
    assert str(caught.value) == f"not a NAS-Bench-201 architecture: {message}"


@given(st.text(alphabet="|~+012 none_skip", max_size=60))
def test_no_text_breaks_the_parser(text: str) -> None:
    with pytest.raises(
        GenotypeError, match=r"^not a NAS-Bench-201 architecture: column \d+ reads "
    ):
        nb.encode(text)


@given(st.integers(0, nb.SIZE - 1), st.data())
def test_the_column_is_where_the_text_was_damaged(code: int, data: st.DataObject) -> None:
    arch = nb.decode(code)
    places = [at for at, mark in enumerate(arch) if mark in "|~+012" and not _in_name(arch, at)]
    at = data.draw(st.sampled_from(places))
    with pytest.raises(GenotypeError) as caught:
        nb.encode(arch[:at] + "#" + arch[at + 1 :])
    column = int(re.search(r"column (\d+)", str(caught.value))[1])  # type: ignore[index]
    # A damaged end of a name is reported at the name's first letter.
    name = re.search(r"[a-z]\w*$", arch[:at]) if arch[at] == "~" else None
    assert column == (name.start() if name else at) + 1


def _in_name(arch: str, at: int) -> bool:
    return arch[at].isdigit() and arch[at - 1] != "~"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: nb.optimum("cifar11"), "unknown data set 'cifar11': did you mean 'cifar10'?"),
        (lambda: nb.latency("edgecpu"), "unknown device 'edgecpu': did you mean 'edgetpu'?"),
        (lambda: nb.latency("fpga", "mnist"), "unknown data set 'mnist': "),
        (lambda: nb.energy("raspi4"), "unknown device with a measured energy 'raspi4': "),
        (lambda: nb.energy("fpga", "x"), "unknown data set 'x': "),
        (
            lambda: nb.accuracy("cifar10", split="val"),
            "has no 'val' accuracy after 200 epochs here: it has test after 200, test after 12",
        ),
    ],
)
def test_an_unknown_column_is_named(call, message: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)):
        call()


def test_only_the_named_columns_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    stored = columns._stored
    monkeypatch.setattr(columns, "_stored", lambda name: read.append(name) or stored(name))
    columns.read_column.cache_clear()
    columns.index_of_code.cache_clear()
    nb.latency("fpga")
    nb.latency("fpga")
    nb.accuracy("cifar100", epochs=12)
    assert read == ["cifar10_fpga_latency_ms", "index", "cifar100_test_12"]


def test_a_lookup_imports_neither_torch_nor_pandas() -> None:
    code = (
        "import sys; from archwright.tables import nasbench201 as nb; nb.optimum();"
        "print([name for name in ('torch', 'pandas') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.fixture(scope="module")
def pack() -> ModuleType:
    spec = importlib.util.spec_from_file_location("pack", ROOT / "scripts/pack_nasbench201.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _unpacked() -> pa.Table:
    """The source table once more, in another order, from what was packed."""
    table = parquet.ParquetFile(ROOT / "src/archwright/tables/nasbench201.parquet").read()
    archs = pa.array([nb.decode(code) for code in table["code"].to_pylist()])
    table = table.set_column(0, "arch", archs)
    return table.take(pa.array(np.random.default_rng(0).permutation(nb.SIZE)))


def test_packing_gives_the_same_file_again(pack: ModuleType, tmp_path: Path) -> None:
    parquet.write_table(_unpacked(), tmp_path / "source.parquet")
    size = pack.main(tmp_path / "source.parquet", tmp_path / "packed.parquet")
    again = (tmp_path / "packed.parquet").read_bytes()
    assert size == len(again) < 1_100_000
    table = parquet.ParquetFile(tmp_path / "packed.parquet").read()
    assert table.equals(parquet.ParquetFile(pack.TARGET).read())


def test_packing_notices_a_change_and_a_missing_row(pack: ModuleType, tmp_path: Path) -> None:
    table = _unpacked()
    place = table.column_names.index("cifar10_fpga_latency_ms")
    values = table["cifar10_fpga_latency_ms"].to_numpy().copy()
    values[77] = np.nextafter(values[77], np.float32(np.inf))
    changed = table.set_column(place, "cifar10_fpga_latency_ms", pa.array(values))
    with pytest.raises(SystemExit, match="cifar10_fpga_latency_ms changed while it was packed"):
        pack.check(pack.TARGET.read_bytes(), changed)
    parquet.write_table(table.slice(1), tmp_path / "short.parquet")
    with pytest.raises(SystemExit, match="does not hold each of the 15625 architectures once"):
        pack.main(tmp_path / "short.parquet", tmp_path / "packed.parquet")
    assert not (tmp_path / "packed.parquet").exists()
