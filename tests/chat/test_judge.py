"""The video judge against a real server, and the contact sheet that it shows."""

from dataclasses import replace

import numpy as np
import pytest
from chat_server import breaks_off, fails, hangs, says

from kinesight.critics.chat_judge import UNKNOWN, ChatJudge, ChatJudgeConfig
from kinesight.geometry.contact_sheet import CAPTION, MARGIN, chosen_frames, contact_sheet
from kinesight.interfaces.stages import Critic
from kinesight.language.chat import ChatConfig
from kinesight.language.messages import PictureConfig
from kinesight.language.prompts import EXAMPLE
from kinesight.types.errors import UsageError
from kinesight.types.observation import Observation
from kinesight.types.serial import from_json, to_json
from kinesight.types.video import ImaginedVideo

pytestmark = pytest.mark.extra
ACCEPT = "objects: yes\narm: yes\nplan: no\nprogress: yes\nverdict: Accept\nreason: The drawer opens."
REJECT = "objects: no\narm: yes\nplan: no\nprogress: no\nverdict: Reject\nreason: The drawer melts."
SEEN = Observation(5, "open it", {}, np.array([0, 0, 0, 0, 0, 0, 1, 1.0]))


def frame(number: int, size: int = 16) -> np.ndarray:
    """Every frame has a colour of its own."""
    return np.full((size, size, 3), (20 * number, 255 - 20 * number, 100), np.uint8)


@pytest.fixture
def video() -> ImaginedVideo:
    return ImaginedVideo(frame(0), np.stack([frame(i) for i in range(1, 8)]), EXAMPLE, "open the drawer")


@pytest.fixture
def judge(asking):
    def make(server, chat: dict | None = None, **changes) -> ChatJudge:
        client = asking(server, **{"pictures": PictureConfig(least_side=0)} | (chat or {})).client
        return ChatJudge(ChatJudgeConfig(client.config, **changes), client)

    return make


@pytest.mark.parametrize(
    ("answer", "ok", "score"),
    [pytest.param(ACCEPT, True, 0.75, id="accept"), pytest.param(REJECT, False, 0.25, id="reject")],
)
def test_the_word_decides_and_the_criteria_are_the_score(serve, judge, video, answer, ok, score):
    made = judge(serve(says(answer)))
    verdict = made.judge(video, SEEN)
    assert isinstance(made, Critic)
    assert (verdict.ok, verdict.score) == (ok, score)
    assert verdict.reason.endswith(": The drawer opens." if ok else ": The drawer melts.")
    assert verdict.terms["answered"] == 1.0
    assert set(verdict.terms) == {"objects", "arm", "plan", "progress", "answered"}
    assert verdict.notes[0].reason == "verdict by toy, 1 question, 812 + 40 tokens"


def test_it_sees_the_task_the_plan_and_all_frames_in_order(serve, judge, video):
    server = serve(says(ACCEPT))
    judge(server, tile_height=16, columns=3).judge(video, SEEN)
    (request,) = server.requests
    rules, question = request.texts
    assert "Accept or Reject" in rules
    for part in ("open the drawer", "1. move [1, -1, 0] [0.12]", "0 is real, 1 to 7 are imagined"):
        assert part in question
    (sheet,) = request.pictures
    assert np.array_equal(sheet, contact_sheet(np.stack([frame(i) for i in range(8)]), 3, 16))


def test_frames_may_be_sent_one_by_one(serve, judge, video):
    server = serve(says(ACCEPT))
    judge(server, layout="frames", most_frames=3).judge(video, SEEN)
    (request,) = server.requests
    assert [p[0, 0].tolist() for p in request.pictures] == [frame(i)[0, 0].tolist() for i in (0, 1, 4, 7)]
    assert "the 3 that follow are imagined" in request.texts[1]


def test_without_a_plan_it_is_not_asked_about_one(serve, judge, video):
    server = serve(says("objects: yes\narm: yes\nprogress: yes\nverdict: Accept\nreason: Fine."))
    verdict = judge(server).judge(replace(video, plan=None), SEEN)
    assert set(verdict.terms) == {"objects", "arm", "progress", "answered"}
    assert "- plan:" not in server.requests[0].texts[0]


@pytest.mark.parametrize("default", ["accept", "reject"])
@pytest.mark.parametrize(
    ("behaviour", "name"),
    [
        (says("Looks good to me!"), "UnreadableReply"),
        (says(ACCEPT, "length"), "TruncatedReply"),
        (says(None, refusal="no"), "RefusedReply"),
        (fails(503), "EndpointError"),
        (breaks_off, "EndpointError"),
        (hangs, "EndpointError"),
    ],
)
def test_without_an_answer_the_default_holds_and_says_so(serve, judge, video, behaviour, name, default):
    patience = {"attempts": 2, "timeout_s": 0.3 if behaviour is hangs else 20.0}
    made = judge(serve(behaviour), patience, without_answer=default)
    verdict = made.judge(video, SEEN)
    assert verdict.ok == (default == "accept")
    assert (verdict.score, verdict.terms) == (UNKNOWN, {"answered": 0.0})
    (note,) = verdict.notes
    assert note.kind == "fallback"
    assert note.reason.startswith(f"{default}ed without a judgement: {name}: ")
    assert verdict.reason == f"{default}ed without a judgement"


def test_an_unreadable_answer_is_sent_back_once(serve, judge, video):
    server = serve(says("Accept"), says(REJECT))
    assert not judge(server).judge(video, SEEN).ok
    assert "expected 6 lines" in server.requests[1].texts[-1]


def test_another_video_is_another_question(serve, judge, video):
    server = serve(says(ACCEPT), says(REJECT))
    made = judge(server)
    changed = replace(video, frames=np.concatenate([video.frames[:-1], video.frames[:1]]))
    assert [made.judge(v, SEEN).ok for v in (video, changed, video, changed)] == [True, False, True, False]
    assert len(server.requests) == 2


@pytest.mark.parametrize("changes", [{"most_frames": 0}, {"columns": 0}, {"tile_height": 0}])
def test_wrong_settings(judge, changes):
    with pytest.raises(UsageError, match="positive"):
        judge("http://127.0.0.1:9/v1", **changes)


def test_settings_survive_a_recipes_file():
    config = ChatJudgeConfig(ChatConfig("toy"), "frames", without_answer="reject")
    assert from_json(ChatJudgeConfig, to_json(config)) == config


class TestContactSheet:
    @pytest.mark.parametrize(("count", "columns"), [(1, 3), (3, 3), (4, 3), (8, 3), (8, 1), (8, 20)])
    def test_every_frame_is_found_at_its_place_in_reading_order(self, count, columns):
        frames = np.stack([frame(i) for i in range(count)])
        sheet = contact_sheet(frames, columns, 16)
        wide = min(columns, count)
        for index in range(count):
            top = MARGIN + index // wide * (16 + CAPTION + MARGIN) + CAPTION
            left = MARGIN + index % wide * (16 + MARGIN)
            assert np.array_equal(sheet[top : top + 16, left : left + 16], frames[index])
            caption = sheet[top - CAPTION : top, left : left + 16]
            assert caption.min() < 128, "a number stands above"

    def test_proportions_are_kept(self):
        sheet = contact_sheet(np.zeros((1, 10, 20, 3), np.uint8), 1, 40)
        assert (sheet == 0).all(-1).sum() >= 40 * 80
        assert sheet.shape == (40 + CAPTION + 2 * MARGIN, 80 + 2 * MARGIN, 3)

    @pytest.mark.parametrize(("most", "chosen"), [(1, [7]), (2, [1, 7]), (3, [1, 4, 7]), (7, [*range(1, 8)])])
    def test_the_last_frame_is_always_chosen(self, video, most, chosen):
        frames = chosen_frames(video.first, video.frames, most)
        assert [f[0, 0, 0] // 20 for f in frames] == [0, *chosen]
        assert np.array_equal(frames, chosen_frames(video.first, video.frames, most + (most == 7) * 5))

    def test_a_first_picture_of_another_size_fits(self, video):
        assert chosen_frames(frame(0, 40), video.frames, 2).shape == (3, 16, 16, 3)

    def test_nothing_to_show(self, video):
        with pytest.raises(ValueError, match="got 0, 3 and 16"):
            contact_sheet(video.frames[:0], 3, 16)
