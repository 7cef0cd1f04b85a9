"""`kinesight evaluate --planner`: closed loops on a trained run, and what they read of the simulator."""

from pathlib import Path

import pytest

from kinesight.envs.metaworld import MetaWorld
from kinesight.evaluation.results import Results, read_results
from kinesight.types.observation import Observation, ViewRequest

SHORT = ("--seeds", 0, "--limit", 6, "--workers", 1)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[ViewRequest]:
    """Every request that reaches the simulator."""
    requests: list[ViewRequest] = []
    observe = MetaWorld.observe

    def listen(self: MetaWorld, request: ViewRequest, split: str | None = None) -> Observation:
        requests.append(request)
        return observe(self, request, split)

    monkeypatch.setattr(MetaWorld, "observe", listen)
    return requests


def evaluated(kinesight, run: str, out: str, *words: object) -> Results:
    outcome = kinesight("evaluate", run, *SHORT, "--out", out, *words)
    assert outcome.status == 0, outcome.err
    return read_results(Path(out))


def variant(kinesight, condition: str) -> str:
    """A run with the tiny run's policy and an imaginer that is told something else."""
    changes = (f"stages.imaginer.model.condition={condition}", "stages.imaginer.training.steps=1")
    outcome = kinesight(
        *("train", "spatial-policy-tiny", "--set", *changes, "--init", "policy=tiny", "--out", condition)
    )
    assert outcome.status == 0, outcome.err
    return condition


def plans(results: Results) -> list[str]:
    return [event.reason for each in results.episodes for event in each.events if event.kind == "plan"]


def test_from_pixels_nothing_privileged_is_read(kinesight, workspace: Path, asked) -> None:
    found = evaluated(kinesight, "tiny", "from-pixels", "--planner", "pixels")
    assert found.privileged == ()
    assert [episode.steps for episode in found.episodes] == [6]
    assert len(plans(found)) == 1
    assert asked
    assert not any(request.scene or request.segmentation for request in asked)
    assert any(request.depth for request in asked)
    masked = evaluated(kinesight, "tiny", "from-ids", "--planner", "pixels-ids")
    assert masked.privileged == ("segmentation",)
    assert not any(request.scene for request in asked)


def test_an_imaginer_of_distances_acts_on_measured_ones(kinesight, workspace: Path, asked) -> None:
    run = variant(kinesight, "distance")
    asked.clear()  # the planner of the training data reads the scene
    measured = evaluated(kinesight, run, "measured", "--planner", "pixels")
    assert measured.privileged == ()
    assert not any(request.scene or request.segmentation for request in asked)
    assert plans(measured) == ["start: no plan, none is read"]
    told = evaluated(kinesight, run, "told")
    assert told.privileged == ("scene",)


def test_an_imaginer_of_words_needs_no_planner(kinesight, workspace: Path, asked) -> None:
    run = variant(kinesight, "text")
    asked.clear()
    found = evaluated(kinesight, run, "words")
    assert found.privileged == ()
    assert plans(found) == ["start: no plan, none is read"]
    assert not any(request.scene or request.depth or request.segmentation for request in asked)
    flow = evaluated(kinesight, run, "words-flow", "--rows", "avdc")
    assert read_results(Path("words-flow/row-avdc")).cases == flow.cases


def test_planners_are_listed_and_wrong_ones_answered(kinesight, workspace: Path) -> None:
    outcome = kinesight("list")
    assert "geometric, pixels, pixels-ids, chat, chat-pixels, chat-by-eye" in " ".join(outcome.out.split())
    for words, message in (
        (("--planner", "pixel"), "Did you mean 'pixels'?"),
        (("--planner", "chat-pixels"), "name it with --chat-model"),
        (("--judge", "chat"), "name it with --chat-model"),
    ):
        outcome = kinesight("evaluate", "tiny", *SHORT, "--out", "refused", *words)
        assert outcome.status == 2
        assert message in " ".join(outcome.err.split())
