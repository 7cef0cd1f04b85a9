"""A word tokeniser for short instructions, for models that are trained from scratch.

Words are lower-cased runs of letters and digits; everything else separates them. Id 0 is padding, id 1 a
word that the vocabulary does not hold, the rest follow in alphabetical order.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

from kinesight.types.errors import DataError

PAD, UNKNOWN = 0, 1


def split_words(sentence: str) -> list[str]:
    return re.findall(r"[^\W_]+", sentence.lower())


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Known words in alphabetical order; the k-th word's id is k + 2."""

    words: tuple[str, ...]

    def __post_init__(self) -> None:
        if list(self.words) != sorted(set(self.words)):
            raise DataError(f"a vocabulary's words must be sorted and unique, got {self.words[:20]}")

    @classmethod
    def from_sentences(cls, sentences: Iterable[str]) -> "Vocabulary":
        return cls(tuple(sorted({word for sentence in sentences for word in split_words(sentence)})))

    @property
    def size(self) -> int:
        """How many ids there are, with padding and unknown."""
        return len(self.words) + 2

    def encode(self, sentence: str, length: int) -> Int[np.ndarray, "n"]:
        """Ids [length] int64: cut off at `length`, padded with 0 on the right."""
        table = {word: index for index, word in enumerate(self.words, 2)}
        ids = np.full(length, PAD, np.int64)
        words = split_words(sentence)[:length]
        ids[: len(words)] = [table.get(word, UNKNOWN) for word in words]
        return ids

    def to_json(self) -> list[str]:
        return list(self.words)

    @classmethod
    def from_json(cls, words: Iterable[str]) -> "Vocabulary":
        return cls(tuple(words))
