"""What a long phase prints where there is no terminal."""

import pytest

from kinesight.data import progress
from kinesight.data.progress import ProgressLine, duration


def test_plain_lines_now_and_then_and_one_at_the_end(capsys, monkeypatch):
    clock = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: clock[0])
    with ProgressLine("collect", 100, done=40) as line:
        for done in range(41, 101):
            clock[0] += 0.5
            line.update(done, "2 failed" if done == 60 else None)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.splitlines() == [
        "collect: 71/100, 2.0/s, 14 s left, 2 failed",
        "collect: 100/100, 2.0/s, 2 failed",
    ]


def test_an_error_leaves_a_line_that_says_how_far_it_came(capsys):
    with pytest.raises(KeyboardInterrupt), ProgressLine("train", 9):
        raise KeyboardInterrupt
    assert capsys.readouterr().err == "train: 0/9\n"


def test_nothing_is_printed_where_nobody_looks(capsys):
    with ProgressLine("evaluate", 2, visible=False) as line:
        line.update(2)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0 s"), (59, "59 s"), (200, "3 min 20 s"), (7500, "2 h 05 min")]
)
def test_durations(seconds, text):
    assert duration(seconds) == text
