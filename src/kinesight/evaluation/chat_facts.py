"""What an evaluation's questions to a language model took, for the page."""

from collections.abc import Sequence

from kinesight.language.consult import FALLBACK
from kinesight.types.results import EpisodeResult


def chat_facts(episodes: Sequence[EpisodeResult]) -> list[tuple[str, str]]:
    """Labels with sums over the episodes' `chat_…` metrics; nothing where no model was asked."""

    def total(name: str) -> float | None:
        values = [episode.metrics[name] for episode in episodes if name in episode.metrics]
        return sum(values) if values else None

    asked = total("chat_asked")
    if not asked:
        return []
    facts = [("questions to a model", f"{asked:.0f}")]
    if fallbacks := sum(episode.counts.get(FALLBACK, 0) for episode in episodes):
        facts.append(("times without its answer", str(fallbacks)))
    tokens = total("chat_tokens_in"), total("chat_tokens_out")
    if tokens != (None, None):
        facts.append(("tokens, asked + answered", " + ".join(f"{count or 0:.0f}" for count in tokens)))
    cost = total("chat_cost")
    if cost is not None:
        facts.append(("cost of the questions", f"{cost:.4g}"))
    return facts
