"""Devices by name, and that they reach every model of an agent; torch's "meta" stands in for a GPU."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from test_planners import FACTS

from kinesight.agents.avdc import AvdcAgent
from kinesight.agents.goal_free import GoalFree
from kinesight.agents.spatial_policy import SpatialPolicyAgent
from kinesight.cli import evaluate as command
from kinesight.critics.video_judge import VideoJudge
from kinesight.evaluation.results import read_results
from kinesight.experiments import devices, evaluation, judged
from kinesight.experiments.devices import known_device
from kinesight.experiments.evaluation import with_agent
from kinesight.experiments.recipe import Recipe, override
from kinesight.experiments.rows import build_row
from kinesight.experiments.runs import Run, create_run, load_stage
from kinesight.interfaces.agent import Agent
from kinesight.models.video_diffusion import VideoDiffusion
from kinesight.training.checkpoints import Checkpoint, TrainerState, save_checkpoint
from kinesight.types.errors import UnknownName
from kinesight.types.serial import to_jsonable


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The tiny recipe with a judge."""
    return untrained(tmp_path_factory.mktemp("devices") / "run", judged.TINY)


def untrained(folder: Path, recipe: Recipe) -> Run:
    """A run whose stages are as they are before training."""
    run = create_run(folder, recipe)
    for stage in run.recipe.stages:
        model = stage.model.build(FACTS)
        trained = {name: weight.data for name, weight in model.named_parameters()}
        description = {"stage": to_jsonable(stage), "facts": to_jsonable(FACTS)}
        made = Checkpoint(description, model.state_dict(), trained, TrainerState(1, ()))
        save_checkpoint(run.path / stage.name / "checkpoints", made)
    return run


def places(model: torch.nn.Module) -> set[str]:
    return {tensor.device.type for tensor in (*model.parameters(), *model.buffers())}


@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_every_model_of_a_row_is_on_the_runs_device(run: Run, device: str, tmp_path: Path) -> None:
    there = with_agent(replace(run, device=device), ("agent.execute=2",))
    agent = build_row(there, "agent", None)
    assert isinstance(agent, SpatialPolicyAgent)
    assert isinstance(agent.critic, VideoJudge)
    words = untrained(tmp_path, override(judged.TINY, ("stages.imaginer.model.condition=text",)))
    follower = build_row(replace(words, device=device), "avdc", None)
    assert isinstance(follower, AvdcAgent)
    for model in (agent.policy, agent.imaginer, agent.critic.realism, follower.imaginer):
        assert isinstance(model, torch.nn.Module)
        assert places(model) == {device}
    assert isinstance(follower.imaginer, VideoDiffusion)


def test_the_commands_device_reaches_the_rows_and_the_results(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluation, "check_fit", lambda *_: None)  # the facts are made up
    command.evaluate(run.path, seeds="0", limit=3, workers=1, device="auto", out=tmp_path)
    assert read_results(tmp_path).hardware["device"] == known_device("auto")
    monkeypatch.setattr(devices, "known_device", {"cuda:1": "meta"}.__getitem__)
    monkeypatch.setattr(evaluation, "build_row", _names_its_device)
    with pytest.raises(LookupError, match="computes on meta"):
        command.evaluate(run.path, seeds="0", limit=3, workers=1, device="cuda:1", out=tmp_path / "other")


def _names_its_device(run: Run, *_: object) -> Agent:
    """Stands in for `build_row`; the first call is of the process that only asks what the agent reads."""
    if run.device == "cpu":
        return GoalFree(load_stage(run, "policy").model, 1)  # type: ignore[arg-type]
    raise LookupError(f"computes on {run.device}")


def test_a_device_that_is_not_there_is_answered_with_the_list(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert (known_device("cpu"), known_device("auto")) == ("cpu", "cpu")
    with pytest.raises(UnknownName, match=r"device 'cuda'.*Available: auto, cpu\."):
        known_device("cuda")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    found = [known_device(name) for name in ("auto", "cpu", "cuda", "cuda:1")]
    assert found == ["cuda:0", "cpu", "cuda:0", "cuda:1"]
    with pytest.raises(UnknownName, match="Available: auto, cpu, cuda, cuda:0, cuda:1"):
        known_device("cuda:2")
