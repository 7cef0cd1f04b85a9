"""SSM-VLA: what its stages may know, what it is trained on, and what it refuses."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from model_samples import JOINT, LATENT, build, gather, generator, observe_again
from torch.nn import functional as F

from kinesight.data.episodes import EpisodeStore
from kinesight.models.latent_codes import PAST_THE_END
from kinesight.models.ssm_vla import SsmVla, SsmVlaConfig
from kinesight.models.ssm_vla_batch import SsmVlaBatch, randomly_shifted
from kinesight.types.camera import Camera
from kinesight.types.errors import DataError, UnknownName, UsageError
from kinesight.types.facts import DataFacts
from kinesight.types.windows import Offsets


def joint(facts: DataFacts, **settings: object) -> SsmVla:
    model = build(replace(JOINT, **settings), facts)  # type: ignore[arg-type]
    assert isinstance(model, SsmVla)
    return model.eval()


def batch_of(model: SsmVla, store: EpisodeStore, size: int = 4) -> SsmVlaBatch:
    return model.collate("policy", gather(model, store, size))


@pytest.fixture(scope="module")
def model(facts: DataFacts) -> SsmVla:
    return joint(facts)


def test_weights_are_those_of_the_paper(facts: DataFacts) -> None:
    """Eq. 14 and 6: the depth's weight is within the vision loss."""
    deep = replace(JOINT, depth=True).build(facts)
    assert dict(deep.loss_weights) == pytest.approx(
        {"rgb": 0.1, "depth": 0.1 * 0.01, "latent": 0.01, "action": 1.0}
    )
    assert dict(joint(facts, frames=0).loss_weights) == {"rgb": 0.1, "action": 1.0}
    assert dict(joint(facts, actions=False).loss_weights) == {"rgb": 0.1, "latent": 0.01}


def test_learning_from_video_reads_no_action_and_no_proprioception(
    facts: DataFacts, store: EpisodeStore
) -> None:
    watching = joint(facts, actions=False)
    assert watching.spec.takes.keys() == {"rgb", "next_rgb", "codes"}
    batch = batch_of(watching, store)
    assert batch.actions is None
    watching.loss("policy", batch, generator())["rgb"].sum().backward()
    acting = joint(facts)
    acting.load_state_dict(watching.state_dict())  # acting goes on from it


def test_true_codes_and_actions_are_seen_by_the_loss_alone(model: SsmVla, store: EpisodeStore) -> None:
    """There is no teacher forcing: what is predicted does not know what is true."""
    batch = batch_of(model, store)
    other = replace(batch, codes=None, actions=None, next_rgb=None)
    with torch.inference_mode():
        one, same = model(batch), model(other)
    for name in ("frame", "latent", "action"):
        assert torch.equal(getattr(one, name), getattr(same, name))


def test_a_frame_that_stands_in_for_one_before_the_episode_is_not_looked_at(
    model: SsmVla, store: EpisodeStore
) -> None:
    batch = batch_of(model, store)
    seen = torch.tensor([[False, True, True]] * 4)
    changed = batch.rgb.clone()
    changed[:, 0] = 255 - changed[:, 0]
    proprio = batch.proprio.clone()
    proprio[:, 0] += 3
    with torch.inference_mode():
        one = model(replace(batch, seen=seen))
        other = model(replace(batch, seen=seen, rgb=changed, proprio=proprio))
        told = model(replace(batch, rgb=changed, proprio=proprio, seen=seen | True))
    torch.testing.assert_close(one.action, other.action)
    assert not torch.allclose(one.action, told.action)


def test_the_present_frame_and_the_words_reach_every_stage(model: SsmVla, store: EpisodeStore) -> None:
    batch = batch_of(model, store)
    bright = batch.rgb.clone()
    bright[:, -1] = 255 - bright[:, -1]
    with torch.inference_mode():
        plain = model(batch)
        for other in (replace(batch, rgb=bright), replace(batch, words=batch.words.flip(0))):
            found = model(other)
            for name in ("frame", "latent", "action"):
                assert not torch.allclose(getattr(plain, name), getattr(found, name)), name


def test_codes_past_the_end_are_not_trained_on(model: SsmVla, store: EpisodeStore) -> None:
    batch = batch_of(model, store)
    assert batch.codes is not None
    codes = batch.codes.clone()
    codes[:, 1] = PAST_THE_END
    part = model.loss("policy", replace(batch, codes=codes), generator())["latent"]
    whole = model.loss("policy", batch, generator())["latent"]
    assert bool((part < whole).all())
    none = model.loss("policy", replace(batch, codes=torch.full_like(codes, PAST_THE_END)), generator())
    assert float(none["latent"].detach().abs().max()) == 0


def test_the_latent_loss_is_the_sum_over_the_plans_codes(facts: DataFacts, store: EpisodeStore) -> None:
    """Eq. 11, with uniform predictions."""
    model = joint(facts)
    assert model.code_head is not None
    torch.nn.init.zeros_(model.code_head.weight)
    torch.nn.init.zeros_(model.code_head.bias)
    found = model.loss("policy", batch_of(model, store), generator())["latent"]
    torch.testing.assert_close(found, torch.full((4,), 4 * np.log(8), dtype=torch.float32))


def test_codes_are_learned_and_predicted_in_the_same_order(facts: DataFacts, store: EpisodeStore) -> None:
    """Key frame by key frame, of each its codes: other numbers of the two would hide a mix-up."""
    model = joint(facts, frames=3)
    sure = torch.eye(8)[:6] * 50

    class Sure(torch.nn.Module):
        def forward(self, queries: torch.Tensor) -> torch.Tensor:
            return sure.expand(len(queries), -1, -1)

    model.code_head = Sure()  # type: ignore[assignment]
    batch = batch_of(model, store)
    true = torch.arange(6).view(3, 2)
    loss = model.loss("policy", replace(batch, codes=true.expand(4, -1, -1)), generator())["latent"]
    assert float(loss.abs().max()) < 1e-6
    observation = observe_again(store, model, torch.tensor([1, 5]), "front")
    predicted = model.predict([observation] * 3, [True] * 3, generator())
    assert predicted.latents is not None
    assert predicted.latents.tolist() == true.tolist()


def test_what_is_learned_lies_ahead_by_as_much_as_the_settings_say(facts: DataFacts) -> None:
    takes = joint(facts, depth=True, ahead=3, horizon=5).spec.takes
    offsets = {name: take.rule.offsets for name, take in takes.items() if isinstance(take.rule, Offsets)}
    assert offsets["next_rgb"] == offsets["next_depth_mm"] == (3,)
    assert offsets["action"] == (0, 1, 2, 3, 4)
    assert offsets["codes"] == (0,)


@pytest.mark.parametrize(("term", "mark"), [("rgb", "next_valid"), ("action", "valid")])
def test_what_lies_after_the_end_is_not_trained_on(
    model: SsmVla, store: EpisodeStore, term: str, mark: str
) -> None:
    batch = batch_of(model, store)
    inside = torch.tensor([[True], [False], [True], [False]]).expand_as(getattr(batch, mark))
    found = model.loss("policy", replace(batch, **{mark: inside}), generator())[term].detach()
    assert (found > 0).tolist() == [True, False, True, False]


def test_all_pictures_of_an_example_move_alike() -> None:
    """Every pixel is its own number, in all of them."""
    pixels = torch.arange(12 * 16, dtype=torch.uint8).view(12, 16).expand(4, 1, -1, -1)
    rgb, words = pixels[..., None].expand(-1, -1, -1, -1, 3), torch.zeros(4, 1, dtype=torch.long)
    still = SsmVlaBatch(rgb, words == 0, words, second=rgb, next_rgb=rgb, next_depth_mm=pixels)
    moved = randomly_shifted(still, 3, generator())
    assert moved.next_depth_mm is not None
    assert not torch.equal(moved.next_depth_mm, pixels)
    for pictures in (moved.rgb, moved.second, moved.next_rgb):
        assert pictures is not None
        assert bool((pictures == moved.next_depth_mm[..., None]).all())


def test_the_next_frame_is_trained_in_units_of_copying(facts: DataFacts, store: EpisodeStore) -> None:
    """In plain units its weight of 0.1 would leave the shared layers next to nothing beside the action."""
    model = joint(facts, shift=0, proprio_noise=0.0)
    batch = batch_of(model, store, size=8)
    now, later = model._colours(batch.rgb[:, -1:])[:, 0], model._colours(batch.next_rgb)[:, 0]
    assert batch.next_valid is not None
    copied = ((now - later).square().mean((1, 2, 3)) * batch.next_valid[:, 0]).sum() / batch.next_valid.sum()
    terms = model.loss("policy", batch, generator())
    drawn = model._draw(model(batch), batch)
    plain = (drawn.rgb - later).square().mean((1, 2, 3)) * batch.next_valid[:, 0]
    torch.testing.assert_close(terms["rgb"], plain / copied)

    def pull(name: str) -> float:
        model.zero_grad()
        loss = model.loss_weights[name] * model.loss("policy", batch, generator())[name].mean()
        loss.backward()
        shared = [p.grad for p in model.stages.parameters() if p.grad is not None]
        return float(torch.stack([gradient.norm() for gradient in shared]).norm())

    assert pull("rgb") > 0.01 * pull("action")


def test_what_draws_nothing_repeats_the_present_frame(facts: DataFacts, store: EpisodeStore) -> None:
    """Training gives it the error of copying. Its depth is what was drawn: none is known to paste it over."""
    model = joint(facts, depth=True, shift=0)
    assert model.frame_head is not None
    depth = torch.linspace(-1, 2, 16)
    torch.nn.init.zeros_(model.frame_head.out.weight)
    model.frame_head.out.bias.data = torch.cat([torch.full((4 * 16,), -1e3), depth])
    batch = batch_of(model, store, size=8)
    assert batch.next_valid is not None
    assert not torch.equal(batch.rgb[:, 0], batch.rgb[:, -1])
    error = model.loss("policy", batch, generator())["rgb"].sum() / batch.next_valid.sum()
    assert float(error.detach()) == pytest.approx(1)

    history = [observe_again(store, model, torch.tensor([1, t]), "front") for t in (1, 3, 5)]
    found = model.predict(history, [True] * 3, generator())
    assert found.video is not None
    assert np.array_equal(found.video.frames[0], history[-1].views["front"].rgb)
    assert found.depth_m == pytest.approx(np.tile(F.softplus(depth).view(4, 4), (3, 4)))


def test_an_action_takes_as_many_steps_as_the_settings_say(facts: DataFacts, store: EpisodeStore) -> None:
    model, levels = joint(facts, steps=5), []
    model.action_head.dit.register_forward_hook(lambda _, given, found: levels.append(float(given[1])))
    observation = observe_again(store, model, torch.tensor([1, 5]), "front")
    model.predict([observation] * 3, [True] * 3, generator())
    assert levels == pytest.approx([1.0, 0.8, 0.6, 0.4, 0.2])


def test_history_is_taken_at_the_offsets_that_the_agent_will_ask_for(model: SsmVla) -> None:
    assert model.offsets == (-4, -2, 0)
    rule = model.spec.takes["rgb"].rule
    assert isinstance(rule, Offsets)
    assert rule.offsets == model.offsets
    assert model.spec.takes["proprio"].rule is rule, "the same frames"


def test_latent_actions_of_another_codebook_are_refused_with_the_numbers(
    facts: DataFacts, model: SsmVla
) -> None:
    model.adopt(build(LATENT, facts))
    with pytest.raises(DataError, match=r"= \(2, 2, 16\), the policy expects \(2, 2, 8\)"):
        model.adopt(build(replace(LATENT, codes=16), facts))
    with pytest.raises(DataError, match=r"= \(3, 2, 8\), the policy expects \(2, 2, 8\)"):
        model.adopt(build(replace(LATENT, frames=3), facts))
    with pytest.raises(UsageError, match="come from LatentActions, got a SsmVla"):
        model.adopt(model)


def test_a_second_view_is_looked_at_beside_the_first(facts: DataFacts, store: EpisodeStore) -> None:
    model = joint(facts, second_view="side")
    assert model.streams["policy"].cameras == ("front",)
    assert model.view("front").cameras == ("front", "side")
    with pytest.raises(UsageError, match="'side' is the policy's second view"):
        model.view("side")
    batch = batch_of(model, store)
    assert batch.second is not None
    with torch.inference_mode():
        one = model(batch)
        other = model(replace(batch, second=255 - batch.second))
    assert not torch.allclose(one.action, other.action)


def test_a_second_view_that_is_not_recorded_is_refused(facts: DataFacts) -> None:
    with pytest.raises(UsageError, match=r"'wrist', the data show front, side; .*second_view=\"\""):
        joint(facts, second_view="wrist")
    alone = {"near/front": Camera("front", np.eye(3), np.eye(4), 12, 16)}
    with pytest.raises(UsageError, match="the data show front"):
        joint(replace(facts, cameras=("front",), calibration=alone), second_view="front")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"history": 0}, "history must be at least 1, got 0"),
        ({"batch_size": 0}, "batch_size must be at least 1, got 0"),
        ({"words": 0}, "words must be at least 1, got 0"),
        ({"size": -8}, "size must be at least 0, got -8"),
        ({"heads": 5}, "features must be a multiple of heads, got 32 and 5"),
        ({"head_features": 5}, "head_features must be a multiple of heads, got 5 and 2"),
        ({"codes": 1}, "a latent plan needs tokens >= 1 and codes >= 2, got 2 and 1;"),
        ({"frames": -1}, "frames must be at least 0, got -1"),
        ({"actions": False, "imagine": False, "frames": 0}, "there is nothing to learn"),
    ],
)
def test_sizes_that_make_no_sense_are_refused(settings: dict[str, int], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        replace(JOINT, **settings)  # type: ignore[arg-type]
    with pytest.raises(UnknownName, match="attention 'causl'"):
        SsmVlaConfig(attention="causl")


def test_the_present_frame_says_what_is_to_be_done(model: SsmVla, store: EpisodeStore) -> None:
    now = observe_again(store, model, torch.tensor([1, 5]), "front")
    before = replace(now, instruction="something else")
    words = model.batch_from([before, before, now], [True] * 3).words
    assert torch.equal(words, model.batch_from([now] * 3, [True] * 3).words)
    assert not torch.equal(words, model.batch_from([before] * 3, [True] * 3).words)


def test_a_history_of_another_length_is_refused(model: SsmVla) -> None:
    with pytest.raises(UsageError, match="looks at 3 frames, got 0"):
        model.batch_from([], [])
