"""Averages follow their closed form; tensors come back from the disk, or an error names the file."""

from pathlib import Path

import pytest
import torch
from torch import nn

from kinesight.nn.checkpoint import load_into, load_tensors, save_tensors
from kinesight.nn.ema import EMA, ema_decay
from kinesight.types.errors import DataError


def test_decay_rises_to_its_maximum() -> None:
    decays = [ema_decay(step, 0.99) for step in range(2000)]
    assert decays == sorted(decays)
    assert decays[0] == 0
    assert decays[-1] == 0.99
    assert decays[20] == pytest.approx(0.90, abs=0.005)
    assert ema_decay(460, 0.9999) == pytest.approx(0.99, abs=0.001)


def test_average_is_the_recursion_and_frozen_parameters_stay_out() -> None:
    module = nn.Linear(3, 2)
    module.bias.requires_grad_(False)
    average = EMA(module, 0.9)
    assert list(average.average) == ["weight"]
    expected = module.weight.detach().clone()
    for step in range(1, 30):
        nn.init.normal_(module.weight, generator=torch.Generator().manual_seed(step))
        average.update(module)
        decay = ema_decay(step, 0.9)
        expected = decay * expected + (1 - decay) * module.weight.detach()
    torch.testing.assert_close(average.average["weight"], expected)
    assert average.step == 29


def test_the_first_copy_does_not_move_with_the_module() -> None:
    module = nn.Linear(2, 2)
    average, before = EMA(module, 0.9), module.weight.detach().clone()
    nn.init.zeros_(module.weight)
    assert torch.equal(average.average["weight"], before)
    average.copy_to(module)
    assert torch.equal(module.weight, before)


def test_a_reloaded_average_goes_on_as_the_first() -> None:
    module = nn.Linear(2, 2)
    first, second = EMA(module, 0.99), EMA(nn.Linear(2, 2), 0.99)
    first.update(module)
    second.load(first.average, first.step)
    for each in (first, second):
        nn.init.ones_(module.weight)
        each.update(module)
    assert torch.equal(first.average["weight"], second.average["weight"])


def network() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)).to(memory_format=torch.channels_last)


def test_round_trip_keeps_values_types_and_memory_format(tmp_path: Path) -> None:
    module, other, path = network(), network(), tmp_path / "model.safetensors"
    save_tensors(module.state_dict(), path)
    assert [p.name for p in tmp_path.iterdir()] == [path.name]
    load_into(other, load_tensors(path), path)
    for name, value in module.state_dict().items():
        loaded = other.state_dict()[name]
        assert torch.equal(loaded, value)
        assert loaded.dtype == value.dtype
    assert other[0].weight.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("kept", [0, 5, 200])
def test_a_truncated_or_missing_file_is_named(tmp_path: Path, kept: int) -> None:
    path = tmp_path / "model.safetensors"
    with pytest.raises(DataError, match=f"{path}: no such file"):
        load_tensors(path)
    save_tensors(network().state_dict(), path)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(DataError, match=str(path)):
        load_tensors(path)


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "model.safetensors"
    save_tensors({"a": torch.zeros(2)}, path)

    def full(tensors: dict, part: Path) -> None:
        part.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("kinesight.nn.checkpoint.save_file", full)
    with pytest.raises(DataError, match=r"model\.safetensors.*No space left"):
        save_tensors({"a": torch.ones(2)}, path)
    assert torch.equal(load_tensors(path)["a"], torch.zeros(2))
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_other_names_and_shapes_are_refused_and_named(tmp_path: Path) -> None:
    path, module = tmp_path / "x.safetensors", nn.Linear(3, 2)
    before = module.weight.detach().clone()
    with pytest.raises(DataError, match=r"x\.safetensors.*missing \['bias'\], unexpected \['extra'\]"):
        load_into(module, {"weight": torch.zeros(2, 3), "extra": torch.zeros(1)}, path)
    with pytest.raises(DataError, match=r"x\.safetensors: bias has shape \(3,\), the model expects \(2,\)"):
        load_into(module, {"weight": torch.zeros(2, 3), "bias": torch.zeros(3)}, path)
    assert torch.equal(module.weight, before), "a file that does not fit changes nothing"
