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
from kinesight.models.video_diffusion import VideoDiffusion, VideoDiffusionConfig
from kinesight.types.facts import DataFacts
from kinesight.types.observation import Observation
from kinesight.types.plan import PlanRow, SpatialPlan
from kinesight.types.windows import Take, WindowSpec

Model = VideoDiffusion | GoalPolicy

VIDEO = VideoDiffusionConfig(
    batch_size=4, frames=3, patch=2, base=16, multipliers=(1, 2), features=16, steps=2, residual_gain=1.0
)
POLICY = GoalPolicyConfig(batch_size=4, features=16, widths=(16, 32), noise_draws=2, steps=3, shift=1)


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
    for camera in episode.cameras:
        plans = [encode_plan(plan_at(episode.index, t, camera)) for t in frames]
        keys[f"plan.verbs.{camera}"] = np.stack([p.verbs for p in plans]).astype(np.uint8)
        keys[f"plan.directions.{camera}"] = np.stack([p.directions for p in plans]).astype(np.uint8)
        keys[f"plan.distances_m.{camera}"] = np.stack([p.distances_m for p in plans]).astype(np.float32)
    return keys


def build(config: VideoDiffusionConfig | GoalPolicyConfig, facts: DataFacts) -> Model:
    torch.manual_seed(0)
    return config.build(facts)


def gather(model: Model, store: EpisodeStore, size: int, seed: int = 0, camera: str = "front") -> Windows:
    """A batch from the store, with the episode and number of the frames drawn under `number.TAKE`."""
    takes = model.spec.takes
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
    return environment.observe(replace(model.request, cameras=(camera,)))


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)
