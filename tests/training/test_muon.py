"""Orthogonal updates, which weights get them, and a run with them that resumes."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
import toys
from test_loop import CONFIG, Killed, assert_same_run, final, killed_before, run
from torch import nn

from kinesight.training.muon import Muon, hidden_weights, orthogonal
from kinesight.types.errors import DataError, UsageError

MUON = replace(CONFIG, optimizer="muon")
HIDDEN = "head.3.weight"


@pytest.mark.parametrize("shape", [(24, 24), (16, 200), (200, 16)])
def test_singular_values_come_close_to_one_and_directions_stay(shape: tuple[int, int]) -> None:
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    ours = orthogonal(matrix)
    u, s, vt = torch.linalg.svd(matrix, full_matrices=False)
    assert float(s.max() / s.min()) > 1.5, "the matrix itself is far from orthogonal"
    along = u.T @ ours @ vt.T
    assert along.diagonal().min() > 0.6
    assert along.diagonal().max() < 1.3
    torch.testing.assert_close(along, torch.diag(along.diagonal()), atol=1e-3, rtol=0)


def test_scale_and_zero_gradients_do_no_harm() -> None:
    matrix = torch.randn(20, 30, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(orthogonal(1e-6 * matrix), orthogonal(matrix), atol=0.05, rtol=0.05)
    assert not orthogonal(torch.zeros(20, 30)).any()


def test_a_step_has_the_size_of_the_learning_rate_whatever_the_gradients() -> None:
    for scale in (1e-3, 1e3):
        weight = nn.Parameter(torch.zeros(16, 32, 3, 3))
        weight.grad = scale * torch.randn(weight.shape, generator=torch.Generator().manual_seed(2))
        Muon([weight], lr=0.1).step()
        values = torch.linalg.svdvals(weight.detach().flatten(1))
        assert values.min() > 0.06
        assert values.max() < 0.13


def test_decay_is_decoupled_and_weights_without_gradient_stay() -> None:
    decayed, left = nn.Parameter(torch.ones(16, 16)), nn.Parameter(torch.ones(16, 16))
    decayed.grad = torch.zeros(16, 16)
    Muon([decayed, left], lr=0.1, weight_decay=0.5).step()
    torch.testing.assert_close(decayed.detach(), torch.full((16, 16), 0.95))
    assert torch.equal(left.detach(), torch.ones(16, 16))


def test_hidden_weights_are_matrices_of_linear_layers_and_convolutions() -> None:
    model = nn.ModuleDict(
        {
            "linear": nn.Linear(32, 64),
            "convolution": nn.Conv2d(16, 32, 3),
            "words": nn.Embedding(50, 64),
            "norm": nn.LayerNorm(64),
            "thin": nn.Linear(64, 3),
        }
    )
    named = {id(weight) for weight in hidden_weights(model)}
    assert {name for name, p in model.named_parameters() if id(p) in named} == {
        "linear.weight",
        "convolution.weight",
    }


def test_killed_and_resumed_is_uninterrupted(tmp_path: Path) -> None:
    run(tmp_path / "whole", MUON, toys.make(hidden=32))
    broken = {"first": toys.random_batches(killed_before(33))}
    with pytest.raises(Killed):
        run(tmp_path / "killed", MUON, toys.make(hidden=32), sources=broken)
    run(tmp_path / "killed", MUON, toys.Regression(hidden=32))
    assert_same_run(tmp_path / "whole", tmp_path / "killed")
    adam, muon = final(tmp_path / "whole").trainer.optimizers
    assert [len(group["params"]) for group in muon["param_groups"]] == [1]
    assert [group["peak"] for group in muon["param_groups"]] == [0.01], "the group's scale counts here too"
    assert sum(len(group["params"]) for group in adam["param_groups"]) == len(adam["state"])


def test_only_hidden_layers_differ_after_a_step(tmp_path: Path) -> None:
    config = replace(CONFIG, steps=1)
    adam = run(tmp_path / "adam", config, toys.make(hidden=32)).state_dict()
    muon = run(tmp_path / "muon", replace(config, optimizer="muon"), toys.make(hidden=32)).state_dict()
    assert [name for name in adam if not torch.equal(adam[name], muon[name])] == [HIDDEN]


def test_training_learns(tmp_path: Path) -> None:
    model = run(tmp_path, replace(MUON, steps=150), toys.make(hidden=32, noise=0.0))
    x = torch.randn(64, 2, generator=torch.Generator().manual_seed(3))
    model.eval()
    error = model.loss("first", x, torch.Generator())["fit"].mean().detach()
    assert float(error) < 0.05 * float((3 * x[:, 0] - 2 * x[:, 1]).var())


def test_another_optimizer_does_not_go_on(tmp_path: Path) -> None:
    run(tmp_path, MUON, toys.make(hidden=32))
    with pytest.raises(DataError, match=r"state\.pt: its parameter groups .*training\.optimizer"):
        run(tmp_path, replace(CONFIG, steps=30), toys.make(hidden=32))


def test_its_learning_rate_is_checked() -> None:
    with pytest.raises(UsageError, match=r"training\.muon_learning_rate must be positive, got 0.0"):
        replace(MUON, muon_learning_rate=0.0)
