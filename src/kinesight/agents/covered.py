"""Any agent behind a partly hidden lens (Spatial Policy, "Robustness to Occlusions via Masking", Fig. 7)."""

from dataclasses import replace

import torch

from kinesight.agents.spatial_policy import case_generator
from kinesight.interfaces.agent import Agent
from kinesight.nn.masking import covered
from kinesight.types.arrays import Image
from kinesight.types.case import Case
from kinesight.types.decision import Decision
from kinesight.types.observation import Observation, View, ViewRequest


class Covered:
    """An `Agent` whose pictures have grey blocks over a random `share` of their cells, new ones each time.

    The agent's own draws are those that it makes without cover.
    """

    def __init__(self, agent: Agent, share: float) -> None:
        self.agent = agent
        self.share = share

    @property
    def privileged(self) -> tuple[str, ...]:
        return self.agent.privileged

    def reset(self, case: Case) -> None:
        self._generator = case_generator(case, seed=1)
        self.agent.reset(case)

    def request(self) -> ViewRequest:
        return self.agent.request()

    def act(self, observation: Observation) -> Decision:
        views = {name: self._cover(view) for name, view in observation.views.items()}
        return self.agent.act(replace(observation, views=views))

    def _cover(self, view: View) -> View:
        if view.rgb is None:
            return view
        again = torch.Generator()
        again.set_state(self._generator.get_state())  # the large picture hides what the other one hides
        large = None if view.large_rgb is None else self._blocks(view.large_rgb, again)
        return replace(view, rgb=self._blocks(view.rgb, self._generator), large_rgb=large)

    def _blocks(self, picture: Image, generator: torch.Generator) -> Image:
        images = torch.from_numpy(picture.copy())[None, None]
        return covered(images, self.share, generator)[0, 0].numpy()
