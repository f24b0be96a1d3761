from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from archwright.errors import RunError
from archwright.io.tensors import checksum, pack_tensors, read_tensors

TENSORS = {
    "conv.weight": torch.arange(24.0).reshape(2, 3, 4).transpose(0, 1),
    "norm.count": torch.tensor(7),
    "empty": torch.zeros(0, 3),
    "half": torch.ones(5, dtype=torch.bfloat16),
}


def test_tensors_come_back_and_others_can_read_them(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    path.write_bytes(pack_tensors(TENSORS))
    for read in (read_tensors(path), load_file(path)):
        assert set(read) == set(TENSORS)
        assert all(torch.equal(read[name], value) for name, value in TENSORS.items())


def test_no_flipped_bit_is_read(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    content = pack_tensors(TENSORS)
    for place in range(len(content)):
        damaged = bytearray(content)
        damaged[place] ^= 1 << place % 8
        path.write_bytes(damaged)
        with pytest.raises(RunError, match=r"(is damaged \(|carries no checksum)") as raised:
            read_tensors(path)
        assert str(raised.value).endswith("restore it, or make the run again")
        assert "\n" not in str(raised.value)


def test_a_file_without_a_checksum_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    save_file({"a": torch.ones(3)}, path)
    with pytest.raises(RunError, match=r"carries no checksum, so it is not as a run left it"):
        read_tensors(path)


@pytest.mark.parametrize(
    "other",
    [
        {"a": torch.zeros(4)},
        {"b": torch.ones(4)},
        {"a": torch.ones(2, 2)},
        {"a": torch.ones(4, dtype=torch.float64)},
        {"a": torch.ones(4), "b": torch.ones(1)},
    ],
)
def test_the_checksum_is_of_all_that_there_is(other: dict[str, torch.Tensor]) -> None:
    assert checksum(other) != checksum({"a": torch.ones(4)})
