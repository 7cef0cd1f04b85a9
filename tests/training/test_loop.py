"""Killed and resumed equals uninterrupted; streams, frozen parts, accumulation, clipping, probes, errors."""

import json
import math
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import lam_in_two
import pytest
import torch
import toys
from torch import Tensor, nn

from kinesight.training.checkpoints import Checkpoint, last_checkpoint, load_checkpoint
from kinesight.training.config import TrainingConfig, learning_rate_factor
from kinesight.training.loop import Interrupted, mixed_seed, train
from kinesight.training.state import Diverged
from kinesight.types.errors import UnknownName, UsageError

HERE = Path(__file__).parent
CONFIG = TrainingConfig(steps=23, learning_rate=0.01, warmup=5, log_every=4, save_every=10, accumulate=2)


def run(folder: Path, config: TrainingConfig = CONFIG, model: nn.Module | None = None, **options: object):
    model = model or toys.make()
    train(model, **{"sources": toys.SOURCES, "folder": folder, "description": {}, **options}, config=config)
    return model


def final(folder: Path) -> Checkpoint:
    path = last_checkpoint(folder / "checkpoints")
    assert path is not None
    return load_checkpoint(path)


def rows(folder: Path) -> list[dict[str, float]]:
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    return [{k: v for k, v in json.loads(line).items() if k != "seconds"} for line in lines]


def assert_equal(a: object, b: object) -> None:
    """To the bit, in dicts and lists of tensors."""
    if isinstance(a, Tensor):
        assert isinstance(b, Tensor)
        assert torch.equal(a, b)
    elif isinstance(a, dict):
        assert isinstance(b, dict)
        assert a.keys() == b.keys()
        for key in a:
            assert_equal(a[key], b[key])
    elif isinstance(a, list | tuple):
        assert isinstance(b, list | tuple)
        assert len(a) == len(b)
        for x, y in zip(a, b, strict=True):
            assert_equal(x, y)
    else:
        assert a == b


def assert_same_run(a: Path, b: Path) -> None:
    one, two = final(a), final(b)
    assert_equal(one.model, two.model)
    assert_equal(one.ema, two.ema)
    assert_equal(one.trainer.optimizers, two.trainer.optimizers)
    assert one.trainer.step == two.trainer.step
    assert rows(a) == rows(b)


class Killed(Exception):
    pass


def killed_before(number: int) -> Callable[[int], None]:
    def check(n: int) -> None:
        if n == number:
            raise Killed

    return check


@pytest.mark.parametrize("batch", [1, 20, 33, 45])
def test_killed_and_resumed_is_uninterrupted_to_the_bit(tmp_path: Path, batch: int) -> None:
    run(tmp_path / "whole")
    with pytest.raises(Killed):
        run(tmp_path / "killed", sources={"first": toys.random_batches(killed_before(batch))})
    # A resumed process starts from other weights and another random state.
    run(tmp_path / "killed", model=toys.Regression())
    assert_same_run(tmp_path / "whole", tmp_path / "killed")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_saves_the_step_and_a_resumed_run_is_the_uninterrupted_one(
    tmp_path: Path, number: int
) -> None:
    def interrupt(batch: int) -> None:
        if batch == 26:  # in the first half of step 13, between two log lines
            os.kill(os.getpid(), number)

    before = signal.getsignal(number)
    run(tmp_path / "whole")
    with pytest.raises(Interrupted, match=r"step 14; .*0000014 is saved"):
        run(tmp_path / "stopped", sources={"first": toys.random_batches(interrupt)})
    assert signal.getsignal(number) is before
    assert final(tmp_path / "stopped").trainer.step == 14
    run(tmp_path / "stopped")
    assert_same_run(tmp_path / "whole", tmp_path / "stopped")


def test_a_signal_in_the_last_step_is_not_swallowed(tmp_path: Path) -> None:
    def interrupt(batch: int) -> None:
        if batch == 45:
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(Interrupted, match="step 23"):
        run(tmp_path, sources={"first": toys.random_batches(interrupt)})
    assert final(tmp_path).trainer.step == 23


def test_a_terminated_process_resumes(tmp_path: Path) -> None:
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(HERE / "train_slowly.py"), str(tmp_path / "stopped"), "40"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.strip() == "13":
                process.terminate()
                break
        rest = process.stdout.read()
    assert process.returncode == Interrupted.status
    assert "is saved" in rest
    assert 13 < final(tmp_path / "stopped").trainer.step < 40
    config = TrainingConfig(steps=40, warmup=3, log_every=5, save_every=10)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    for name in ("stopped", "whole"):
        run(tmp_path / name, config)
    torch.set_num_threads(threads)
    assert_same_run(tmp_path / "whole", tmp_path / "stopped")


def test_a_finished_run_is_left_as_it_is(tmp_path: Path) -> None:
    run(tmp_path)
    before = rows(tmp_path), (tmp_path / "checkpoints" / "last").resolve().stat().st_mtime_ns
    model = run(tmp_path, model=toys.Regression())
    assert (rows(tmp_path), (tmp_path / "checkpoints" / "last").resolve().stat().st_mtime_ns) == before
    assert_equal(dict(model.state_dict()), dict(final(tmp_path).model))


def test_a_resumed_run_obeys_the_present_configuration(tmp_path: Path) -> None:
    run(tmp_path)
    run(tmp_path, replace(CONFIG, steps=30, learning_rate=0.1, weight_decay=0.25))
    assert {g["weight_decay"] for g in final(tmp_path).trainer.optimizers[0]["param_groups"]} == {0.25}
    assert {g["peak"] for g in final(tmp_path).trainer.optimizers[0]["param_groups"]} == {0.1, 0.05}
    assert rows(tmp_path)[-1]["step"] == 30


def test_training_learns_and_other_seeds_differ(tmp_path: Path) -> None:
    config = replace(CONFIG, steps=300, learning_rate=0.03, log_every=30, save_every=300)
    run(tmp_path / "0", config)
    run(tmp_path / "1", replace(config, seed=1))
    losses = [row["loss/fit"] for row in rows(tmp_path / "0")]
    assert losses[-1] < losses[0] / 5
    assert rows(tmp_path / "0") != rows(tmp_path / "1")


def test_two_streams_train_together_in_their_ratio(tmp_path: Path) -> None:
    model = run(tmp_path, replace(CONFIG, accumulate=1), toys.make(second_weight=0.1))
    assert [(stream, len(batch)) for stream, batch in model.seen] == [
        ("first", 16),
        ("second", 4),
    ] * CONFIG.steps
    assert {"loss/first/fit", "loss/second/fit"} <= rows(tmp_path)[0].keys()
    first, second = (batch for _, batch in model.seen[:2])
    assert not torch.equal(first[:4], second), "each stream has its own seeds"


def test_a_streams_weight_scales_its_gradient(tmp_path: Path) -> None:
    """Of two streams one counts as 0: the weights are those of training on the other alone."""
    config = replace(CONFIG, steps=5, precision="float32")
    one = run(tmp_path / "one", config, toys.make(noise=0.0))
    both = run(tmp_path / "both", config, toys.make(second_weight=0.0, noise=0.0))
    assert_equal(dict(one.state_dict()), dict(both.state_dict()))


def test_what_is_in_no_group_stays_as_it_is(tmp_path: Path) -> None:
    before = {name: value.clone() for name, value in toys.make().state_dict().items()}
    model = run(tmp_path, model=toys.make(frozen=True))
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name]) == (not name.startswith("head"))
    assert all(name.startswith("head") for name in final(tmp_path).ema)
    assert final(tmp_path).model.keys() == before.keys()


def test_the_learning_rate_follows_its_closed_form(tmp_path: Path) -> None:
    config = replace(CONFIG, steps=40, warmup=8, final_fraction=0.1, log_every=1)
    run(tmp_path, config)
    for row in rows(tmp_path):
        step = int(row["step"]) - 1
        cosine = 0.1 + 0.9 * 0.5 * (1 + math.cos(math.pi * (step - 8) / 32))
        assert row["learning_rate"] == pytest.approx(0.01 * ((step + 1) / 8 if step < 8 else cosine))
    assert learning_rate_factor(0, replace(config, warmup=0)) == 1
    assert learning_rate_factor(99, config) == pytest.approx(0.1)
    peaks = [group["peak"] for group in final(tmp_path).trainer.optimizers[0]["param_groups"]]
    assert peaks == [0.01, 0.005], "a group's scale multiplies the peak"


def test_accumulated_batches_are_one_large_batch(tmp_path: Path) -> None:
    """Four batches of 16 a step give the weights of one batch of 64, where nothing is drawn at random."""
    pieces = [next(toys.SOURCES["first"]([(0, i, 0, 0)], 16)).values["x"][:, 0] for i in range(12)]

    def large(seeds, size):
        for _, i, _, _ in seeds:
            yield toys.windows(torch.cat(pieces[4 * i : 4 * i + 4]))

    config = replace(CONFIG, steps=3)
    small = run(tmp_path / "small", replace(config, accumulate=4), toys.make(noise=0.0))
    whole = run(
        tmp_path / "large", replace(config, accumulate=1), toys.make(noise=0.0), sources={"first": large}
    )
    for name, value in small.state_dict().items():
        torch.testing.assert_close(value, whole.state_dict()[name], atol=1e-6, rtol=1e-5)


def test_gradients_are_clipped(tmp_path: Path) -> None:
    """With plain momentum-free first moments, m after one step is (1 - beta) times the clipped gradient."""
    config = replace(CONFIG, steps=1, clip_norm=1e-3, betas=(0.0, 0.999))
    run(tmp_path, config)
    state = final(tmp_path).trainer.optimizers[0]["state"]
    norm = torch.stack([entry["exp_avg"].norm() for entry in state.values()]).norm()
    assert float(norm) == pytest.approx(1e-3, rel=1e-3)
    assert rows(tmp_path)[-1]["gradient_norm"] > 1e-2, "what is reported is the norm before clipping"


class Watch:
    """A probe that draws random numbers and looks at the weights."""

    every = 6

    def __init__(self) -> None:
        self.seen: list[tuple[int, bool, Tensor]] = []

    def __call__(self, model: nn.Module, step: int) -> dict[str, float]:
        torch.rand(3)
        self.seen.append((step, model.training, model.state_dict()["body.weight"].clone()))
        return {"watched": float("nan") if step == 6 else float(step)}


def test_probes_see_the_average_and_leave_training_unchanged(tmp_path: Path) -> None:
    probe = Watch()
    config = replace(CONFIG, steps=24, save_every=6, keep_every=6)
    run(tmp_path / "plain", config)
    model = run(tmp_path / "probed", config, probes=[probe])
    assert model.training
    assert [(step, training) for step, training, _ in probe.seen] == [(n, False) for n in (6, 12, 18, 24)]
    for step, _, weight in probe.seen:
        average = load_checkpoint(tmp_path / "probed" / "checkpoints" / f"{step:07d}").ema
        assert torch.equal(weight, average["body.weight"])
    assert_equal(final(tmp_path / "plain").model, final(tmp_path / "probed").model)
    assert_equal(final(tmp_path / "plain").trainer.optimizers, final(tmp_path / "probed").trainer.optimizers)
    measured = [(row["step"], row["watched"]) for row in rows(tmp_path / "probed") if "watched" in row]
    assert measured == [(6, "nan"), (12, 12.0), (18, 18.0), (24, 24.0)]


def test_a_failing_probe_puts_the_weights_back(tmp_path: Path) -> None:
    class Fails(Watch):
        def __call__(self, model: nn.Module, step: int) -> dict[str, float]:
            raise Killed

    model = toys.make()
    with pytest.raises(Killed):
        run(tmp_path / "failed", model=model, probes=[Fails()])
    plain = run(tmp_path / "plain", replace(CONFIG, steps=6, warmup=5))
    # The schedule's end differs, but not within the warm-up and its first step.
    assert_equal(dict(plain.state_dict()), dict(model.state_dict()))


def test_bfloat16_keeps_parameters_and_losses_in_single_precision(tmp_path: Path) -> None:
    model = run(tmp_path, replace(CONFIG, precision="bfloat16"))
    assert {value.dtype for value in model.state_dict().values()} == {torch.float32}
    assert all(math.isfinite(row["loss/fit"]) for row in rows(tmp_path))


def test_a_diverged_run_says_so_and_keeps_its_last_good_checkpoint(tmp_path: Path) -> None:
    def broken(seeds, size):
        for seed, batch in zip(seeds, toys.SOURCES["first"](seeds, size), strict=True):
            yield toys.windows(batch.values["x"][:, 0] * (math.nan if seed[1] >= 25 else 1))

    with pytest.raises(Diverged, match=r"up to step 16: loss/fit is nan"):
        run(tmp_path, sources={"first": broken})
    assert final(tmp_path).trainer.step == 10
    assert "NaN" not in (tmp_path / "metrics.jsonl").read_text()


def test_unknown_sources_and_terms_are_named(tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match=r"stream with batches 'first'.*Available: toy"):
        run(tmp_path / "a", sources={"toy": toys.random_batches()})
    model = toys.make()
    model.loss_weights = {"fits": 1.0}
    with pytest.raises(UnknownName, match=r"loss term 'fit'.*'fits'"):
        run(tmp_path / "b", model=model)
    model.loss_weights = {"fit": 1.0, "smooth": 1.0}
    with pytest.raises(AssertionError, match=r"without a term.*smooth"):
        run(tmp_path / "c", model=model)


@pytest.mark.parametrize(
    ("name", "value"),
    [("steps", 0), ("accumulate", 0), ("learning_rate", 0.0), ("clip_norm", 0.0), ("ema", 1.0), ("seed", -1)],
)
def test_settings_are_checked(name: str, value: float) -> None:
    with pytest.raises(UsageError, match=f"training.{name}"):
        TrainingConfig(**{name: value})


def test_seeds_are_the_same_everywhere_and_differ_between_neighbours() -> None:
    assert mixed_seed(0, 1, 2, 3) == 12927410244083705794
    assert (
        len(
            {
                mixed_seed(0, step, micro, rank, n)
                for step in range(9)
                for micro in (0, 1)
                for rank in (0, 1)
                for n in (0, 1)
            }
        )
        == 72
    )


def train_in_two(script: str, folder: Path) -> None:
    """Run a script of this folder as two processes that know of each other."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    world = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(HERE / script), str(folder)]
    processes = [
        subprocess.Popen(command, env=os.environ | world | {"RANK": rank, "LOCAL_RANK": rank})
        for rank in ("0", "1")
    ]
    assert [process.wait(120) for process in processes] == [0, 0]


@pytest.mark.slow
def test_two_processes_share_weights_and_see_different_examples(tmp_path: Path) -> None:
    train_in_two("train_in_two.py", tmp_path)
    one, two = (torch.load(tmp_path / f"rank{rank}.pt") for rank in (0, 1))
    assert_equal(dict(one["weights"]), dict(two["weights"]))
    assert_equal(dict(one["weights"]), dict(final(tmp_path / "run").model))
    assert not torch.equal(one["seen"], two["seen"])
    assert all(math.isfinite(row["loss/fit"]) for row in rows(tmp_path / "run"))


@pytest.mark.slow
def test_two_processes_have_one_codebook_and_one_batch_that_its_statistics_are_of(tmp_path: Path) -> None:
    train_in_two("lam_in_two.py", tmp_path)
    for name in ("restarts", "none"):
        one, two = (torch.load(tmp_path / f"{name}{rank}.pt") for rank in (0, 1))
        assert len(one["buffers"]) == 6
        assert_equal(one, two)
        alone = lam_in_two.watched(lam_in_two.joined, tmp_path / f"alone {name}", name == "restarts")
        # Which of the batch's vectors a code restarts on, and so what follows on the first step, is drawn.
        forwards, kept = (2, "spread.") if name == "restarts" else (6, "")
        for found, expected in zip(one["buffers"][:forwards], alone["buffers"], strict=False):
            for key in (key for key in expected if key.startswith(kept)):
                torch.testing.assert_close(
                    found[key], expected[key], atol=1e-4, rtol=1e-4, msg=f"{name} {key}"
                )
    both, joined = (rows(tmp_path / folder) for folder in ("none", "alone none"))
    for row, expected in zip(both, joined, strict=True):
        assert row["gradient_norm"] == pytest.approx(expected["gradient_norm"], rel=1e-4)
