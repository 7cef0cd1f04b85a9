"""What a frozen LAM says of recorded episodes, as a derived key: the true latent plan at every frame."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Int

from kinesight.data.episodes import Episode
from kinesight.models.latent_actions import LatentActions

PAST_THE_END = -1
"""Stands for every code of a key frame after the end of the episode."""
BATCH = 32
"""Frames that are looked at once."""


@dataclass(frozen=True, slots=True, eq=False)
class LatentCodes:
    """Episode -> `codes.CAM`, int16 [T + 1, N, tokens]."""

    model: LatentActions

    def __call__(self, episode: Episode) -> Mapping[str, np.ndarray]:
        return {f"codes.{name}": self._of(episode.arrays[f"rgb.{name}"]) for name in episode.cameras}

    def _of(self, rgb: np.ndarray) -> Int[np.ndarray, "t k n"]:
        config, last = self.model.config, len(rgb) - 1
        later = config.gap * np.arange(1, config.frames + 1)
        wanted = np.arange(len(rgb))[:, None] + later
        device = self.model.place.device
        found = []
        for start in range(0, len(rgb), BATCH):
            rows = np.concatenate([np.arange(len(rgb))[:, None], wanted], axis=1)[start : start + BATCH]
            clips = torch.from_numpy(rgb[np.minimum(rows, last)]).to(device)
            found.append(self.model.codes(clips).cpu().numpy())
        codes = np.concatenate(found).astype(np.int16)
        codes[wanted > last] = PAST_THE_END
        return codes
