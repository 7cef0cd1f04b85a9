"""`kinesight evaluate --planner`: closed loops on a trained run, and what they read of the simulator."""

from pathlib import Path

import pytest

from kinesight.agents.spatial_policy import SpatialPolicyAgent
from kinesight.evaluation.results import Results, read_results
from kinesight.types.decision import Decision
from kinesight.types.observation import Observation

SHORT = ("--seeds", 0, "--limit", 6, "--workers", 1)


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[Observation]:
    """Everything that the agent is shown."""
    observations: list[Observation] = []
    act = SpatialPolicyAgent.act

    def listen(self: SpatialPolicyAgent, observation: Observation) -> Decision:
        observations.append(observation)
        return act(self, observation)

    monkeypatch.setattr(SpatialPolicyAgent, "act", listen)
    return observations


def kinds(observations: list[Observation]) -> set[str]:
    """What it is shown beside colour."""
    views = [view for each in observations for view in each.views.values()]
    told = {
        "scene": any(each.scene is not None for each in observations),
        "segmentation": any(view.segmentation is not None for view in views),
        "depth": any(view.depth_m is not None for view in views),
    }
    return {name for name, there in told.items() if there}


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


def test_from_pixels_nothing_privileged_is_read(kinesight, workspace: Path, shown) -> None:
    found = evaluated(kinesight, "tiny", "from-pixels", "--planner", "pixels")
    assert found.privileged == ()
    assert [episode.steps for episode in found.episodes] == [6]
    assert len(plans(found)) == 1
    assert len(shown) == 6
    assert kinds(shown) == {"depth"}


def test_an_imaginer_of_distances_acts_on_measured_ones(kinesight, workspace: Path, shown) -> None:
    run = variant(kinesight, "distance")
    measured = evaluated(kinesight, run, "measured", "--planner", "pixels")
    assert measured.privileged == ()
    assert kinds(shown) == {"depth"}
    assert plans(measured) == ["start: no plan, none is read"]


def test_an_imaginer_of_words_needs_no_planner(kinesight, workspace: Path, shown) -> None:
    run = variant(kinesight, "text")
    found = evaluated(kinesight, run, "words", "--rows", "avdc")
    assert found.privileged == ()
    assert plans(found) == ["start: no plan, none is read"]
    assert kinds(shown) == set()
    followed = read_results(Path("words/row-avdc"))
    assert followed.cases == found.cases
    assert (followed.privileged, set(followed.checkpoints)) == (("segmentation",), {"imaginer"})
    (episode,) = followed.episodes
    assert episode.steps == 6
    assert [event.kind for event in episode.events] in (["imagine", "plan"], ["imagine", "lost"])


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
