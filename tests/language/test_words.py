import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kinesight.language.words import PAD, UNKNOWN, Vocabulary, split_words
from kinesight.types.errors import DataError

laws = settings(max_examples=50, deadline=None)
SENTENCES = ["Open the door.", "close the DOOR", "press the button from the top-down side"]


def test_words_pad_and_unknown():
    vocabulary = Vocabulary.from_sentences(["open the door"])
    assert vocabulary.words == ("door", "open", "the")
    assert vocabulary.size == 5
    ids = vocabulary.encode("Open the window, the door!", 7)
    assert ids.dtype == np.int64
    assert ids.tolist() == [3, 4, UNKNOWN, 4, 2, PAD, PAD]
    assert vocabulary.encode("open the door", 2).tolist() == [3, 4], "cut off"
    assert vocabulary.encode("", 2).tolist() == [PAD, PAD]


@laws
@given(st.lists(st.text(max_size=30), max_size=6), st.randoms())
def test_order_of_sentences_does_not_matter(sentences, random):
    vocabulary = Vocabulary.from_sentences(sentences)
    shuffled = sentences * 2
    random.shuffle(shuffled)
    assert Vocabulary.from_sentences(shuffled) == vocabulary
    assert Vocabulary.from_json(vocabulary.to_json()) == vocabulary
    for sentence in sentences:
        length = len(split_words(sentence))
        ids = vocabulary.encode(sentence, length)
        assert [vocabulary.words[index - 2] for index in ids] == split_words(sentence)


def test_distinct_sentences_get_distinct_ids():
    vocabulary = Vocabulary.from_sentences(SENTENCES)
    assert len({tuple(vocabulary.encode(sentence, 10)) for sentence in SENTENCES}) == len(SENTENCES)


@pytest.mark.parametrize("words", [["b", "a"], ["a", "a"]])
def test_a_foreign_vocabulary_is_refused(words):
    with pytest.raises(DataError, match="sorted and unique"):
        Vocabulary.from_json(words)
