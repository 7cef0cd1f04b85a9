"""How alike two sentences are, by their words and by their letters.

Both go from 0 to 1 and are reported under these names. Neither is a BERTScore, which ST-VLA reports (section
I.3): that needs the weights of a language model, and its values are not comparable with these.
"""

from collections import Counter
from collections.abc import Hashable, Sequence

from kinesight.language.words import split_words

LONGEST_NGRAM = 6
BETA = 2.0


def token_f1(answer: str, truth: str) -> float:
    """F1 of the two bags of words (lower-cased runs of letters and digits); 1 for two empty sentences."""
    words, true_words = split_words(answer), split_words(truth)
    if not words or not true_words:
        return float(words == true_words)
    shared = _shared(words, true_words)
    return 2 * shared / (len(words) + len(true_words))


def chrf(answer: str, truth: str, longest: int = LONGEST_NGRAM, beta: float = BETA) -> float:
    """chrF (Popović 2015): F-beta of precision and recall averaged over character n-grams of 1 … `longest`.

    White space is left out, upper and lower case differ; n-grams longer than either sentence do not count.
    """
    letters, true_letters = "".join(answer.split()), "".join(truth.split())
    if not letters or not true_letters:
        return float(letters == true_letters)
    orders = range(1, min(longest, len(letters), len(true_letters)) + 1)
    precision = recall = 0.0
    for n in orders:
        grams, true_grams = _ngrams(letters, n), _ngrams(true_letters, n)
        shared = _shared(grams, true_grams)
        precision += shared / len(grams) / len(orders)
        recall += shared / len(true_grams) / len(orders)
    if precision + recall == 0:
        return 0.0
    return (1 + beta**2) * precision * recall / (beta**2 * precision + recall)


def _ngrams(text: str, n: int) -> list[str]:
    return [text[start : start + n] for start in range(len(text) - n + 1)]


def _shared(first: Sequence[Hashable], second: Sequence[Hashable]) -> int:
    return (Counter(first) & Counter(second)).total()
