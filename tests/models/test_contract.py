"""What every learned model keeps to: one test for each promise, over all configurations."""

from dataclasses import replace
from typing import Any

import model_samples
import numpy as np
import pytest
import torch
from model_samples import (
    AUTOENCODER,
    JOINT,
    LATENT,
    POLICY,
    VIDEO,
    Config,
    Model,
    build,
    gather,
    generator,
    observe_again,
)
from torch import nn

from kinesight.data.episodes import EpisodeStore
from kinesight.interfaces.model import Student, TrainableModel
from kinesight.interfaces.stages import Imaginer, Policy, Predictor
from kinesight.models.goal_policy import GoalPolicy
from kinesight.models.latent_actions import LatentActions
from kinesight.models.masked_autoencoder import MaskedAutoencoder
from kinesight.models.ssm_vla import SsmVla
from kinesight.models.video_diffusion import VideoDiffusion
from kinesight.nn.checkpoint import load_into, load_tensors, save_tensors
from kinesight.types.errors import UnknownName
from kinesight.types.facts import DataFacts
from kinesight.types.serial import from_json, to_json

CONFIGS: dict[str, Config] = {
    "video-flow": VIDEO,
    "video-v-guided": replace(VIDEO, objective="v", guidance=2.0, patch=1, blocks=2),
    "video-epsilon-linear": replace(VIDEO, objective="epsilon-linear", predict_data=False, guidance=3.0),
    "video-fine": replace(VIDEO, fine_rate=5.0, from_first=0.5),
    "video-text": replace(VIDEO, condition="text", objective="x0"),
    "video-distance": replace(VIDEO, condition="distance", points=("target", "goal", "target")),
    "video-points": replace(VIDEO, condition="plan-points", points=("target", "goal", "target")),
    "video-path": replace(VIDEO, condition="plan-path", points=("target", "goal", "target"), spacing=2),
    "video-local": replace(VIDEO, condition="plan-local", depth=2, guidance=1.5),
    "video-masked": replace(VIDEO, mask_training=0.3, mask_imagining=0.3, objective="epsilon"),
    "policy-epsilon": POLICY,
    "policy-flow": replace(POLICY, objective="flow", horizon=5, shift=0, goal_degradation=0.0),
    "policy-x0-guided": replace(POLICY, objective="x0", goal_dropout=0.4, guidance=2.0),
    "policy-mlp": replace(POLICY, head="mlp", objective="regression", noise_draws=1, widths=(64, 64)),
    "policy-points": replace(POLICY, points=("target",), head="mlp", mask_training=0.2, mask_acting=0.2),
    "policy-close-up": replace(POLICY, size=10, close_up=8),
    "policy-resnet18": replace(POLICY, encoder="resnet18", noise_draws=1, proprio_noise=0.0),
    "features": AUTOENCODER,
    "latent": LATENT,
    "latent-one-frame": replace(LATENT, frames=1, differences=False, commitment=0.25),
    "latent-depth": replace(LATENT, depth=True),
    "joint": JOINT,
    "joint-causal": replace(JOINT, attention="causal"),
    "joint-plain": replace(JOINT, imagine=False, frames=0, history=1),
    "joint-video": replace(JOINT, actions=False),
    "joint-depth": replace(JOINT, depth=True),
    "joint-two-views": replace(JOINT, second_view="side"),
}


@pytest.fixture(params=CONFIGS, scope="module")
def config(request: pytest.FixtureRequest) -> Config:
    return CONFIGS[request.param]


@pytest.fixture(scope="module")
def model(config: Config, facts: DataFacts) -> Model:
    # A codebook learns from every batch that it meets in training.
    return build(config, facts).eval()


def loss(model: Model, store: EpisodeStore, size: int = 4, seed: int = 0) -> dict[str, torch.Tensor]:
    terms: dict[str, torch.Tensor] = {}
    for stream in model.streams:
        batch = model.collate(stream, gather(model, store, size, stream=stream))
        terms |= model.loss(stream, batch, generator(seed))
    return terms


def test_loss_terms_have_the_batchs_shape_and_the_weights_names(model: Model, store: EpisodeStore) -> None:
    assert isinstance(model, TrainableModel)
    terms = loss(model, store, size=3)
    assert terms.keys() == model.loss_weights.keys()
    for value in terms.values():
        assert value.shape == (3,)
        assert value.dtype == torch.float32
        assert bool((value.isfinite() & (value >= 0)).all())


def test_randomness_comes_from_the_generator(model: Model, store: EpisodeStore) -> None:
    first, again, other = loss(model, store), loss(model, store), loss(model, store, seed=1)
    for name, value in first.items():
        assert torch.equal(value, again[name])
        assert not torch.equal(value, other[name])


def test_every_parameter_is_trained_and_gets_a_gradient(model: Model, store: EpisodeStore) -> None:
    grouped = [id(p) for group in model.parameter_groups() for p in group["params"]]
    assert sorted(grouped) == sorted(id(p) for p in model.parameters() if p.requires_grad)
    if not isinstance(model, Student):
        assert all(p.requires_grad for p in model.parameters())
    model.zero_grad()
    sum(value.mean() for value in loss(model, store).values()).backward()
    # Processes that train together wait for every gradient, so none may be left out; zeros are fine.
    assert [n for n, p in model.named_parameters() if p.requires_grad and p.grad is None] == []
    model.zero_grad()


def test_half_precision_gives_nearly_the_same_loss_in_single_precision(
    model: Model, store: EpisodeStore
) -> None:
    with torch.autocast("cpu", torch.bfloat16):
        half = loss(model, store)
    for name, value in loss(model, store).items():
        assert half[name].dtype == torch.float32
        torch.testing.assert_close(half[name], value, rtol=0.05, atol=0.02)


def test_configuration_survives_json(config: Config) -> None:
    assert from_json(type(config), to_json(config)) == config


def test_facts_and_weights_bring_the_model_back(model: Model, config, facts, tmp_path, store) -> None:
    path = tmp_path / "model.safetensors"
    save_tensors(model.state_dict(), path)
    torch.manual_seed(99)
    other = config.build(from_json(DataFacts, to_json(facts))).eval()
    load_into(other, load_tensors(path), path)
    for name, value in loss(model, store).items():
        assert torch.equal(value, loss(other, store)[name])


def test_one_example_is_not_changed_by_the_others(model: Model, store: EpisodeStore) -> None:
    """Sampling of a batch is sampling of each."""
    if not isinstance(model, VideoDiffusion):
        pytest.skip("nothing is sampled for several observations at once")
    batch = model.collate("imaginer", gather(model, store, 2))
    both = model.sample(batch, generator())
    assert both.shape == (2, model.config.frames, *model.facts.image_size, 3)
    words = replace(batch, words=torch.cat([batch.words[:1], batch.words[1:].roll(1)]))
    assert torch.equal(model.sample(words, generator())[0], both[0])


@pytest.mark.parametrize("camera", ["front", "side"])
def test_a_batch_from_observations_is_the_one_from_the_store(
    model: Model, store: EpisodeStore, camera: str
) -> None:
    if isinstance(model, MaskedAutoencoder):
        pytest.skip("it is used by other models, not on observations")
    if isinstance(model, SsmVla) and camera == model.config.second_view:
        pytest.skip("it acts by another camera beside this one")
    windows = gather(model, store, 6, camera=camera)
    stream, *_ = model.streams
    stored = model.collate(stream, windows)
    for b in range(6):
        if isinstance(model, VideoDiffusion):
            now = windows.values["number.clip"][b, 0]
            plan = model_samples.plan_at(int(now[0]), int(now[1]), camera)
            mine = model.batch_from(observe_again(store, model, now, camera), plan)
            names = ("first", "words", *(f"spatial.{i}" for i in range(len(stored.spatial))))
            assert len(mine.spatial) == len(stored.spatial)
            if stored.hands is not None:
                names += ("hands.points", "hands.K", "hands.T_world_camera")
                present = stored.hands.states[b : b + 1, :1]
                torch.testing.assert_close(field(mine, "hands.states")[:, :1], present, atol=1e-6, rtol=0)
        elif isinstance(model, LatentActions | SsmVla):
            rows, inside = windows.values["number.rgb"][b], windows.valid["rgb"][b]
            seen = [observe_again(store, model, row, camera) for row in rows]
            mine = model.batch_from(seen, inside.tolist())
            names = ("rgb", "valid") if isinstance(model, LatentActions) else joint_fields(model)
        else:
            now, goal = windows.values["number.current"][b, 0], windows.values["number.goal"][b, 0]
            seen = observe_again(store, model, goal, camera).views[camera].rgb
            mine = model.batch_from(observe_again(store, model, now, camera), seen)
            names = ("images", "proprio", *(["hands"] if stored.hands is not None else []))
        for name in names:
            expected, found = field(stored, name)[b : b + 1], field(mine, name)
            assert found.dtype == expected.dtype
            # To the float32 that the actions were recorded in, by which the environment is played again.
            torch.testing.assert_close(found, expected, atol=1e-6, rtol=0)


def joint_fields(model: SsmVla) -> tuple[str, ...]:
    """What the model looks at."""
    more = {"proprio": model.config.actions, "second": bool(model.config.second_view)}
    return ("rgb", "seen", "words", *(name for name, there in more.items() if there))


def field(batch: object, name: str) -> torch.Tensor:
    """`words`, `hands.K`, or `spatial.1` for a member of a tuple."""
    value: Any = batch
    for part in name.split("."):
        value = value[int(part)] if part.isdigit() else getattr(value, part)
    assert isinstance(value, torch.Tensor)
    return value


def test_what_is_made_at_test_time_has_the_right_type_and_range(model: Model, store: EpisodeStore) -> None:
    if isinstance(model, MaskedAutoencoder | LatentActions | SsmVla):
        pytest.skip("test_joint_models_predict_everything_in_one_call, test_latent_actions.py")
    observation = observe_again(store, model, torch.tensor([1, 2]), "front")
    seen = observation.views["front"].rgb
    assert seen is not None
    if isinstance(model, VideoDiffusion):
        assert isinstance(model, Imaginer)
        videos = [
            model.imagine(observation, model_samples.plan_at(1, 2, "front"), generator(s)) for s in (0, 0, 1)
        ]
        assert videos[0].frames.shape == (model.config.frames, *seen.shape)
        assert videos[0].frames.dtype == np.uint8
        assert np.array_equal(videos[0].first, seen)
        assert np.array_equal(videos[0].frames, videos[1].frames)
        assert not np.array_equal(videos[0].frames, videos[2].frames)
        assert model.imagine(observation, None, generator()).plan is None
        assert model.privileged == (("scene",) if model.conditioning.scene else ())
    else:
        assert isinstance(model, Policy)
        chunks = [
            model.act(observation, goal, generator(s)).actions
            for goal, s in ((seen, 0), (None, 0), (seen, 1))
        ]
        assert chunks[0].shape == (model.config.horizon, model.facts.action.dimensions)
        assert chunks[0].dtype == np.float32
        assert np.abs(chunks[0]).max() <= 1
        if not model.config.goal_dropout:
            assert np.array_equal(chunks[0], chunks[1]), "no goal is the present picture as goal"
        drawn = model.config.objective != "regression"
        assert np.array_equal(chunks[0], chunks[2]) != drawn
        assert model.privileged == (("scene",) if model.config.points else ())


@pytest.mark.parametrize("name", ["joint", "joint-causal", "joint-plain", "joint-depth", "joint-two-views"])
def test_joint_models_predict_everything_in_one_call(
    name: str, facts: DataFacts, store: EpisodeStore
) -> None:
    model = build(CONFIGS[name], facts).eval()
    assert isinstance(model, SsmVla)
    assert isinstance(model, Predictor)
    frames = [max(0, 5 + back) for back in model.offsets]
    history = [observe_again(store, model, torch.tensor([1, frame]), "front") for frame in frames]
    valid = [True] * len(history)
    first, again, other = (model.predict(history, valid, generator(seed)) for seed in (0, 0, 1))
    actions = first.chunk.actions
    assert actions.shape == (model.horizon, model.facts.action.dimensions)
    assert actions.dtype == np.float32
    assert np.abs(actions).max() <= 1
    assert np.array_equal(actions, again.chunk.actions)
    assert not np.array_equal(actions, other.chunk.actions)
    seen = history[-1].views["front"].rgb
    assert seen is not None
    if model.config.imagine:
        assert first.video is not None
        assert np.array_equal(first.video.first, seen)
        assert first.video.frames.shape == (1, *seen.shape)
        assert (first.depth_m is not None) == model.config.depth
        if first.depth_m is not None:
            assert first.depth_m.shape == seen.shape[:2]
            assert np.isfinite(first.depth_m).all()
            assert first.depth_m.min() >= 0
    else:
        assert first.video is None
    if model.config.frames:
        assert first.latents is not None
        assert first.certainty is not None
        assert first.latents.shape == (model.config.frames, model.config.tokens)
        assert 0 <= first.latents.min() <= first.latents.max() < model.config.codes
        assert first.certainty.min() >= 1 / model.config.codes
    else:
        assert first.latents is None
    assert model.privileged == ()


def test_pictures_that_torch_does_not_take_are_taken(facts: DataFacts, store: EpisodeStore) -> None:
    policy = build(POLICY, facts)
    assert isinstance(policy, GoalPolicy)
    observation = observe_again(store, policy, torch.tensor([0, 1]), "front")
    goal = np.ascontiguousarray(observation.views["front"].rgb)
    mirrored = np.ascontiguousarray(goal[:, ::-1])[:, ::-1]
    goal.flags.writeable = False
    assert np.array_equal(
        policy.act(observation, goal, generator()).actions,
        policy.act(observation, mirrored, generator()).actions,
    )


@pytest.mark.parametrize(
    "name",
    [
        "video-flow",
        "video-v-guided",
        "video-local",
        "policy-epsilon",
        "policy-flow",
        "policy-mlp",
        "features",
        "joint",
    ],
)
def test_one_batch_is_learned_by_heart(name: str, facts: DataFacts, store: EpisodeStore) -> None:
    model = build(CONFIGS[name], facts)
    stream, *_ = model.streams
    batch = model.collate(stream, gather(model, store, 4))
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=5e-3)
    losses = []
    for _ in range(90):
        terms = model.loss(stream, batch, generator())
        total = torch.stack([model.loss_weights[term] * terms[term].mean() for term in terms]).sum()
        optimizer.zero_grad()
        total.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        losses.append(float(total.detach()))
        if losses[-1] < losses[0] / 5:
            break
    assert losses[-1] < losses[0] / 5


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_model_on_a_gpu_takes_an_agents_generator(model: Model, store: EpisodeStore) -> None:
    if isinstance(model, MaskedAutoencoder | LatentActions):
        pytest.skip("it takes no agent's generator")
    observation = observe_again(store, model, torch.tensor([1, 2]), "front")
    if isinstance(model, SsmVla):
        history, valid = [observation] * model.config.history, [True] * model.config.history
        host = model.predict(history, valid, generator()).chunk.actions
        device = model.cuda().predict(history, valid, generator()).chunk.actions
        np.testing.assert_allclose(host, device, atol=1e-2)
    elif isinstance(model, VideoDiffusion):
        host = model.imagine(observation, None, generator()).frames
        device = model.cuda().imagine(observation, None, generator()).frames
        assert np.abs(host.astype(int) - device).max() <= 2
    else:
        host = model.act(observation, None, generator()).actions
        np.testing.assert_allclose(host, model.cuda().act(observation, None, generator()).actions, atol=1e-2)
    model.cpu()


def test_an_unknown_objective_or_encoder_is_named(facts: DataFacts) -> None:
    with pytest.raises(UnknownName, match="objective 'flows'"):
        replace(VIDEO, objective="flows").build(facts)
    with pytest.raises(UnknownName, match="image encoder 'resnet81'"):
        replace(POLICY, encoder="resnet81").build(facts)
