"""Plan-conditioned video imaginer (Spatial Policy, "Spatial Conditioned Embodied Video Generation", Eq. 1-4).

First frame + instruction + spatial plan table -> seven future frames, so many steps apart or spread from now
to the end of the task. The network denoises the difference to the first frame, which is zero wherever nothing
moves: it draws new pictures and where they cover the first one.
Plan rows and words become tokens; pooled, they join the noise level and enter every layer by FiLM (the
paper's global conditioning; the others of its Table 6 are in `video_conditions`). One learned null vector
stands for "no condition", in training and sampling. The variant "plan-path" foretells where the hand goes
(`nn.hand_path`, learned in a stream of its own) and draws along that.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Float, UInt8
from torch import Generator, Tensor, nn

from kinesight.data.windows import from_observations
from kinesight.interfaces.model import Stream, Windows
from kinesight.language.plan_text import encode_plan
from kinesight.language.words import Vocabulary
from kinesight.models.video_batches import Told, VideoBatch
from kinesight.models.video_conditions import (
    CONDITIONINGS,
    HAND,
    PATH_POINTS,
    PLAN_KEYS,
    Condition,
    hands,
)
from kinesight.nn.clip_text import ClipText
from kinesight.nn.conditions import StateEncoder, TokenPool, WordEncoder
from kinesight.nn.hand_path import HandPath
from kinesight.nn.layers import LevelEmbedding, to_unit
from kinesight.nn.objectives import objective, with_guidance
from kinesight.nn.pictures import enlarged_over, resized
from kinesight.nn.video_unet import VideoUNet, coarsest_edge
from kinesight.types.case import Case
from kinesight.types.errors import UsageError, lookup
from kinesight.types.facts import DataFacts
from kinesight.types.observation import Observation, ViewRequest
from kinesight.types.plan import SpatialPlan
from kinesight.types.sampling import SAMPLING
from kinesight.types.video import ImaginedVideo
from kinesight.types.windows import FineSpread, FrameRule, Offsets, Spread, Take, WindowSpec

MAX_WORDS = 16
PATH = "path"
"""The stream that the hand's path is learned from, and its loss term."""


@dataclass(frozen=True, slots=True)
class VideoDiffusionConfig:
    """Sizes, data and sampling of the imaginer."""

    source: str = "demos"
    batch_size: int = 8
    frames: int = 7
    """Future frames; the clip has one more, the first."""
    spacing: int = 0
    """Steps between two frames; past the end of the episode its last frame stays. 0 spreads the frames from
    now to the end, whose distance the imaginer then has to guess."""
    fine_rate: float = 1.0
    """The clip's frames are so many times as dense where the gripper is close to what it works on (the paper:
    5); 1 spreads them evenly."""
    from_first: float = 0.0
    """Share of the clips that begin with their episode's first frame, as most videos are imagined; the others
    begin anywhere, where less and less is left to move."""
    objective: str = "noisy-flow"
    """"noisy-flow" or "flow" with Euler steps; "v", "x0", "epsilon" or "epsilon-linear" with DDIM. What moves
    is decided at high noise: trained there more often, the imaginer learns it in fewer steps."""
    predict_data: bool = True
    """The network gives the clean video, as pictures and where they cover the first frame, and is trained on
    its error; sampling turns it into the objective's target (see nn.objectives). Coarse patches need it."""
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
    condition: str = "plan-global"
    """"text", "distance", "plan-global", "plan-local", "plan-points" or "plan-path" (`video_conditions`)."""
    points: tuple[str, str, str] = ("gripper", "target", "goal")
    """Scene points of "distance" and "plan-points", whose position and offsets are their nine numbers.
    "plan-path" takes the last two: where the hand is, it knows from the proprioception."""
    path_batch_size: int = 128
    """Examples a step that the hand's path is learned from, beside the videos."""
    path_noise: float = 0.05
    """Noise on where the hand is, when its path is learned [dm, and of the opening]."""
    text: str = ""
    """Folder of a frozen CLIP text encoder (extra "hub"); "" trains word embeddings."""
    condition_dropout: float = 0.1
    guidance: float = field(default=1.0, metadata=SAMPLING)
    """Scale of classifier-free guidance; 1 samples without it, in half the time."""
    steps: int = field(default=8, metadata=SAMPLING)
    """Sampling steps."""
    mask_training: float = 0.0
    """Share of the first frame that random blocks cover in training."""
    mask_imagining: float = field(default=0.0, metadata=SAMPLING)
    """The same when imagining (Fig. 7)."""

    def __post_init__(self) -> None:
        for name in ("from_first", "condition_dropout", "mask_training", "mask_imagining"):
            if not 0 <= getattr(self, name) <= 1:
                raise UsageError(f"{name} must lie in [0, 1], got {getattr(self, name)}")
        if self.path_noise < 0:
            raise UsageError(f"path_noise must not be negative, got {self.path_noise}")
        if self.spacing < 0 or (self.spacing and self.fine_rate != 1):
            raise UsageError(
                f"spacing={self.spacing} must not be negative, and fixed spacing has no denser parts "
                f"(fine_rate={self.fine_rate})"
            )
        if self.guidance != 1 and not self.condition_dropout:
            raise UsageError(
                f"guidance={self.guidance} leads away from the null condition, which an imaginer trained "
                "with condition_dropout=0 never saw"
            )

    def build(self, facts: DataFacts) -> "VideoDiffusion":
        return VideoDiffusion(self, facts)


class VideoDiffusion(nn.Module):
    """p(I_1:T | I_0, instruction, plan)."""

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
        self.conditioning = kind = lookup("conditioning", config.condition, CONDITIONINGS)
        if kind.local and not config.depth:
            raise UsageError(f"{config.condition!r} is told by the transformer blocks, and depth is 0")
        now, clip = Offsets((0,)), _frame_rule(config)
        told = {
            name: Take(key, clip if name == HAND else now) for name, key in kind.keys(config.points).items()
        }
        self.spec = WindowSpec({"clip": Take("rgb.{camera}", clip), **told}, config.from_first)
        self.loss_weights: Mapping[str, float] = {"video": 1.0}
        self.streams = {"imaginer": Stream(config.source, self.spec, config.batch_size)}
        if kind.path:
            # A path costs next to nothing, and needs many more examples than videos can be drawn for.
            self.streams[PATH] = Stream(
                config.source, WindowSpec(told, config.from_first), config.path_batch_size
            )
            self.loss_weights = {"video": 1.0, PATH: 1.0}
        # The difference of two pictures in [-1, 1] is at most 2.
        self.objective = objective(config.objective, bound=2 * config.residual_gain)
        features = config.features
        self.clip = ClipText(config.text) if config.text else None
        # Named for the default; the other variants' encoders take its place.
        self.plan = kind.encoder(features) if kind.encoder else None
        self.language = (
            StateEncoder(self.clip.features, features)
            if self.clip
            else WordEncoder(self.vocabulary.size, features)
        )
        self.path = (
            HandPath(*facts.proprio_range(), features, PATH_POINTS, config.frames) if kind.path else None
        )
        self.pool = TokenPool(features, (self.clip.length if self.clip else MAX_WORDS) + kind.pooled)
        self.null = nn.Parameter(torch.randn(features) * 0.02)
        self.level = LevelEmbedding(features)
        self.unet = VideoUNet(
            channels=3,
            outputs=4 if config.predict_data else 3,
            context_channels=3 + (HandPath.MARKS if kind.path else 0),
            condition=features,
            base=config.base,
            multipliers=config.multipliers,
            blocks=config.blocks,
            patch=config.patch,
            frames=config.frames,
            grid=(edges[0], edges[1]),
            depth=config.depth,
            tokens=features if kind.local else 0,
        )
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    # Training

    def parameter_groups(self) -> list[dict[str, Any]]:
        return [{"params": list(self.parameters())}]

    def load_pretrained(self) -> Mapping[str, str]:
        """Nothing: what is trained here begins from chance."""
        return {}

    def frozen(self) -> Mapping[str, str]:
        return {self.config.text: self.clip.digest()} if self.clip else {}

    def collate(self, stream: str, windows: Windows) -> Told:
        return self._told(windows) if stream == PATH else self.video_batch(windows)

    def _told(self, windows: Windows) -> Told:
        return Told(
            words=self._words(windows.instructions, next(iter(windows.values.values())).device),
            spatial=self.conditioning.gather(windows.values),
            hands=hands(windows.values) if self.conditioning.path else None,
        )

    def video_batch(self, windows: Windows) -> VideoBatch:
        """Of the windows of `spec`."""
        told, clip = self._told(windows), windows.values["clip"]
        return VideoBatch(
            words=told.words,
            spatial=told.spatial,
            hands=told.hands,
            first=clip[:, 0],
            future=clip[:, 1:] if clip.shape[1] > 1 else None,
        )

    def _words(self, sentences: tuple[str, ...], device: torch.device) -> Tensor:
        if self.clip:
            return self.clip.states(sentences, device)
        words = [self.vocabulary.encode(sentence, MAX_WORDS) for sentence in sentences]
        return torch.from_numpy(np.stack(words)).to(device, non_blocking=True)

    def loss(self, stream: str, batch: Told, generator: Generator) -> dict[str, Float[Tensor, "b"]]:
        """Eq. 4 on the difference to the first frame; or the hand's path, in examples without pictures."""
        if stream == PATH:
            return {PATH: self._path_error(batch, generator)}
        assert isinstance(batch, VideoBatch), "collated for the imaginer's own stream"
        batch = batch.occluded(self.config.mask_training, generator)
        assert batch.future is not None, "a training batch holds future frames"
        first = self._reduced(batch.first[:, None])
        residual = (self._reduced(batch.future) - first) * self.config.residual_gain
        noise = torch.randn(residual.shape, generator=generator, device=residual.device)
        levels = self.objective.draw_levels(len(residual), generator)
        dropped = torch.rand(len(residual), 1, generator=generator, device=residual.device)
        condition = self._condition(batch, None if batch.hands is None else batch.hands.path)
        condition = condition.nulled(self.null, dropped < self.config.condition_dropout)
        noisy = self.objective.corrupt(residual, noise, levels)
        output = self._denoise(noisy, levels, first[:, 0], condition).float()
        wanted = residual if self.config.predict_data else self.objective.target(residual, noise, levels)
        return {"video": (output - wanted).square().mean((1, 2, 3, 4))}

    def _path_error(self, told: Told, generator: Generator) -> Float[Tensor, "b"]:
        assert self.path is not None, "asked only of a variant with a path"
        assert told.hands is not None, "which is told where the hand is"
        pooled, _, _ = self._goal(told)
        return self.path.loss(pooled, told.hands, self.config.path_noise, generator)

    def _condition(self, told: Told, path: Float[Tensor, "b t 4"] | None = None) -> Condition:
        """What the network is told; `path`: the hand's, where it is known, else it is foretold."""
        pooled, tokens, valid = self._goal(told)
        if self.path is None:
            return Condition(pooled, tokens, valid)
        assert told.hands is not None, "told to a variant with a path"
        way: Tensor = self.path(pooled, told.hands) if path is None else path
        marks = self.path.drawn(way, told.hands, self.facts.image_size, self.size)
        return Condition(pooled, frames=self.path.told(way, told.hands), marks=marks)

    def _goal(self, told: Told) -> tuple[Tensor, Tensor | None, Tensor | None]:
        """Eq. 2: words and what is known of space, pooled; or that beside them, as tokens and which hold."""
        tokens, valid = self.language(told.words)
        if self.plan is None:
            return self.pool(tokens, valid), None, None
        more, known = self.plan(*told.spatial)
        if self.conditioning.local:
            return self.pool(tokens, valid), more, known
        return self.pool(torch.cat([tokens, more], dim=1), torch.cat([valid, known], dim=1)), None, None

    def _denoise(self, noisy: Tensor, levels: Tensor, first: Tensor, condition: Condition) -> Tensor:
        """The network's own output: the clean residual, or the objective's target."""
        pooled = condition.pooled + self.level(levels)
        output = self.unet(
            noisy, first, pooled, condition.tokens, condition.valid, condition.frames, condition.marks
        )
        if not self.config.predict_data:
            return output
        frames, change = output.split([3, 1], dim=2)
        # Pasting over the first frame leaves no ghost of what has gone, as a bare difference does.
        return torch.sigmoid(change - 1) * (frames - first[:, None]) * self.config.residual_gain

    def _predict(self, noisy: Tensor, levels: Tensor, first: Tensor, condition: Condition) -> Tensor:
        """The objective's target, for the sampler."""
        output = self._denoise(noisy, levels, first, condition)
        return self.objective.from_data(output, noisy, levels) if self.config.predict_data else output

    # Imagining

    @property
    def request(self) -> ViewRequest:
        return replace(self.facts.request, scene=self.conditioning.scene)

    @property
    def privileged(self) -> tuple[str, ...]:
        return self.request.privileged

    def reset(self, case: Case) -> None:
        """Nothing is remembered from one episode to the next."""

    @torch.inference_mode()
    def imagine(
        self, observation: Observation, plan: SpatialPlan | None, generator: Generator
    ) -> ImaginedVideo:
        """One future of the observation's only view; `plan=None` is a plan with nothing left to do.

        "text" and "distance" do not read the plan; "distance", "plan-points" and "plan-path" need the points
        of the observation's scene.
        """
        batch = self.batch_from(observation, plan)
        frames = self.sample(batch.occluded(self.config.mask_imagining, generator), generator)
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
        condition = self._condition(batch)
        null = condition.nulled(self.null, torch.ones(b, 1, dtype=torch.bool, device=first.device))
        network = with_guidance(
            lambda noisy, levels: self._predict(noisy, levels, first[:, 0], condition),
            lambda noisy, levels: self._predict(noisy, levels, first[:, 0], null),
            self.config.guidance,
        )
        shape = (b, self.config.frames, c, y, x)
        noise = torch.randn(shape, generator=generator, device=generator.device).to(first.device)
        change = self.objective.sample(network, noise, self.config.steps) / self.config.residual_gain
        frames = (enlarged_over(to_unit(batch.first[:, None]), first, change) + 1) * 127.5
        return rearrange(frames, "b t c y x -> b t y x c").round().clamp(0, 255).to(torch.uint8)

    def _reduced(self, frames: UInt8[Tensor, "b t y x 3"]) -> Float[Tensor, "b t 3 h w"]:
        """At the size the network works at."""
        return resized(to_unit(frames), self.size)

    def batch_from(self, observation: Observation, plan: SpatialPlan | None) -> VideoBatch:
        """The same batch as from the store: first frame, words, and the plan or the scene's points."""
        (camera,) = observation.views
        device = self.null.device
        encoded = encode_plan(plan or SpatialPlan(()))
        rows = {name: torch.from_numpy(getattr(encoded, name))[None, None].to(device) for name in PLAN_KEYS}
        seen = {name: [observation] for name in self.spec.takes if name not in rows}
        windows = from_observations(seen, self.spec, camera, device=device)
        return self.video_batch(Windows({**windows.values, **rows}, {}, windows.instructions))


def _frame_rule(config: VideoDiffusionConfig) -> FrameRule:
    count = config.frames + 1
    if config.spacing:
        return Offsets(tuple(config.spacing * place for place in range(count)))
    return Spread(count) if config.fine_rate == 1 else FineSpread(count, config.fine_rate)
