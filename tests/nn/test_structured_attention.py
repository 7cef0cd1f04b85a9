"""Who sees whom, token by token, and what that means for what depends on what."""

import pytest
import torch

from kinesight.nn.structured_attention import (
    Segment,
    StagedTransformer,
    causal_mask,
    structured_mask,
    with_padding,
)
from kinesight.types.errors import UnknownName

C, F, L, A = Segment.CORE, Segment.FRAME, Segment.LATENT, Segment.ACTION
COUNTS = {C: 3, F: 2, L: 4, A: 2}


def test_every_pair_of_tokens() -> None:
    segments = [C, C, F, F, L, L, L, A, A]
    expected = [
        "xx.......",
        "xx.......",
        "xxxx.....",
        "xxxx.....",
        "xxxxx....",
        "xxxxxx...",
        "xxxxxxx..",
        "xxxxxxxxx",
        "xxxxxxxxx",
    ]
    found = ["".join("x" if seen else "." for seen in row) for row in structured_mask(segments).tolist()]
    assert found == expected


def test_the_causal_baseline_ignores_segments() -> None:
    segments = [C, C, F, L, A]
    found = causal_mask(segments)
    assert found.tolist() == [[key <= query for key in range(5)] for query in range(5)]
    assert not torch.equal(found, structured_mask(segments))


def test_padding_is_seen_by_nobody_but_itself() -> None:
    valid = torch.tensor([[True, False, True, True], [True, True, True, True]])
    mask = with_padding(structured_mask([C, C, F, A]), valid)
    assert mask.shape == (2, 1, 4, 4)
    assert mask[0, 0, :, 1].tolist() == [False, True, False, False]
    assert torch.equal(mask[1, 0], structured_mask([C, C, F, A]))
    assert bool(mask.any(-1).all()), "no softmax is over nothing"


@pytest.fixture(scope="module")
def transformer() -> StagedTransformer:
    torch.manual_seed(0)
    return StagedTransformer(COUNTS, features=8, blocks=3, heads=2, attention="structured")


def stages(transformer: StagedTransformer, core: torch.Tensor) -> dict[str, torch.Tensor]:
    said = transformer(core, torch.ones(core.shape[:2], dtype=torch.bool))
    return {"frame": said.frame, "latent": said.latent, "action": said.action}


@pytest.mark.parametrize(
    ("stage", "place", "blind"),
    [
        ("frame", 0, range(2, 8)),  # neither the latent plan nor the action
        ("latent", 0, range(3, 8)),  # no later code, no action
        ("latent", 2, range(5, 8)),
        ("action", 0, range(0)),
    ],
)
def test_a_stage_depends_on_what_comes_before_it_alone(
    transformer: StagedTransformer, stage: str, place: int, blind: range
) -> None:
    """Of the eight queries: two of the frame, four latent ones, two of the action."""
    transformer.zero_grad()
    core = torch.randn(1, 3, 8, generator=torch.Generator().manual_seed(1), requires_grad=True)
    stages(transformer, core)[stage][0, place].square().sum().backward()
    assert transformer.queries.grad is not None
    assert core.grad is not None
    moved = transformer.queries.grad.abs().sum(-1) > 0
    assert [number for number in range(8) if not moved[number]] == list(blind)
    assert bool((core.grad.abs().sum(-1) > 0).all())


def test_the_causal_setting_makes_a_causal_transformer() -> None:
    torch.manual_seed(0)
    causal = StagedTransformer(COUNTS, features=8, blocks=3, heads=2, attention="causal")
    core = torch.randn(1, 3, 8, generator=torch.Generator().manual_seed(1))
    for stage, place, blind in (("frame", 0, range(1, 8)), ("latent", 1, range(4, 8)), ("action", 1, ())):
        causal.zero_grad()
        stages(causal, core)[stage][0, place].square().sum().backward()
        assert causal.queries.grad is not None
        unmoved = (causal.queries.grad.abs().sum(-1) == 0).nonzero().flatten().tolist()
        assert unmoved == list(blind), stage


def test_what_stands_for_nothing_changes_nothing(transformer: StagedTransformer) -> None:
    core = torch.randn(2, 3, 8, generator=torch.Generator().manual_seed(2))
    known = torch.tensor([[True, True, False]] * 2)
    changed = core.clone()
    changed[:, 2] += 10
    for name in ("frame", "latent", "action"):
        one, other = getattr(transformer(core, known), name), getattr(transformer(changed, known), name)
        torch.testing.assert_close(one, other)


def test_an_unknown_attention_is_named() -> None:
    with pytest.raises(UnknownName, match=r"attention 'structred'. Did you mean 'structured'"):
        StagedTransformer(COUNTS, 8, 1, 2, "structred")
