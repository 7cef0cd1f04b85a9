"""What a frozen LAM says of recorded episodes, as a derived key: the true latent plan at every frame."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Int

from kinesight.data.episodes import Episode
from kinesight.models.latent_actions import LatentActions
from kinesight.types.arrays import Video

PAST_THE_END = -1
"""Stands for every code of a key frame after the end of the episode."""
BATCH = 32
"""Frames that are looked at once."""


@dataclass(frozen=True, slots=True, eq=False)
class LatentCodes:
    """Episode -> `codes.CAM`, int16 [T + 1, N, tokens]."""

    model: LatentActions
    second_view: str = ""
    """A camera of no codes: it is looked at beside the others alone. "" for none."""

    def __call__(self, episode: Episode) -> Mapping[str, np.ndarray]:
        pictures = [key.removeprefix("rgb.") for key in episode.arrays if key.startswith("rgb.")]
        cameras = [name for name in pictures if name != self.second_view]
        return {f"codes.{name}": self.of_video(episode.arrays[f"rgb.{name}"]) for name in cameras}

    def of_video(self, rgb: Video) -> Int[np.ndarray, "t k n"]:
        config, frames = self.model.config, np.arange(len(rgb))
        rows = frames[:, None] + config.gap * np.arange(config.frames + 1)
        device = self.model.place.device
        # Every frame is looked at once, though it is a part of several clips.
        pictures = torch.from_numpy(rgb).split(BATCH)
        seen = torch.cat([self.model.seen(each[None].to(device))[0] for each in pictures])
        inside = torch.from_numpy(np.minimum(rows, frames[-1])).to(device)
        found = [self.model.codes(seen[each]) for each in inside.split(BATCH)]
        codes = torch.cat(found).cpu().numpy().astype(np.int16)
        codes[rows[:, 1:] > frames[-1]] = PAST_THE_END
        return codes
