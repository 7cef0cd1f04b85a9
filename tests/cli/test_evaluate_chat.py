"""`kinesight evaluate` with a vision-language model, played by a server on loopback, as planner and judge."""

from pathlib import Path

import pytest
from chat_server import PLAN, Handler, fails, says, serving

from kinesight.evaluation.results import read_results

pytestmark = pytest.mark.extra
ACCEPT = "objects: yes\narm: yes\nplan: no\nprogress: yes\nverdict: Accept\nreason: It is pressed."
COMMAND = ("evaluate", "tiny", "--seeds", "0", "--limit", "6", "--workers", "1")
CHAT = ("--planner", "chat", "--judge", "chat", "--chat-model", "toy", "--chat-url")
PRICES = ("agent.chat.price_in=1", "agent.chat.price_out=2", "agent.chat.cache=null")


@pytest.fixture(autouse=True)
def _surroundings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


def plans_and_judges(handler: Handler) -> None:
    rules = handler.server.requests[-1].texts[0]
    says(ACCEPT if "Accept or Reject" in rules else PLAN)(handler)


def test_a_model_plans_and_judges_and_the_page_says_what_it_took(kinesight, workspace: Path) -> None:
    with serving([plans_and_judges]) as server:
        outcome = kinesight(*COMMAND, *CHAT, server.url, "--set", *PRICES, "--out", "asked")
        assert outcome.status == 0, outcome.err
    (episode,) = read_results(workspace / "asked").episodes
    assert [event.kind for event in episode.events[:5]] == ["chat", "plan", "imagine", "chat", "accept"]
    assert episode.events[1].reason == "start: move 0.12 m, pull 0.20 m"
    assert "It is pressed." in episode.events[4].reason
    assert "fallback" not in episode.counts
    asked = episode.counts["chat"]
    assert episode.metrics["chat_requests"] == len(server.requests) == asked >= 2
    assert episode.metrics["chat_cost"] == pytest.approx(asked * (812 + 2 * 40) / 1e6)
    page = (workspace / "asked/report.html").read_text()
    assert f"questions to a model</dt><dd>{asked}</dd>" in page
    assert f"{812 * asked} + {40 * asked}" in page


def test_the_planner_is_shown_a_larger_picture_than_the_policy(kinesight, workspace: Path) -> None:
    sizes = ("agent.chat_planner.size=200", "agent.chat.pictures.least_side=0", "agent.chat.cache=null")
    with serving([says(PLAN)]) as server:
        asked = ("--planner", "chat", "--chat-model", "toy", "--chat-url", server.url)
        outcome = kinesight(*COMMAND, *asked, "--set", *sizes, "--out", "large")
        assert outcome.status == 0, outcome.err
    assert {picture.shape for request in server.requests for picture in request.pictures} == {(200, 200, 3)}


def test_without_answers_the_fallback_plans_and_the_page_says_so(kinesight, workspace: Path) -> None:
    with serving([fails(503)]) as server:
        settings = ("agent.chat.attempts=1", "agent.chat.most_failed=1", "agent.chat.cache=null")
        outcome = kinesight(*COMMAND, *CHAT, server.url, "--set", *settings, "--out", "silent")
        assert outcome.status == 0, outcome.err
    (episode,) = read_results(workspace / "silent").episodes
    assert episode.counts["fallback"] >= 2
    assert len(server.requests) == 2, "one of the planner, one of the judge"
    page = (workspace / "silent/report.html").read_text()
    assert f"times without its answer</dt><dd>{episode.counts['fallback']}</dd>" in page
