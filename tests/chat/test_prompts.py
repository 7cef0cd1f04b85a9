"""What the prompts demand is what the readers accept, and the axes in words are those of the geometry."""

import numpy as np
import pytest

from kinesight.geometry.plan_frame import DEAD_ZONE_M, offset_to_plan
from kinesight.language.chat_errors import RefusedReply
from kinesight.language.plan_text import PlanError, format_plan, parse_plan
from kinesight.language.prompts import (
    CANNOT,
    CRITERIA,
    EXAMPLE,
    VERB_MEANINGS,
    correction,
    in_words,
    judge_question,
    judge_rules,
    planner_question,
    planner_rules,
)
from kinesight.language.replies import JudgementError, read_judgement, read_plan
from kinesight.types.camera import Camera
from kinesight.types.plan import VERBS, Feedback, PlanRow, SpatialPlan

RULES = planner_rules(DEAD_ZONE_M)
ACCEPT = "objects: yes\narm: yes\nplan: no\nprogress: yes\nverdict: Accept\nreason: The drawer opens."
TEN = SpatialPlan((PlanRow("move", (1, 0, 0), 0.1),) * 10)


class TestPlanner:
    def test_every_verb_of_the_vocabulary_is_explained_and_no_other(self):
        assert tuple(VERB_MEANINGS) == tuple(verb for verb in VERBS if verb != "pad")
        assert all(f"- {verb}: " in RULES for verb in VERB_MEANINGS)

    def test_the_example_is_read_by_the_strict_reader(self):
        text = format_plan(EXAMPLE)
        assert text in RULES
        assert read_plan(text, 1.0) == EXAMPLE

    @pytest.mark.parametrize(
        ("opencv", "axis", "word"),
        [
            ((1, 0, 0), "x", "right"),
            ((-1, 0, 0), "x", "left"),
            ((0, 1, 0), "y", "down"),
            ((0, -1, 0), "y", "up"),
            ((0, 0, 1), "z", "forward"),
            ((0, 0, -1), "z", "back"),
        ],
    )
    def test_words_agree_with_the_plan_frame(self, opencv, axis, word):
        """One step along an OpenCV axis of a camera that looks anywhere."""
        pose = np.eye(4)
        pose[:3, :3] = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]
        pose[:3, :3] *= np.linalg.det(pose[:3, :3])
        camera = Camera("c", np.diag([50.0, 50, 1]), pose, 8, 8)
        offset_m = offset_to_plan(0.1 * pose[:3, :3] @ np.array(opencv, float), camera)
        sign = "+" if offset_m.sum() > 0 else "-"
        assert f"{axis} {sign}0.100 ({word})" in in_words(offset_m)
        assert in_words(offset_m).endswith("; distance 0.100")
        line = next(line for line in RULES.splitlines() if line.startswith(f"- {axis}: "))
        assert word in line.split(f"{sign} is", 1)[1].split(", - is" if sign == "+" else "\n")[0]

    def test_an_offset_of_nothing_has_no_direction(self):
        assert in_words(np.array([0.0004, 0.0, -0.0004])) == "x 0.000, y 0.000, z 0.000; distance 0.001"

    def test_the_question_holds_what_is_known_and_nothing_else(self):
        bare = planner_question("open the door", {})
        assert "open the door" in bare
        assert "Measured" not in bare
        assert "asked now" not in bare
        offsets = {"from the gripper to the handle": np.array([0.05, -0.1, 0.0])}
        full = planner_question("open the door", offsets, Feedback("stuck", ("move", "grasp")))
        measured = "- from the gripper to the handle: x +0.050 (left), y -0.100 (down), z 0.000"
        assert measured in full
        assert "asked now: stuck" in full
        assert "move; grasp" in full


class TestPlanReader:
    @pytest.mark.parametrize("text", ["{}", "```\n{}\n```", "```text\n{}```\n", "\n{}\n"])
    def test_a_fence_round_the_whole_is_forgiven(self, text):
        assert read_plan(text.format(format_plan(EXAMPLE)), 1.0) == EXAMPLE

    @pytest.mark.parametrize("text", ["Plan:", "```\nPlan:\n```"])
    def test_a_task_that_is_done_has_no_rows(self, text):
        assert read_plan(text, 1.0).rows == ()

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("I'm sorry, but I can't help with that.", "expected the header 'Plan:'"),
            ("Sure! Here it is:\nPlan:\n1. move [1, 0, 0] [0.10]", "expected the header"),
            ("```\nPlan:\n```\nGood luck!", "expected the header"),
            ("Plan:\n1. teleport [1, 0, 0] [0.10]", "one of the verbs move, .* got 'teleport'"),
            ("Plan:\n1. move [1, 0, 0] [0.1", "expected a row"),
            ("Plan:\n1. move [1, 0, 0] [3.00]", r"at most 2 m, got '3 m in row 1'"),
            (format_plan(TEN) + "\n11. move [1, 0, 0] [0.10]", "at most 10 rows, got '11 rows'"),
        ],
    )
    def test_what_is_no_plan_says_why(self, text, message):
        with pytest.raises(PlanError, match=message):
            read_plan(text, 2.0)

    def test_ten_rows_and_the_longest_distance_are_allowed(self):
        assert read_plan(format_plan(TEN), 0.1) == TEN

    def test_a_refusal_in_the_agreed_form(self):
        assert f"{CANNOT} and the reason" in RULES
        with pytest.raises(RefusedReply, match="declined: the arm hides the handle"):
            read_plan(f"{CANNOT} the arm hides\nthe handle", 1.0)


class TestJudge:
    def test_the_form_in_the_rules_is_read_by_the_reader(self):
        rules = judge_rules(CRITERIA)
        form = rules.split("no markup:\n")[1].split("\n\n")[0]
        judgement = read_judgement(form, tuple(CRITERIA))
        assert judgement.accept
        assert judgement.terms == dict.fromkeys(CRITERIA, 1.0)
        assert all(f"- {name}: {meaning}" in rules for name, meaning in CRITERIA.items())

    def test_only_what_is_asked_is_read(self):
        assert "- plan:" not in judge_rules({"arm": CRITERIA["arm"]})
        said = read_judgement("arm: no\nverdict: Reject\nreason: It breaks.", ("arm",))
        assert (said.accept, said.terms, said.reason) == (False, {"arm": 0.0}, "It breaks.")

    def test_the_word_decides(self):
        judgement = read_judgement(f"```\n{ACCEPT}\n```", tuple(CRITERIA))
        assert judgement.accept
        assert judgement.terms == {"objects": 1.0, "arm": 1.0, "plan": 0.0, "progress": 1.0}

    @pytest.mark.parametrize(
        ("old", "new", "message"),
        [
            ("Accept", "accept", "Accept or Reject after 'verdict:', got 'accept'"),
            ("Accept", "Accept or Reject", "after 'verdict:'"),
            ("arm: yes", "arm: mostly", "yes or no after 'arm:', got 'mostly'"),
            ("arm: yes", "arm yes", "expected a line 'arm: …', got 'arm yes'"),
            ("arm: yes\n", "", "expected 6 lines, objects, arm, plan, progress, verdict, reason; got 5"),
            ("objects: yes\narm: yes", "arm: yes\nobjects: yes", "expected a line 'objects: …'"),
            ("reason: The drawer opens.", "reason:", "expected a line 'reason: …'"),
            ("The drawer", "The\ndrawer", "got 7"),
            (ACCEPT, "I cannot see a video.", "got 1"),
            (ACCEPT, "", "got 0"),
        ],
    )
    def test_what_is_no_judgement_says_why(self, old, new, message):
        with pytest.raises(JudgementError, match=message):
            read_judgement(ACCEPT.replace(old, new), tuple(CRITERIA))

    def test_the_question_shows_the_plan_as_the_planner_writes_it(self):
        question = judge_question("open the door", EXAMPLE, "Three pictures.")
        assert parse_plan("Plan:" + question.split("Plan:")[1].split("\n\n")[0]) == EXAMPLE
        assert question.endswith("Three pictures.")
        assert "Plan:" not in judge_question("open the door", None, "Three pictures.")


def test_a_correction_repeats_the_problem():
    assert "got 'teleport'" in correction("got 'teleport'")
