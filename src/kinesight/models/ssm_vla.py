"""SSM-VLA (section III-B and C): next frame, latent plan and action of one transformer, in one pass.

    core      words, proprioception, tokens of the past frames        see each other
    frame     queries -> next RGB-D frame (visual chain of thought)     see the core and each other
    latent    queries -> distributions over the LAM's codes            see core, frame, and nothing later
    action    queries -> the condition of a flow-matching DiT          see everything

Latent queries are parallel: Eq. 10's earlier codes enter as hidden states of earlier queries. Nothing is fed
back, so there is no teacher forcing: true codes appear in the loss alone, and acting computes what training
did. The velocity target is a - ε: as printed, Eq. 13 leads away from the action.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Float, UInt8
from torch import Generator, Tensor, nn

from kinesight.data.windows import from_observations
from kinesight.interfaces.model import Stream, Windows
from kinesight.language.words import Vocabulary
from kinesight.models.latent_actions import LatentActions
from kinesight.models.ssm_vla_batch import (
    SsmVlaBatch,
    gathered,
    main_cameras,
    policy_windows,
    randomly_shifted,
)
from kinesight.models.ssm_vla_losses import next_frame_errors, plan_error
from kinesight.nn.conditions import WordEncoder
from kinesight.nn.encoders import CnnTokens
from kinesight.nn.flow_head import FlowHead
from kinesight.nn.layers import to_unit
from kinesight.nn.pictures import metres, resized
from kinesight.nn.proprioception import Coordinates
from kinesight.nn.rgbd import FrameHead, Frames, pasted
from kinesight.nn.structured_attention import ATTENTIONS, Segment, StagedTransformer, Stages
from kinesight.nn.vit import patch_grid
from kinesight.types.action import ActionChunk
from kinesight.types.checks import check_at_least, check_heads
from kinesight.types.errors import DataError, UsageError, lookup
from kinesight.types.facts import DataFacts
from kinesight.types.observation import Observation, ViewRequest
from kinesight.types.prediction import Prediction
from kinesight.types.sampling import SAMPLING
from kinesight.types.video import ImaginedVideo


@dataclass(frozen=True, slots=True)
class SsmVlaConfig:
    """Sizes, data, sampling and loss weights; docs/methods/ssm_vla.md says what the paper leaves open."""

    source: str = "demos"
    batch_size: int = 32
    history: int = 2
    """H, frames that are looked at."""
    stride: int = 4
    """Steps between them."""
    second_view: str = ""
    """Another camera of the data that is always looked at too, such as the wrist's; "" for one view."""
    imagine: bool = True
    """Whether the next frame is drawn before the plan and the action."""
    ahead: int = 4
    """Steps to the next frame."""
    size: int = 64
    """Edge at which it is drawn [px]; 0 for the data's own."""
    patch: int = 8
    depth: bool = True
    """Whether depth is drawn too; needs recorded or aligned depth. It is never looked at."""
    frames: int = 3
    """Key frames of the latent plan, as in the LAM; 0 goes without latent actions, and without a LAM."""
    tokens: int = 4
    """Codes a key frame, as in the LAM."""
    codes: int = 32
    """Size of the LAM's codebook."""
    actions: bool = True
    """False learns frames and codes alone, from pictures and words: no action or proprioception is read."""
    horizon: int = 8
    """Actions predicted at once."""
    queries: int = 4
    """Of the action."""
    attention: str = "structured"
    """Or "causal", the paper's baseline."""
    grid: int = 6
    """Tokens along each edge of a view."""
    width: int = 32
    """Of a view's first convolutions; four times as wide in the last ones."""
    features: int = 128
    blocks: int = 5
    heads: int = 4
    head_features: int = 128
    """Of the DiT."""
    head_blocks: int = 3
    words: int = 16
    """Words of an instruction that are read."""
    noise_draws: int = 4
    """Noise levels a context is trained on at once."""
    steps: int = field(default=10, metadata=SAMPLING)
    """Euler steps from noise to actions."""
    shift: int = 4
    """Random shift of all pictures of an example in training [px]."""
    proprio_noise: float = 0.02
    """Noise on the normalised proprioception in training (its range is 2)."""
    vision_weight: float = 0.1
    """λ_vision of Eq. 14."""
    latent_weight: float = 0.01
    """λ_latent of Eq. 14."""
    depth_weight: float = 0.01
    """λ_d of Eq. 6, within the vision loss."""

    def __post_init__(self) -> None:
        check_at_least(self, 1, "history", "stride", "ahead", "horizon", "queries", "steps", "noise_draws")
        check_at_least(self, 1, "batch_size", "patch", "grid", "width", "blocks", "head_blocks", "words")
        check_at_least(self, 0, "size", "frames", "shift", "proprio_noise")
        check_at_least(self, 0, "vision_weight", "latent_weight", "depth_weight")
        check_heads(self)
        check_heads(self, "head_features")
        if self.frames and min(self.tokens, self.codes - 1) < 1:
            raise UsageError(
                f"a latent plan needs tokens >= 1 and codes >= 2, got {self.tokens} and {self.codes}; "
                "frames=0 goes without"
            )
        lookup("attention", self.attention, ATTENTIONS)
        if not (self.actions or self.imagine or self.frames):
            raise UsageError("without actions, next frame and latent plan there is nothing to learn")

    @property
    def taught(self) -> tuple[str, ...]:
        """Settings that the stage which teaches it has alike; empty where it learns from none."""
        return ("frames", "tokens", "codes") if self.frames else ()

    def build(self, facts: DataFacts) -> "SsmVla":
        return SsmVla(self, facts)


class SsmVla(nn.Module):
    """p(next frame, latent plan, actions | history, instruction)."""

    def __init__(self, config: SsmVlaConfig, facts: DataFacts) -> None:
        super().__init__()
        self.config, self.facts = config, facts
        self.size = (config.size, config.size) if config.size else facts.image_size
        cameras = main_cameras(config.second_view, facts)
        self.spec = policy_windows(
            _past(config),
            config.second_view,
            (config.ahead, config.depth) if config.imagine else None,
            config.frames > 0,
            config.horizon if config.actions else 0,
        )
        self.streams = {"policy": Stream(config.source, self.spec, config.batch_size, cameras=cameras)}
        self.loss_weights: Mapping[str, float] = _weights(config)
        self.vocabulary = Vocabulary(facts.words)
        d = config.features

        self.language = WordEncoder(self.vocabulary.size, d)
        self.coordinates = Coordinates(*facts.proprio_range(), d)
        views = 2 if config.second_view else 1
        self.views = nn.ModuleList(CnnTokens(3, d, config.grid, config.width) for _ in range(views))
        self.views.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        patches = patch_grid(self.size, config.patch)
        counts = {
            Segment.CORE: config.words + config.history * (1 + views * config.grid**2),
            Segment.FRAME: patches[0] * patches[1] if config.imagine else 0,
            Segment.LATENT: config.frames * config.tokens,
            Segment.ACTION: config.queries,
        }
        self.stages = StagedTransformer(counts, d, config.blocks, config.heads, config.attention)
        self.frame_head = FrameHead(d, config.patch, patches, config.depth) if config.imagine else None
        self.code_head = nn.Linear(d, config.codes) if config.frames else None
        self.action_head = FlowHead(
            facts.action_space().dimensions,
            config.horizon,
            config.queries * d,
            config.head_features,
            config.head_blocks,
            config.heads,
        )
        if not config.actions:
            self.action_head.requires_grad_(False)
            self.coordinates.requires_grad_(False)

    # Training

    @property
    def wants_teacher(self) -> bool:
        return bool(self.config.taught)

    def adopt(self, teacher: nn.Module) -> None:
        """Refuse a LAM of another codebook; its codes themselves come with the data."""
        if not isinstance(teacher, LatentActions):
            raise UsageError(f"latent plans come from LatentActions, got a {type(teacher).__name__}")
        names = self.config.taught
        there, here = (
            tuple(getattr(config, name) for name in names) for config in (teacher.config, self.config)
        )
        if there != here:
            raise DataError(
                "the latent actions have (frames, tokens, codes) = "
                f"{there}, the policy expects {here}; its settings of these names must be the same"
            )

    def parameter_groups(self) -> list[dict[str, Any]]:
        return [{"params": [p for p in self.parameters() if p.requires_grad]}]

    def collate(self, stream: str, windows: Windows) -> SsmVlaBatch:
        words = [self.vocabulary.encode(sentence, self.config.words) for sentence in windows.instructions]
        spoken = torch.from_numpy(np.stack(words)).to(self.device, non_blocking=True)
        return gathered(windows, spoken)

    def loss(self, stream: str, batch: SsmVlaBatch, generator: Generator) -> dict[str, Float[Tensor, "b"]]:
        """The terms of Eq. 14; frames, codes and actions after the end of the episode are left out."""
        batch = randomly_shifted(batch, self.config.shift, generator)
        stages = self(batch, generator)
        terms: dict[str, Tensor] = {}
        if self.frame_head is not None:
            assert batch.next_rgb is not None, "a training batch holds the next frame"
            assert batch.next_valid is not None, "and whether it lies inside the episode"
            now, wanted = (self._colours(rgb)[:, 0] for rgb in (batch.rgb[:, -1:], batch.next_rgb))
            depth_mm = batch.next_depth_mm
            depth_m = None if depth_mm is None else metres(depth_mm, self.size)[:, 0]
            drawn = self._draw(stages, batch)
            terms |= next_frame_errors(drawn, now, wanted, depth_m, batch.next_valid[:, 0])
        if self.code_head is not None:
            assert batch.codes is not None, "a training batch holds the LAM's codes"
            terms["latent"] = plan_error(self.code_head(stages.latent), batch.codes)
        if self.config.actions:
            assert batch.actions is not None, "a training batch holds actions"
            assert batch.valid is not None, "and which of them lie inside the episode"
            context, draws = stages.action.flatten(1), self.config.noise_draws
            terms["action"] = self.action_head.loss(context, batch.actions, batch.valid, draws, generator)
        return terms

    # The transformer

    @property
    def device(self) -> torch.device:
        return self.stages.place.device

    def forward(self, batch: SsmVlaBatch, generator: Generator | None = None) -> Stages:
        """`generator`: draws the noise on the proprioception, in training."""
        words, spoken = self.language(batch.words)
        tokens, known = [words, self._hands(batch, generator)], [spoken, batch.seen & self.config.actions]
        for view, pictures in zip(self.views, (batch.rgb, batch.second), strict=False):
            assert pictures is not None, "a model with a second view is given one"
            seen = view(to_unit(pictures).flatten(0, 1)).unflatten(0, pictures.shape[:2])
            known.append(batch.seen.repeat_interleave(seen.shape[2], 1))
            tokens.append(rearrange(seen, "b t n d -> b (t n) d"))
        return self.stages(torch.cat(tokens, dim=1), torch.cat(known, dim=1))

    def _hands(self, batch: SsmVlaBatch, generator: Generator | None) -> Float[Tensor, "b t d"]:
        """Tokens of the proprioception; empty ones, that nobody attends to, where only video is read."""
        if not self.config.actions:
            return batch.rgb.new_zeros(*batch.seen.shape, self.config.features, dtype=torch.float32)
        assert batch.proprio is not None, "a model that acts is told where the arm is"
        return self.coordinates(batch.proprio, self.config.proprio_noise if generator else 0.0, generator)

    def _draw(self, stages: Stages, batch: SsmVlaBatch) -> Frames:
        """The next frame, pasted over the present one."""
        assert self.frame_head is not None, "asked only of a model that imagines"
        return self.frame_head(stages.frame, self._colours(batch.rgb[:, -1:])[:, 0])

    def _colours(self, rgb: UInt8[Tensor, "b t y x 3"]) -> Float[Tensor, "b t 3 h w"]:
        return (resized(to_unit(rgb), self.size) + 1) / 2

    # Acting

    @property
    def request(self) -> ViewRequest:
        return self.facts.request

    @property
    def privileged(self) -> tuple[str, ...]:
        return self.request.privileged

    def view(self, camera: str) -> ViewRequest:
        second = self.config.second_view
        if camera == second:
            raise UsageError(f"{camera!r} is the policy's second view; it acts by another camera beside it")
        return replace(self.request, cameras=(camera, second) if second else (camera,))

    @property
    def offsets(self) -> tuple[int, ...]:
        return _past(self.config)

    @property
    def horizon(self) -> int:
        return self.config.horizon

    @property
    def ahead(self) -> int:
        return self.config.ahead if self.config.imagine else 0

    @property
    def draws_depth(self) -> bool:
        return self.config.imagine and self.config.depth

    @torch.inference_mode()
    def predict(
        self, history: Sequence[Observation], valid: Sequence[bool], generator: Generator
    ) -> Prediction:
        """Next frame, most likely latent plan, and actions, from one pass and a few steps of the DiT."""
        batch = self.batch_from(history, valid)
        stages = self(batch)
        video = depth_m = latents = certainty = None
        if self.frame_head is not None:
            now = batch.rgb[0, -1].cpu().numpy()
            drawn = self._draw(stages, batch)
            video = ImaginedVideo(now, pasted(now, drawn), None, history[-1].instruction)
            if drawn.depth_m is not None:
                depth_m = resized(drawn.depth_m[None], now.shape[:2])[0, 0, 0].cpu().numpy()
        if self.code_head is not None:
            likely = self.code_head(stages.latent)[0].float().softmax(-1).max(-1)
            shape = (self.config.frames, self.config.tokens)
            latents = likely.indices.view(shape).cpu().numpy()
            certainty = likely.values.view(shape).cpu().numpy()
        actions = self.action_head.sample(stages.action.flatten(1), self.config.steps, generator)
        chunk = ActionChunk(actions[0].clamp(-1, 1).float().cpu().numpy())
        return Prediction(chunk, video, depth_m, latents, certainty)

    def batch_from(self, history: Sequence[Observation], valid: Sequence[bool]) -> SsmVlaBatch:
        """The same batch as from the store, of the frames at `offsets`."""
        if len(history) != self.config.history:
            raise UsageError(f"the policy looks at {self.config.history} frames, got {len(history)}")
        (camera,) = history[-1].views.keys() - {self.config.second_view}
        names = [name for name in ("rgb", "second", "proprio") if name in self.spec.takes]
        windows = from_observations(
            dict.fromkeys(names, history), self.spec, camera, dict.fromkeys(names, valid), self.device
        )
        # A store has one instruction for an episode; where somebody changes it, the present one counts.
        return self.collate("policy", replace(windows, instructions=(history[-1].instruction,)))


def _past(config: SsmVlaConfig) -> tuple[int, ...]:
    return tuple(-config.stride * back for back in reversed(range(config.history)))


def _weights(config: SsmVlaConfig) -> dict[str, float]:
    vision, depth = config.vision_weight, config.vision_weight * config.depth_weight
    return {
        **({"rgb": vision} if config.imagine else {}),
        **({"depth": depth} if config.imagine and config.depth else {}),
        **({"latent": config.latent_weight} if config.frames else {}),
        **({"action": 1.0} if config.actions else {}),
    }
