"""Goals from recorded expert episodes instead of imagined ones: controls for any goal-image agent.

With the episode of the same case they are oracle goals: how well the policy does when imagination is perfect.
With another layout's episode of the same task they are shuffled goals: how much it matters that the goals
belong to what is seen. With the episode of the task's counterpart in the same scene they are swapped goals.
"""

from typing import Literal

import numpy as np
import torch

from kinesight.data.episodes import EpisodeStore
from kinesight.types.case import Case
from kinesight.types.errors import DataError
from kinesight.types.observation import Observation, ViewRequest
from kinesight.types.plan import SpatialPlan
from kinesight.types.video import ImaginedVideo, future_steps


class RecordedFutures:
    """An `Imaginer` that replays; privileged, since the episode of the case is not known beforehand.

    A new video starts at the recorded frame whose end effector is nearest to the present one; its frames are
    those of `future_steps`.
    """

    def __init__(
        self, store: EpisodeStore, whose: Literal["same", "another"], frames: int, spacing: int = 0
    ) -> None:
        self.store = store
        self.whose = whose
        self.frames = frames
        self.spacing = spacing
        self._index = {key(store.meta(i).case): i for i in range(len(store))}

    @property
    def privileged(self) -> tuple[str, ...]:
        return ("expert",)

    @property
    def request(self) -> ViewRequest:
        return ViewRequest()

    def reset(self, case: Case) -> None:
        self._case = case
        wanted = case if self.whose == "same" else self._other(case)
        if key(wanted) not in self._index:
            raise DataError(f"{self.store.path}: no recorded episode of {wanted}")
        index, rgb = self._index[key(wanted)], f"rgb.{case.camera}"
        rows = self.store.window(index, 0, self.store.meta(index).length + 1, (rgb, "proprio"))
        self._rgb, self._hand = rows[rgb], rows["proprio"][:, :3]

    def imagine(
        self, observation: Observation, plan: SpatialPlan | None, generator: torch.Generator
    ) -> ImaginedVideo:
        first = observation.views[self._case.camera].rgb
        assert first is not None, "the agent looks before it imagines"
        now = int(np.argmin(np.linalg.norm(self._hand - observation.proprio[:3], axis=1)))
        chosen = future_steps(now, len(self._rgb) - 1, self.frames, self.spacing)
        return ImaginedVideo(first, self._rgb[chosen], plan, observation.instruction)

    def _other(self, case: Case) -> Case:
        """The next recorded layout of the task; after the last comes the first."""
        recorded = (self.store.meta(i).case for i in self._index.values())
        others = sorted(
            (c for c in recorded if (c.task, c.start) == (case.task, case.start) and key(c) != key(case)),
            key=lambda c: (c.seed, c.variation),
        )
        if not others:
            raise DataError(
                f"{self.store.path}: shuffled goals need another episode of {case.task}, {case.start}"
            )
        return next((c for c in others if c.seed > case.seed), others[0])


def key(case: Case) -> tuple[str, int, str, int]:
    """What fixes an expert's episode; the recording holds several cameras."""
    return case.task, case.seed, case.start, case.variation
