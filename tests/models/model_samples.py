"""Small configurations of every model, and plans that can be computed again."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import point_mass
import torch

from kinesight.data.episodes import Episode, EpisodeStore
from kinesight.data.windows import open_windows
from kinesight.interfaces.model import Windows
from kinesight.language.plan_text import encode_plan
from kinesight.models.goal_policy import GoalPolicy, GoalPolicyConfig
from kinesight.models.latent_actions import LatentActions, LatentActionsConfig
from kinesight.models.masked_autoencoder import MaskedAutoencoder, MaskedAutoencoderConfig
from kinesight.models.ssm_vla import SsmVla, SsmVlaConfig
from kinesight.models.video_diffusion import VideoDiffusion, VideoDiffusionConfig
from kinesight.nn.vit import VitConfig
from kinesight.types.facts import DataFacts
from kinesight.types.observation import Observation
from kinesight.types.plan import PlanRow, SpatialPlan
from kinesight.types.windows import Take, WindowSpec

Model = VideoDiffusion | GoalPolicy | MaskedAutoencoder | LatentActions | SsmVla
Config = (
    VideoDiffusionConfig | GoalPolicyConfig | MaskedAutoencoderConfig | LatentActionsConfig | SsmVlaConfig
)

VIDEO = VideoDiffusionConfig(
    batch_size=4, frames=3, patch=2, base=16, multipliers=(1, 2), features=16, steps=2, residual_gain=1.0
)
POLICY = GoalPolicyConfig(batch_size=4, features=16, widths=(16, 32), noise_draws=2, steps=3, shift=1)
VIT = VitConfig(patch=4, features=16, blocks=1, heads=2)
AUTOENCODER = MaskedAutoencoderConfig(batch_size=4, size=0, vit=VIT, mask=0.5, features=16, heads=2, shift=2)
LATENT = LatentActionsConfig(
    batch_size=4,
    differences=True,
    frames=2,
    gap=2,
    tokens=2,
    codes=8,
    code_features=4,
    size=0,
    vit=VIT,
    features=16,
    heads=2,
    encoder_blocks=1,
    decoder_blocks=1,
    patch=4,
    depth=False,
    shift=2,
)
JOINT = SsmVlaConfig(
    batch_size=4,
    history=3,
    stride=2,
    size=0,
    patch=4,
    depth=False,
    ahead=2,
    frames=2,
    tokens=2,
    codes=8,
    horizon=4,
    queries=2,
    grid=2,
    width=16,
    features=32,
    blocks=2,
    heads=2,
    head_features=32,
    head_blocks=1,
    noise_draws=2,
    steps=3,
    shift=2,
)


def plan_at(episode: int, frame: int, camera: str) -> SpatialPlan:
    """Some plan of none to four rows."""
    generator = np.random.default_rng([episode, frame, len(camera)])
    rows = []
    for _ in range(generator.integers(0, 5)):
        direction = tuple(int(sign) for sign in generator.integers(-1, 2, 3))
        rows.append(PlanRow("move", direction, float(np.round(generator.random(), 2))))
    return SpatialPlan(tuple(rows))


def numbered_plans(episode: Episode) -> Mapping[str, np.ndarray]:
    frames = range(episode.length + 1)
    keys = {"number": np.array([(episode.index, t) for t in frames])}
    keys["fine"] = np.arange(len(frames)) % 5 < 3
    draw = np.random.default_rng(episode.index)
    for camera in episode.cameras:
        plans = [encode_plan(plan_at(episode.index, t, camera)) for t in frames]
        keys[f"plan.verbs.{camera}"] = np.stack([p.verbs for p in plans]).astype(np.uint8)
        keys[f"plan.directions.{camera}"] = np.stack([p.directions for p in plans]).astype(np.uint8)
        keys[f"plan.distances_m.{camera}"] = np.stack([p.distances_m for p in plans]).astype(np.float32)
        keys[f"codes.{camera}"] = draw.integers(0, 8, (len(frames), 2, 2)).astype(np.int16)
    return keys


def build(config: Config, facts: DataFacts) -> Model:
    torch.manual_seed(0)
    return config.build(facts)


def gather(
    model: Model, store: EpisodeStore, size: int, seed: int = 0, camera: str = "front", stream: str = ""
) -> Windows:
    """A batch from the store, with the episode and number of the frames drawn under `number.TAKE`.

    `stream`: for a model that has several; the first one's.
    """
    takes = model.streams[stream or next(iter(model.streams))].windows.takes
    numbers = {f"number.{name}": Take("number", take.rule) for name, take in takes.items()}
    return open_windows(store, WindowSpec({**takes, **numbers}), (camera,)).batch((seed,), size)


def observe_again(store: EpisodeStore, model: Model, number: torch.Tensor, camera: str) -> Observation:
    """What the model sees in the environment, played again up to a recorded frame (episode, t)."""
    index, frame = number.tolist()
    episode = store[index]
    environment = point_mass.make_environment(episode.case, 100)
    environment.reset()
    for action in episode.arrays["executed"][:frame]:
        environment.step(action)
    assert camera in model.request.cameras
    if isinstance(model, SsmVla):
        return environment.observe(model.view(camera))
    return environment.observe(replace(model.request, cameras=(camera,)))


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)
