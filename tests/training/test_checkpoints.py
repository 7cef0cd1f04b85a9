"""A checkpoint is there whole or not at all."""

import resource
import signal
from pathlib import Path

import pytest
import torch

from kinesight.training.checkpoints import (
    Checkpoint,
    TrainerState,
    last_checkpoint,
    load_checkpoint,
    read_description,
    save_checkpoint,
)
from kinesight.types.errors import DataError


def checkpoint(step: int, size: int = 4) -> Checkpoint:
    model = {"weight": torch.full((size,), float(step)), "mean": torch.tensor(0.5)}
    optimizer = {
        "state": {0: {"step": torch.tensor(float(step))}},
        "param_groups": [{"lr": 0.1, "params": [0]}],
    }
    trainer = TrainerState(step, (optimizer,), {"loss/fit": torch.tensor(1.5)}, {"loss/fit": 3})
    return Checkpoint({"model": {"width": 3}}, model, {"weight": torch.zeros(size)}, trainer)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_round_trip(tmp_path: Path) -> None:
    path = save_checkpoint(tmp_path, checkpoint(12))
    assert path == last_checkpoint(tmp_path) == tmp_path / "0000012"
    assert (tmp_path / "last").resolve() == path.resolve()
    loaded = load_checkpoint(tmp_path / "last")
    assert torch.equal(loaded.model["weight"], torch.full((4,), 12.0))
    assert torch.equal(loaded.ema["weight"], torch.zeros(4))
    assert loaded.trainer == checkpoint(12).trainer
    assert loaded.description == {"step": 12, "model": {"width": 3}} == read_description(path)


def test_the_last_and_every_nth_are_kept(tmp_path: Path) -> None:
    for step in (5, 10, 15, 20, 25):
        save_checkpoint(tmp_path, checkpoint(step), keep_every=10)
        assert (tmp_path / "last").resolve().name == f"{step:07d}"
    assert names(tmp_path) == ["0000010", "0000020", "0000025", "last"]
    save_checkpoint(tmp_path, checkpoint(30))
    assert names(tmp_path) == ["0000030", "last"]


def test_the_same_step_again_replaces_it_and_leftovers_go(tmp_path: Path) -> None:
    (tmp_path / ".0000001.part" / "trainer").mkdir(parents=True)
    save_checkpoint(tmp_path, checkpoint(3))
    save_checkpoint(tmp_path, checkpoint(3, size=7))
    assert names(tmp_path) == ["0000003", "last"]
    assert len(load_checkpoint(tmp_path / "last").model["weight"]) == 7


def test_unfinished_checkpoints_are_not_seen(tmp_path: Path) -> None:
    assert last_checkpoint(tmp_path / "nowhere") is None
    save_checkpoint(tmp_path, checkpoint(3))
    (tmp_path / ".0000009.part").mkdir()
    (tmp_path / "0000008").mkdir()
    assert last_checkpoint(tmp_path) == tmp_path / "0000003"


@pytest.mark.parametrize("name", ["model.safetensors", "ema.safetensors", "trainer/state.pt", "config.json"])
@pytest.mark.parametrize("kept", [0.0, 0.3, 0.9])
def test_a_truncated_file_is_named(tmp_path: Path, name: str, kept: float) -> None:
    file = save_checkpoint(tmp_path, checkpoint(1)) / name
    content = file.read_bytes()
    file.write_bytes(content[: int(kept * len(content))])
    with pytest.raises(DataError, match=str(file)):
        load_checkpoint(file.parent.parent if "/" in name else file.parent)


@pytest.mark.parametrize("name", ["model.safetensors", "trainer/state.pt", "config.json"])
def test_a_missing_file_is_named(tmp_path: Path, name: str) -> None:
    path = save_checkpoint(tmp_path, checkpoint(1))
    (path / name).unlink()
    with pytest.raises(DataError, match=str(path)):
        load_checkpoint(path)


def test_a_foreign_state_is_no_code_to_run(tmp_path: Path) -> None:
    path = save_checkpoint(tmp_path, checkpoint(1))
    torch.save({"step": 1, "optimizers": Path("x")}, path / "trainer" / "state.pt")
    with pytest.raises(DataError, match=r"state\.pt: not a readable trainer state"):
        load_checkpoint(path)


@pytest.mark.parametrize("room_bytes", [10, 30_000, 70_000])
def test_a_full_disk_leaves_the_earlier_checkpoint(tmp_path: Path, room_bytes: int) -> None:
    """Files may not grow beyond a limit, which one after the other of a checkpoint's files exceeds."""
    save_checkpoint(tmp_path, checkpoint(1))
    large = checkpoint(2, size=6_000)
    large.trainer.optimizers[0]["state"][0]["moment"] = torch.zeros(50_000)
    before = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room_bytes, before[0][1]))
    try:
        with pytest.raises(DataError, match=r"Cannot write checkpoint .*0000002.*Earlier ones are intact"):
            save_checkpoint(tmp_path, large)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before[0])
        signal.signal(signal.SIGXFSZ, before[1])
    assert names(tmp_path) == ["0000001", "last"]
    assert torch.equal(load_checkpoint(tmp_path / "last").model["weight"], torch.full((4,), 1.0))
