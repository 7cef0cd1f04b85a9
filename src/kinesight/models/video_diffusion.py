"""Plan-conditioned video imaginer (Spatial Policy, "Spatial Conditioned Embodied Video Generation", Eq. 1-4).

First frame + instruction + spatial plan table -> seven future frames, spread evenly from now to the end of
the task. The network denoises the difference to the first frame, which is zero wherever nothing moves.
Plan rows and words become tokens; pooled, they join the noise level and enter every layer by FiLM (the
paper's global conditioning). One learned null vector stands for "no condition", in training and sampling.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Float, Int, UInt8
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from kinesight.data.windows import from_observations
from kinesight.interfaces.model import Stream, Windows
from kinesight.language.plan_text import encode_plan
from kinesight.language.words import Vocabulary
from kinesight.nn.conditions import PlanEncoder, TokenPool, WordEncoder
from kinesight.nn.layers import LevelEmbedding, to_unit
from kinesight.nn.objectives import objective, with_guidance
from kinesight.nn.video_unet import VideoUNet, coarsest_edge
from kinesight.types.case import Case
from kinesight.types.errors import UsageError
from kinesight.types.facts import DataFacts
from kinesight.types.observation import Observation, ViewRequest
from kinesight.types.plan import MAX_ROWS, SpatialPlan
from kinesight.types.video import ImaginedVideo
from kinesight.types.windows import Offsets, Spread, Take, WindowSpec

MAX_WORDS = 16


@dataclass(frozen=True, slots=True)
class VideoDiffusionConfig:
    """Sizes, data and sampling of the imaginer."""

    source: str = "demos"
    batch_size: int = 8
    frames: int = 7
    """Future frames; the clip has one more, the first."""
    objective: str = "noisy-flow"
    """"noisy-flow" or "flow" with Euler steps, "v" with DDIM. What moves is decided at high noise: trained
    there more often, the imaginer learns it in fewer steps."""
    predict_data: bool = True
    """The network gives the clean video and is trained on its error; sampling turns it into the objective's
    target (see nn.objectives). Coarse patches need it."""
    size: int = 0
    """Edge at which the network works [px], smaller than the data's or 0 for the same. What does not move is
    taken from the first frame and stays sharp."""
    patch: int = 4
    """Edge of the pixel blocks that are folded into channels; 1 works on pixels."""
    base: int = 64
    multipliers: tuple[int, ...] = (1, 2, 3)
    blocks: int = 1
    """Residual blocks a level."""
    depth: int = 4
    """Transformer blocks over all of space and time at the coarsest level."""
    features: int = 256
    residual_gain: float = 3.0
    """The difference to the first frame is multiplied by this, towards unit variance where things move."""
    condition_dropout: float = 0.1
    guidance: float = 1.0
    """Scale of classifier-free guidance; 1 samples without it, in half the time."""
    steps: int = 8
    """Sampling steps."""

    def build(self, facts: DataFacts) -> "VideoDiffusion":
        return VideoDiffusion(self, facts)


@dataclass(frozen=True, slots=True)
class VideoBatch:
    """Network input; future frames only in training."""

    first: UInt8[Tensor, "b y x 3"]
    words: Int[Tensor, "b n"]
    verbs: Int[Tensor, "b k"]
    directions: Int[Tensor, "b k"]
    distances_m: Float[Tensor, "b k"]
    future: UInt8[Tensor, "b t y x 3"] | None = None


class VideoDiffusion(nn.Module):
    """p(I_1:T | I_0, instruction, plan)."""

    loss_weights: Mapping[str, float] = {"video": 1.0}

    def __init__(self, config: VideoDiffusionConfig, facts: DataFacts) -> None:
        super().__init__()
        self.size = (config.size, config.size) if config.size else facts.image_size
        edges = [coarsest_edge(edge, config.patch, config.multipliers) for edge in self.size]
        for edge, coarse in zip(self.size, edges, strict=True):
            if not coarse:
                raise UsageError(
                    f"An image edge of {edge} px cannot be split into patches of {config.patch} and halved "
                    f"{len(config.multipliers) - 1} times; choose another patch or size."
                )
        self.config, self.facts = config, facts
        self.vocabulary = Vocabulary(facts.words)
        now = Offsets((0,))
        plan = {name: Take(f"plan.{name}.{{camera}}", now) for name in ("verbs", "directions", "distances_m")}
        self.spec = WindowSpec({"clip": Take("rgb.{camera}", Spread(config.frames + 1)), **plan})
        self.streams = {"imaginer": Stream(config.source, self.spec, config.batch_size)}
        self.objective = objective(config.objective)
        features = config.features
        self.plan = PlanEncoder(features)
        self.language = WordEncoder(self.vocabulary.size, features)
        self.pool = TokenPool(features, MAX_WORDS + MAX_ROWS)
        self.null = nn.Parameter(torch.randn(features) * 0.02)
        self.level = LevelEmbedding(features)
        self.unet = VideoUNet(
            channels=3,
            context_channels=3,
            condition=features,
            base=config.base,
            multipliers=config.multipliers,
            blocks=config.blocks,
            patch=config.patch,
            frames=config.frames,
            grid=(edges[0], edges[1]),
            depth=config.depth,
        )
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    # Training

    def parameter_groups(self) -> list[dict[str, Any]]:
        return [{"params": list(self.parameters())}]

    def collate(self, stream: str, windows: Windows) -> VideoBatch:
        clip = windows.values["clip"]
        words = [self.vocabulary.encode(sentence, MAX_WORDS) for sentence in windows.instructions]
        return VideoBatch(
            first=clip[:, 0],
            words=torch.from_numpy(np.stack(words)).to(clip.device, non_blocking=True),
            verbs=windows.values["verbs"][:, 0].long(),
            directions=windows.values["directions"][:, 0].long(),
            distances_m=windows.values["distances_m"][:, 0].float(),
            future=clip[:, 1:] if clip.shape[1] > 1 else None,
        )

    def loss(self, stream: str, batch: VideoBatch, generator: Generator) -> dict[str, Float[Tensor, "b"]]:
        """Eq. 4 on the difference to the first frame."""
        assert batch.future is not None, "a training batch holds future frames"
        first = self._reduced(batch.first[:, None])
        residual = (self._reduced(batch.future) - first) * self.config.residual_gain
        noise = torch.randn(residual.shape, generator=generator, device=residual.device)
        levels = self.objective.draw_levels(len(residual), generator)
        condition = self._condition(batch)
        dropped = torch.rand(len(residual), 1, generator=generator, device=residual.device)
        condition = torch.where(dropped < self.config.condition_dropout, self.null, condition)
        noisy = self.objective.corrupt(residual, noise, levels)
        output = self._denoise(noisy, levels, first[:, 0], condition).float()
        wanted = residual if self.config.predict_data else self.objective.target(residual, noise, levels)
        return {"video": (output - wanted).square().mean((1, 2, 3, 4))}

    def _condition(self, batch: VideoBatch) -> Float[Tensor, "b d"]:
        """Eq. 2: words and plan rows, pooled."""
        words, some = self.language(batch.words)
        rows, known = self.plan(batch.verbs, batch.directions, batch.distances_m)
        return self.pool(torch.cat([words, rows], dim=1), torch.cat([some, known], dim=1))

    def _denoise(self, noisy: Tensor, levels: Tensor, first: Tensor, condition: Tensor) -> Tensor:
        """The network's own output: the clean residual, or the objective's target."""
        return self.unet(noisy, first, condition + self.level(levels))

    def _predict(self, noisy: Tensor, levels: Tensor, first: Tensor, condition: Tensor) -> Tensor:
        """The objective's target, for the sampler."""
        output = self._denoise(noisy, levels, first, condition)
        return self.objective.from_data(output, noisy, levels) if self.config.predict_data else output

    # Imagining

    @property
    def request(self) -> ViewRequest:
        return self.facts.request

    @property
    def privileged(self) -> tuple[str, ...]:
        return ()

    def reset(self, case: Case) -> None:
        """Nothing is remembered from one episode to the next."""

    @torch.inference_mode()
    def imagine(
        self, observation: Observation, plan: SpatialPlan | None, generator: Generator
    ) -> ImaginedVideo:
        """One future of the observation's only view; `plan=None` imagines from words alone."""
        batch = self.batch_from(observation, plan)
        frames = self.sample(batch, generator)
        return ImaginedVideo(
            first=batch.first[0].cpu().numpy(),
            frames=frames[0].cpu().numpy(),
            plan=plan,
            instruction=observation.instruction,
        )

    @torch.inference_mode()
    def sample(self, batch: VideoBatch, generator: Generator) -> UInt8[Tensor, "b t y x 3"]:
        first = self._reduced(batch.first[:, None])
        b, _, c, y, x = first.shape
        condition, null = self._condition(batch), self.null.expand(b, -1)
        network = with_guidance(
            lambda noisy, levels: self._predict(noisy, levels, first[:, 0], condition),
            lambda noisy, levels: self._predict(noisy, levels, first[:, 0], null),
            self.config.guidance,
        )
        shape = (b, self.config.frames, c, y, x)
        noise = torch.randn(shape, generator=generator, device=generator.device).to(first.device)
        change = self.objective.sample(network, noise, self.config.steps) / self.config.residual_gain
        sharp = to_unit(batch.first[:, None])
        if self.size == self.facts.image_size:
            frames = sharp + change
        else:
            # Where something moved the small picture counts whole: its change alone, added to the sharp first
            # frame, would leave the outlines of what has gone.
            moved = _resized(_moved(change), self.facts.image_size)
            frames = torch.lerp(sharp, _resized(first + change, self.facts.image_size), moved)
        frames = (frames + 1) * 127.5
        return rearrange(frames, "b t c y x -> b t y x c").round().clamp(0, 255).to(torch.uint8)

    def _reduced(self, frames: UInt8[Tensor, "b t y x 3"]) -> Float[Tensor, "b t 3 h w"]:
        """At the size the network works at."""
        return _resized(to_unit(frames), self.size)

    def batch_from(self, observation: Observation, plan: SpatialPlan | None) -> VideoBatch:
        """The same batch as from the store: first frame, words and plan."""
        (camera,) = observation.views
        device = self.null.device
        windows = from_observations({"clip": [observation]}, self.spec, camera, device=device)
        encoded = encode_plan(plan or SpatialPlan(()))
        table = {
            "verbs": torch.from_numpy(encoded.verbs),
            "directions": torch.from_numpy(encoded.directions),
            "distances_m": torch.from_numpy(encoded.distances_m),
        }
        rows = {name: value[None, None].to(device) for name, value in table.items()}
        return self.collate("imaginer", Windows({**windows.values, **rows}, {}, windows.instructions))


def _moved(change: Float[Tensor, "b t c y x"]) -> Float[Tensor, "b t 1 y x"]:
    """How much a pixel or one beside it changes: 0 up to 5 %, 1 from 15 % of the full range on."""
    largest = F.max_pool2d(change.abs().amax(2), 3, stride=1, padding=1)[:, :, None]
    return ((largest - 0.1) / 0.2).clamp(0, 1)


def _resized(frames: Float[Tensor, "b t c y x"], size: tuple[int, int]) -> Float[Tensor, "b t c h w"]:
    """Anti-aliased where it gets smaller, smooth where it gets larger."""
    if frames.shape[-2:] == size:
        return frames
    flat = F.interpolate(frames.flatten(0, 1), size, mode="bilinear", align_corners=False, antialias=True)
    return flat.unflatten(0, frames.shape[:2])
