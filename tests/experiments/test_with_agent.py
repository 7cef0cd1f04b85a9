"""Other settings of a trained run's agent: what the command line gives, and in which order."""

from dataclasses import asdict, replace
from pathlib import Path

import pytest

from kinesight.critics.chat_judge import ChatJudgeConfig
from kinesight.experiments import catalogue
from kinesight.experiments.evaluation import with_agent
from kinesight.experiments.planners import make_planners
from kinesight.experiments.recipe import Recipe, loop_settings
from kinesight.experiments.runs import Run, create_run
from kinesight.language.chat import ChatConfig
from kinesight.planning.chat import ChatPlannerConfig
from kinesight.types.case import Case
from kinesight.types.errors import UsageError
from kinesight.types.serial import from_jsonable, to_jsonable

CHAT = ChatConfig("toy", "http://127.0.0.1:9/v1")
OWN = {
    "agent.chat.price_in=2.5": {"price_in": 2.5},
    "agent.chat.price_out=10": {"price_out": 10.0},
    "agent.chat.timeout_s=7": {"timeout_s": 7.0},
    "agent.chat.cache_only=true": {"cache_only": True},
    "agent.chat.tokens_field=max_completion_tokens": {"tokens_field": "max_completion_tokens"},
    "agent.chat.temperature=null": {"temperature": None},
}


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return create_run(tmp_path / "run", catalogue.recipe("spatial-policy-tiny"))


@pytest.mark.parametrize("assignment", OWN)
def test_assignments_reach_the_model_that_the_command_line_names(run: Run, assignment: str) -> None:
    before = loop_settings(run.recipe)
    agent = loop_settings(with_agent(run, (assignment,), "chat", "chat", CHAT).recipe)
    chat = replace(CHAT, **OWN[assignment])
    assert chat != CHAT
    assert agent == replace(before, planner="chat", chat=chat, critic=ChatJudgeConfig(chat))


def test_assignments_reach_what_the_planner_is_shown(run: Run) -> None:
    own = ChatPlannerConfig(longest_m=1.5, corrections=0, size=448)
    assignments = tuple(f"agent.chat_planner.{name}={value}" for name, value in asdict(own).items())
    agent = loop_settings(with_agent(run, assignments, "chat", chat=CHAT).recipe)
    assert agent.chat_planner == own
    planner = make_planners(agent).for_case(Case("metaworld", "handle-press", 0, "corner"))
    assert planner.request.large_side == 448


def test_a_recipe_from_before_those_settings_is_read(run: Run) -> None:
    document = to_jsonable(run.recipe)
    del document["agent"]["chat_planner"]
    assert from_jsonable(Recipe, document) == run.recipe


def test_assignments_reach_the_judge_too(run: Run) -> None:
    assignments = ("agent.critic.layout=frames", "agent.chat.price_in=1", "agent.execute=2")
    agent = loop_settings(with_agent(run, assignments, judge="chat", chat=CHAT).recipe)
    assert agent.critic == ChatJudgeConfig(replace(CHAT, price_in=1.0), "frames")
    assert (agent.execute, agent.planner) == (2, "geometric")


@pytest.mark.parametrize(
    ("assignment", "chat", "judge", "message"),
    [
        ("agent.chat.prize_in=1", CHAT, "", "'prize_in'. Did you mean 'price_in'"),
        ("agent.chat.price_in=dear", CHAT, "", "price_in"),
        ("agent.chat.price_in=1", None, "", "field of agent.chat"),
        ("agent.critic.layout=frames", CHAT, "none", "field of agent.critic"),
        ("agent.execute=1", None, "chat", "--chat-model"),
        ("agent.planner=chta", CHAT, "", "Did you mean 'chat'"),
        ("data.episodes=1", CHAT, "", r"agent\.… and stages"),
    ],
)
def test_what_cannot_be_set_is_named(
    run: Run, assignment: str, chat: ChatConfig | None, judge: str, message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        with_agent(run, (assignment,), judge=judge, chat=chat)
