"""`kinesight show`: from the expert, from a data set, and how wrong use is answered."""

from pathlib import Path

import cv2
import pytest

EXPERT = ("show", "--env", "tabletop", "--task", "press-sum", "--seed", "1", "--size", "96", "--frames", "3")


def test_the_expert_and_a_data_set(elsewhere):
    outcome = elsewhere(*EXPERT, "--out", "expert.html")
    assert (outcome.status, outcome.out) == (0, "expert.html\n")
    assert "press" in Path("expert.html").read_text()
    collect = (
        "collect",
        "--env",
        "tabletop",
        "--tasks",
        "press-sum",
        "--cameras",
        "front",
        "--episodes",
        "1",
    )
    assert elsewhere(*collect, "--size", "32", "--workers", "1", "--out", "data").status == 0
    assert elsewhere("show", "data", "--frames", "3", "--out", "stored.png").status == 0
    assert cv2.imread("stored.png") is not None


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("show",), "show either a data set"),
        (("show", "data", "--task", "push"), "show either a data set"),
        (("show", "--task", "door-opn"), "Did you mean 'door-open'?"),
        ((*EXPERT, "--camera", "frnt"), "Unknown tabletop camera 'frnt'. Did you mean 'front'?"),
        ((*EXPERT, "--split", "unseen-colors"), "Did you mean 'unseen-colours'?"),
        (
            (*EXPERT, "--variation", "9"),
            "Unknown variation 9 of 'press-sum'. There are: 0 any, 1 sum, 2 diff",
        ),
        ((*EXPERT, "--out", "x.gif"), "ends in .png, .html, .rrd, got x.gif"),
        (("show", "--task", "push", "--split", "odd"), "Unknown metaworld split 'odd'"),
        ((*EXPERT, "--frames", "1"), "at least 2 are needed, got 1"),
    ],
)
def test_wrong_use_is_answered_in_one_line(words: tuple[str, ...], message: str, elsewhere):
    outcome = elsewhere(*words)
    assert outcome.status == 2
    (line,) = outcome.err.splitlines()
    assert line.startswith("kinesight: ")
    assert message in line
