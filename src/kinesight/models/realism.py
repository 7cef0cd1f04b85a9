"""Does a video look filmed or imagined? A small discriminator, for the video judge.

It is trained on pairs: a recorded clip, and what the imaginer made of its first frame and plan. Any imagined
clip is a little softer than a recorded one, and a discriminator that learns only this gives every imagined
clip the same score. So both are shrunk, and blurred and made noisy alike, and the score is not a probability:
it is the logit on the scale between the means of imagined clips (0.1) and of recorded ones (0.9).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Float, UInt8
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from kinesight.interfaces.model import Stream, Windows
from kinesight.nn.layers import group_norm, to_unit
from kinesight.types.errors import UsageError
from kinesight.types.facts import DataFacts
from kinesight.types.video import ImaginedVideo
from kinesight.types.windows import Offsets, Take, WindowSpec

REAL, IMAGINED = "clip.real", "clip.imagined"
"""Keys of the paired clips, uint8 [t y x 3] a row, the shared first frame included."""
_NINE_TENTHS = 2.197  # logistic(2.197) = 0.9
_MOMENTUM = 0.98


@dataclass(frozen=True, slots=True)
class RealismConfig:
    """Sizes and data of the discriminator."""

    source: str = "imagined"
    """Pairs of clips; made of the demonstrations by the imaginer of the same run."""
    clips: int = 320
    """Pairs that are imagined for training, at least."""
    batch_size: int = 16
    size: int = 48
    """Edge at which clips are looked at [px]."""
    width: int = 24
    """Channels of the first layer; doubled twice."""
    blur: float = 0.7
    """Share of the training pairs that are blurred."""
    noise: float = 0.1
    """Largest standard deviation of the noise on training pairs, on a range of 2."""

    def __post_init__(self) -> None:
        if min(self.clips, self.batch_size, self.width) < 1 or self.size < 16:
            raise UsageError(f"realism needs clips, batch_size, width >= 1 and size >= 16, got {self}")

    def build(self, facts: DataFacts) -> "Realism":
        return Realism(self, facts)


@dataclass(frozen=True, slots=True)
class RealismBatch:
    """Clips of equal length, first frames included."""

    real: UInt8[Tensor, "b t y x 3"]
    imagined: UInt8[Tensor, "b t y x 3"]


class Realism(nn.Module):
    """Clip -> logit, larger for recorded clips."""

    loss_weights: Mapping[str, float] = {"realism": 1.0}
    mean_real: Tensor
    mean_imagined: Tensor

    def __init__(self, config: RealismConfig, facts: DataFacts) -> None:
        super().__init__()
        self.config, self.facts = config, facts
        now = Offsets((0,))
        self.spec = WindowSpec({"real": Take(REAL, now), "imagined": Take(IMAGINED, now)})
        self.streams = {"realism": Stream(config.source, self.spec, config.batch_size)}
        widths = [config.width, 2 * config.width, 4 * config.width]
        layers: list[nn.Module] = []
        for inputs, outputs in zip([6, *widths], widths, strict=False):
            layers += [
                nn.Conv2d(inputs, outputs, 4, stride=2, padding=1),
                group_norm(outputs),
                nn.SiLU(),
            ]
        self.frames = nn.Sequential(*layers)
        self.time = nn.Conv1d(widths[-1], widths[-1], 3, padding=1)
        self.head = nn.Sequential(nn.Linear(2 * widths[-1], widths[-1]), nn.SiLU(), nn.Linear(widths[-1], 1))
        self.register_buffer("mean_real", torch.zeros(()))
        self.register_buffer("mean_imagined", torch.zeros(()))

    # Training

    def parameter_groups(self) -> list[dict[str, Any]]:
        return [{"params": list(self.parameters())}]

    def collate(self, stream: str, windows: Windows) -> RealismBatch:
        return RealismBatch(windows.values["real"][:, 0], windows.values["imagined"][:, 0])

    def loss(self, stream: str, batch: RealismBatch, generator: Generator) -> dict[str, Float[Tensor, "b"]]:
        """Cross entropy, half of it on recorded clips; the running means of both logits go along."""
        pair = torch.cat([self._reduced(batch.real), self._reduced(batch.imagined)])
        logits = self(_degrade(pair, self.config.blur, self.config.noise, generator)).float()
        real, imagined = logits.chunk(2)
        if self.training:
            self.mean_real.lerp_(real.detach().mean(), 1 - _MOMENTUM)
            self.mean_imagined.lerp_(imagined.detach().mean(), 1 - _MOMENTUM)
        return {"realism": (F.softplus(-real) + F.softplus(imagined)) / 2}

    def forward(self, clips: Float[Tensor, "b t 3 y x"]) -> Float[Tensor, "b"]:
        frames = torch.cat([clips, clips - clips[:, :1]], dim=2)
        features = self.frames(frames.flatten(0, 1)).flatten(2)
        pooled = rearrange(features.mean(-1), "(b t) c -> b c t", b=len(clips))
        mixed = F.silu(self.time(pooled))
        return self.head(torch.cat([mixed.mean(-1), mixed.amax(-1)], dim=-1))[:, 0]

    def _reduced(self, clips: UInt8[Tensor, "b t y x 3"]) -> Float[Tensor, "b t 3 h w"]:
        size = (self.config.size, self.config.size)
        small = F.interpolate(
            to_unit(clips).flatten(0, 1), size, mode="bilinear", align_corners=False, antialias=True
        )
        return small.unflatten(0, clips.shape[:2])

    # Judging

    @torch.inference_mode()
    def logits(self, clips: UInt8[Tensor, "b t y x 3"]) -> Float[Tensor, "b"]:
        """Of clips with their first frames."""
        return self(self._reduced(clips.to(self.mean_real.device))).float()

    def score(self, video: ImaginedVideo) -> float:
        """Realism in [0, 1]: about 0.1 for a usual imagined video, about 0.9 for a recorded one."""
        clip = torch.from_numpy(np.concatenate([video.first[None], video.frames]))[None]
        middle = (self.mean_real + self.mean_imagined) / 2
        # A discriminator that tells nothing apart must not blow up what little it says.
        half = ((self.mean_real - self.mean_imagined) / 2).clamp_min(0.25)
        return float(torch.sigmoid(_NINE_TENTHS * (self.logits(clip)[0] - middle) / half))


def _degrade(
    clips: Float[Tensor, "b t 3 y x"], blur: float, noise: float, generator: Generator
) -> Float[Tensor, "b t 3 y x"]:
    """Blur and noise of random strength; the two clips of a pair (b and b + half) get the same."""
    half = len(clips) // 2
    drawn = torch.rand(2, half, generator=generator, device=clips.device).repeat(1, 2)
    share = torch.where(drawn[0] < blur, drawn[0] / max(blur, 1e-6), 0.0)[:, None, None, None, None]
    padded = F.pad(clips.flatten(0, 1), (1, 1, 1, 1), mode="replicate")
    blurred = F.avg_pool2d(padded, 3, stride=1).unflatten(0, clips.shape[:2])
    grain = torch.randn(clips.shape, generator=generator, device=clips.device)
    return torch.lerp(clips, blurred, share) + noise * drawn[1][:, None, None, None, None] * grain
