"""Answers that are not places: depths, choices, progress."""

import random

import numpy as np
import pytest

from kinesight.language.dialects.answers import (
    AnswerError,
    Progress,
    read_choice,
    read_depth_offsets,
    read_progress,
    write_choice,
    write_depth_offsets,
    write_progress,
)

OPTIONS = ("left", "right", "in front", "behind")


def test_depths_come_back_to_half_a_centimetre():
    generator = np.random.default_rng(0)
    for _ in range(50):
        depth_m = 0.3 + generator.random(8)
        offsets = read_depth_offsets(write_depth_offsets(depth_m), 8)
        np.testing.assert_allclose(offsets, depth_m - depth_m[0], atol=0.005 + 1e-9)
        assert offsets[0] == 0
    assert write_depth_offsets(np.array([1.0, 0.999, 1.06])) == "<answer_start>[0.00, 0.00, 0.06]<answer_end>"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "8 numbers in metres"),
        ("<answer_start>[0.00, -0.06]<answer_end>", "8 numbers in metres"),
        ("[0.00" + ", 0.1" * 7 + "]", "8 numbers in metres"),
        ("<answer_start>[0.00" + ", nan" * 7 + "]<answer_end>", "8 numbers in metres"),
        ("<answer_start>[0.00" + ", 1e1" * 7 + "]<answer_end>", "8 numbers in metres"),
        ("<answer_start>[0.91" + ", 0.9" * 7 + "]<answer_end>", "0.00 at the first point"),
    ],
)
def test_bad_depths_are_named(text: str, message: str):
    with pytest.raises(AnswerError, match=message):
        read_depth_offsets(text, 8)


@pytest.mark.parametrize("option", range(4))
def test_a_choice_is_named_by_letter_by_words_or_by_both(option: int):
    letter, words = "ABCD"[option], OPTIONS[option]
    for text in (
        letter,
        f"({letter})",
        f"{letter}.",
        words,
        words.upper(),
        f" {words}. ",
        f"({letter}) {words}",
    ):
        assert read_choice(text, OPTIONS) == option
    assert read_choice(write_choice(option, OPTIONS), OPTIONS) == option


@pytest.mark.parametrize("text", ["", "E", "a", "A B", "A. right", "above", "A or B", "left or right", "AA"])
def test_other_words_are_no_choice(text: str):
    with pytest.raises(AnswerError, match=r"one of A\. left, B\. right"):
        read_choice(text, OPTIONS)


@pytest.mark.parametrize("completed", [0, 1, 2, 17])
@pytest.mark.parametrize("finished", [True, False])
def test_progress_comes_back(completed: int, finished: bool):
    progress = Progress(completed, finished)
    assert read_progress(write_progress(progress)) == progress


@pytest.mark.parametrize(
    "text", ["", "2", "two steps completed, task finished", "-1 steps completed, task finished"]
)
def test_other_sentences_are_no_progress(text: str):
    with pytest.raises(AnswerError, match="2 steps completed, task not finished"):
        read_progress(text)


def test_broken_answers_are_named_and_nothing_else():
    chance = random.Random(3)
    whole = ["2 steps completed, task not finished", "(A) left", write_depth_offsets(np.linspace(1, 2, 8))]
    for _ in range(500):
        text = chance.choice(whole)
        cut, end = sorted(chance.randint(0, len(text)) for _ in range(2))
        text = text[:cut] + chance.choice(("", "9" * 9, "é٣", "\0", text)) + text[end:]
        for read in (read_progress, lambda t: read_choice(t, OPTIONS), lambda t: read_depth_offsets(t, 8)):
            try:
                assert read(text) is not None
            except AnswerError as error:
                assert len(str(error)) < 400  # noqa: PT017
