"""Goal-image diffusion policy (Spatial Policy, "Spatial Based Action Prediction", Eq. 5-6).

A six-channel image (current | goal) and the arm's own proprioception -> the next H actions, denoised by a
conditional 1D U-Net. In training the goal is a frame drawn from the next K = 20 steps; at test time it is a
frame of an imagined video. One encoding of the images serves several draws of noise.

The whole pictures may be seen small, and what surrounds the hand at full size (`size`, `close_up`): where
fingers and object are to each other is what decides, and looks the same wherever the hand is.

Settings give the paper's other forms: direct regression by an MLP, object positions beside the arm's
(Algorithm 1; Eq. 5 has none), guidance, covered pictures. Guidance leads away from the null goal, a grey
picture, which takes the place of some goals in training.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from einops import rearrange
from jaxtyping import Bool, Float, UInt8
from torch import Generator, Tensor, nn

from kinesight.data.windows import from_observations
from kinesight.interfaces.model import Stream, Windows
from kinesight.nn.action_mlp import ActionMLP
from kinesight.nn.encoders import ResNet, image_encoder
from kinesight.nn.imagenet import load_imagenet
from kinesight.nn.imagined_look import imagined_look
from kinesight.nn.layers import to_unit
from kinesight.nn.masking import GREY, covered
from kinesight.nn.objectives import objective, with_guidance
from kinesight.nn.pictures import cut_out, draw_shifts, resized, shifted
from kinesight.nn.point_maps import projected
from kinesight.nn.unet1d import ActionUNet
from kinesight.types.action import ActionChunk
from kinesight.types.arrays import Image
from kinesight.types.errors import UsageError, lookup
from kinesight.types.facts import DataFacts
from kinesight.types.observation import Observation, ViewRequest
from kinesight.types.sampling import SAMPLING
from kinesight.types.windows import GoalWithin, Offsets, Take, WindowSpec

NULL_GOAL = float(to_unit(torch.full((1, 1, 1, 1, 3), GREY, dtype=torch.uint8)).flatten()[0])
"""What the picture that stands for "no goal" is everywhere, in [-1, 1]."""

CALIBRATION = ("T_world_camera", "K")

HEADS: dict[str, Callable[[int, int, int, tuple[int, ...]], nn.Module]] = {
    "unet": lambda actions, horizon, condition, widths: ActionUNet(actions, condition, widths),
    "mlp": ActionMLP,
}
"""(action dimensions, horizon, features of the condition, widths) -> the network of the actions."""


@dataclass(frozen=True, slots=True)
class GoalPolicyConfig:
    """Sizes, data and sampling of the goal-image policy."""

    source: str = "demos"
    batch_size: int = 64
    horizon: int = 4
    """H, actions predicted at once."""
    goal_nearest: int = 1
    goal_farthest: int = 20
    """The goal is drawn from the next 1 … K steps."""
    points: tuple[str, ...] = ()
    """Scene points beside the proprioception; ("target",) is the paper's p_obj. Privileged."""
    size: int = 0
    """Edge at which the whole pictures are seen [px]; 0: as they are."""
    close_up: int = 0
    """Edge of squares about the hand's present place, cut out of current and goal at their own size and seen
    beside the whole [px]; needs the camera's calibration. 0: none."""
    encoder: str = "small-cnn"
    encoder_weights: str = ""
    """Weights file of torchvision that a ResNet begins from; "" begins from chance."""
    features: int = 256
    head: str = "unet"
    """"unet" or "mlp"."""
    widths: tuple[int, ...] = (128, 256)
    """Of the U-Net's levels, or of the MLP's layers."""
    objective: str = "epsilon"
    """"epsilon", "x0" or "v" with DDIM, "flow" with Euler steps, "regression" without noise."""
    noise_draws: int = 4
    """Noise levels an encoding is trained on at once."""
    shift: int = 4
    """Random shift of both images in training [px]."""
    goal_degradation: float = 0.5
    """Share of the training goals that look as imagined ones do (`nn.imagined_look`)."""
    proprio_noise: float = 0.02
    """Noise on the normalised proprioception in training (its range is 2)."""
    goal_dropout: float = 0.0
    """Share of the training goals that become the null goal. If any do, acting without a goal means it."""
    guidance: float = field(default=1.0, metadata=SAMPLING)
    """Scale of classifier-free guidance away from the null goal; 1 samples without it, in half the time."""
    mask_training: float = 0.0
    """Share of both pictures that random blocks cover in training."""
    mask_acting: float = field(default=0.0, metadata=SAMPLING)
    """The same when acting."""
    steps: int = field(default=10, metadata=SAMPLING)
    """Sampling steps."""

    def __post_init__(self) -> None:
        for name in ("goal_degradation", "goal_dropout", "mask_training", "mask_acting"):
            if not 0 <= getattr(self, name) <= 1:
                raise UsageError(f"{name} must lie in [0, 1], got {getattr(self, name)}")
        for name in ("size", "close_up"):
            if getattr(self, name) < 0:
                raise UsageError(f"{name} must not be negative, got {getattr(self, name)}")
        if self.guidance != 1 and not self.goal_dropout:
            raise UsageError(
                f"guidance={self.guidance} leads away from the null goal, which a policy trained with "
                "goal_dropout=0 never saw"
            )

    def build(self, facts: DataFacts) -> "GoalPolicy":
        return GoalPolicy(self, facts)


@dataclass(frozen=True, slots=True)
class PolicyBatch:
    """Network input; actions only in training."""

    images: UInt8[Tensor, "b 2 y x 3"]
    """Current and goal."""
    proprio: Float[Tensor, "b d"]
    """And the scene's points after it, where the policy takes some."""
    hands: Float[Tensor, "b 2"] | None = None
    """Pixel (x, y) of the hand, centres of pixels at +0.5, where the policy looks there closely."""
    actions: Float[Tensor, "b h a"] | None = None
    valid: Bool[Tensor, "b h"] | None = None


class GoalPolicy(nn.Module):
    """p(a | current, goal, proprioception)."""

    loss_weights: Mapping[str, float] = {"action": 1.0}
    proprio_centre: Tensor
    proprio_gain: Tensor

    def __init__(self, config: GoalPolicyConfig, facts: DataFacts) -> None:
        super().__init__()
        self.config, self.facts = config, facts
        now = Offsets((0,))
        self.spec = WindowSpec(
            {
                "current": Take("rgb.{camera}", now),
                "goal": Take("rgb.{camera}", GoalWithin(config.goal_nearest, config.goal_farthest)),
                "proprio": Take("proprio", now),
                "action": Take("action", Offsets(tuple(range(config.horizon)))),
                **{name: Take(f"{name}.{{camera}}", now) for name in CALIBRATION if config.close_up},
                **{_take(name): Take(f"scene.{name}", now) for name in config.points},
            }
        )
        self.streams = {"policy": Stream(config.source, self.spec, config.batch_size)}
        self.objective = objective(config.objective)
        features = config.features
        if max(config.close_up, config.size) > min(facts.image_size):
            raise UsageError(
                f"close_up={config.close_up} and size={config.size} do not fit into pictures of "
                f"{facts.image_size[1]} x {facts.image_size[0]} pixels"
            )
        self.image = image_encoder(config.encoder, 6, features)
        self.close = image_encoder(config.encoder, 6, features) if config.close_up else None
        if config.encoder_weights and not isinstance(self.image, ResNet):
            raise UsageError(f"encoder_weights are a ResNet's, the encoder is {config.encoder!r}")
        # A point's range is unknown; it is measured by that of the end effector, in the same frame and unit.
        low, high = (torch.tensor(bound + bound[:3] * len(config.points)) for bound in facts.proprio_range())
        self.coordinates = nn.Sequential(nn.Linear(len(low), 64), nn.SiLU(), nn.Linear(64, features // 4))
        # Named for the default, as checkpoints know it.
        self.unet = lookup("action head", config.head, HEADS)(
            facts.action_space().dimensions,
            config.horizon,
            (2 if self.close else 1) * features + features // 4,
            config.widths,
        )
        self.register_buffer("proprio_centre", (high + low) / 2)
        # Dimensions that never vary (a fixed wrist) stay at zero instead of being blown up.
        spread = (high - low) / 2
        self.register_buffer("proprio_gain", torch.where(spread > 1e-3, 1 / spread.clamp_min(1e-3), 0.0))
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    # Training

    def parameter_groups(self) -> list[dict[str, Any]]:
        return [{"params": list(self.parameters())}]

    def load_pretrained(self) -> Mapping[str, str]:
        """ImageNet weights, where the configuration names a file."""
        if not self.config.encoder_weights:
            return {}
        file, digest = self.config.encoder_weights, ""
        for encoder in (self.image, self.close):
            if encoder is not None:
                assert isinstance(encoder, ResNet), "refused when it was built"
                digest = load_imagenet(encoder, Path(file))
        return {file: digest}

    def frozen(self) -> Mapping[str, str]:
        return {}

    def collate(self, stream: str, windows: Windows) -> PolicyBatch:
        values = windows.values
        points = [values[_take(name)][:, 0] for name in self.config.points]
        return PolicyBatch(
            images=torch.cat([values["current"], values["goal"]], dim=1),
            proprio=torch.cat([values["proprio"][:, 0], *points], dim=-1),
            hands=_hand_pixels(values) if self.config.close_up else None,
            actions=values.get("action"),
            valid=windows.valid.get("action"),
        )

    def loss(self, stream: str, batch: PolicyBatch, generator: Generator) -> dict[str, Float[Tensor, "b"]]:
        """Eq. 6 over actions inside the episode."""
        assert batch.actions is not None, "a training batch holds actions"
        assert batch.valid is not None, "a training batch says which actions lie inside the episode"
        images = batch.images
        if self.config.shift:
            images = shifted(images, draw_shifts(len(images), self.config.shift, generator, images.device))
        images = to_unit(covered(images, self.config.mask_training, generator))
        images = _degrade_goals(images, self.config.goal_degradation, generator)
        images = _drop_goals(images, self.config.goal_dropout, generator)
        condition = self._encode(images, batch, generator)
        draws = self.config.noise_draws
        condition = condition.repeat_interleave(draws, 0)
        actions = batch.actions.repeat_interleave(draws, 0)
        valid = batch.valid.repeat_interleave(draws, 0)[..., None].float()
        noise = torch.randn(actions.shape, generator=generator, device=actions.device)
        levels = self.objective.draw_levels(len(actions), generator)
        noisy = self.objective.corrupt(actions, noise, levels)
        error = self.unet(noisy, levels, condition).float() - self.objective.target(actions, noise, levels)
        per_draw = (error.square() * valid).sum((1, 2)) / (valid.sum((1, 2)) * actions.shape[-1]).clamp_min(1)
        return {"action": per_draw.view(-1, draws).mean(1)}

    def _encode(
        self, images: Float[Tensor, "b 2 c y x"], batch: PolicyBatch, generator: Generator | None = None
    ) -> Float[Tensor, "b d"]:
        """`images` are the batch's as they are looked at: moved, covered, with another goal."""
        coordinates = (batch.proprio - self.proprio_centre) * self.proprio_gain
        if generator is not None and self.config.proprio_noise:
            noise = torch.randn(coordinates.shape, generator=generator, device=coordinates.device)
            coordinates = coordinates + self.config.proprio_noise * noise
        size = (self.config.size, self.config.size) if self.config.size else self.facts.image_size
        features = [self.image(_stacked(resized(images, size))), self.coordinates(coordinates)]
        if self.close is not None:
            assert batch.hands is not None, "collated for a policy that looks closely"
            # Not moved with the pictures: so the hand is not always quite in the middle, as in life.
            features.append(self.close(_stacked(cut_out(images, batch.hands, self.config.close_up))))
        return torch.cat(features, dim=-1)

    # Acting

    @property
    def request(self) -> ViewRequest:
        return replace(self.facts.request, scene=bool(self.config.points))

    @property
    def privileged(self) -> tuple[str, ...]:
        return self.request.privileged

    @torch.inference_mode()
    def act(self, observation: Observation, goal: Image | None, generator: Generator) -> ActionChunk:
        """The next H actions towards `goal` in the observation's only view.

        Without one towards staying, or, for a policy that was trained with it, towards the null goal.
        """
        batch = self.batch_from(observation, goal)
        images = to_unit(covered(batch.images, self.config.mask_acting, generator))
        condition = free = self._encode(images, batch)
        if self.config.guidance != 1:
            free = self._encode(_with_goals(images, torch.full_like(images[:, 1], NULL_GOAL)), batch)
        network = with_guidance(
            lambda noisy, levels: self.unet(noisy, levels, condition),
            lambda noisy, levels: self.unet(noisy, levels, free),
            self.config.guidance,
        )
        shape = (1, self.config.horizon, self.facts.action_space().dimensions)
        noise = torch.randn(shape, generator=generator, device=generator.device).to(condition.device)
        actions = self.objective.sample(network, noise, self.config.steps)
        return ActionChunk(actions[0].clamp(-1, 1).float().cpu().numpy())

    def batch_from(self, observation: Observation, goal: Image | None) -> PolicyBatch:
        """The same batch as from the store: current and goal view of the only camera."""
        (camera,) = observation.views
        device = self.proprio_centre.device
        seen = [name for name in self.spec.takes if name not in ("goal", "action")]
        windows = from_observations({name: [observation] for name in seen}, self.spec, camera, device=device)
        current = windows.values["current"]
        if goal is not None:
            # A copy, since a picture may be read-only or a mirrored view, which torch does not take.
            goal_row = torch.from_numpy(goal.copy())[None, None].to(device)
        else:
            goal_row = torch.full_like(current, GREY) if self.config.goal_dropout else current
        return self.collate("policy", Windows({**windows.values, "goal": goal_row}, {}, windows.instructions))


def _take(point: str) -> str:
    """Name in the batch of a scene's point."""
    return f"point.{point}"


def _hand_pixels(values: Mapping[str, Tensor]) -> Float[Tensor, "b 2"]:
    T_world_camera, K = (values[name][:, 0].float() for name in CALIBRATION)
    hands = values["proprio"][:, :, :3].float()
    return projected(hands, T_world_camera, K)[:, 0]


def _stacked(images: Float[Tensor, "b 2 c y x"]) -> Float[Tensor, "b d y x"]:
    return rearrange(images, "b s c y x -> b (s c) y x")


def _degrade_goals(
    images: Float[Tensor, "b 2 3 y x"], share: float, generator: Generator
) -> Float[Tensor, "b 2 3 y x"]:
    """A share of the goals with the look of imagined frames."""
    count = round(share * len(images))
    if not count:
        return images
    # The batch is in random order: its first examples are as good as any.
    current, goal = images[:count].unbind(1)
    return _with_goals(images, torch.cat([imagined_look(goal, current, generator), images[count:, 1]]))


def _drop_goals(
    images: Float[Tensor, "b 2 3 y x"], share: float, generator: Generator
) -> Float[Tensor, "b 2 3 y x"]:
    """The null goal in place of a share of the goals: one grey, which no goal's blur or noise has touched."""
    if not share:
        return images
    drawn = torch.rand((len(images), 1, 1, 1), generator=generator, device=generator.device).to(images.device)
    return _with_goals(images, torch.where(drawn < share, NULL_GOAL, images[:, 1]))


def _with_goals(
    images: Float[Tensor, "b 2 3 y x"], goals: Float[Tensor, "b 3 y x"]
) -> Float[Tensor, "b 2 3 y x"]:
    return torch.stack([images[:, 0], goals], dim=1)
