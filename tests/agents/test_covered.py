"""The lens that hides parts of every picture: all pictures of one view lack the same parts."""

import numpy as np

from kinesight.agents.covered import Covered
from kinesight.nn.masking import GREY
from kinesight.types.camera import Camera
from kinesight.types.case import Case
from kinesight.types.decision import Decision
from kinesight.types.observation import Observation, View, ViewRequest


class Watching:
    """An agent that keeps what it is shown."""

    privileged = ()

    def __init__(self) -> None:
        self.seen: list[View] = []

    def reset(self, case: Case) -> None:
        self.seen.clear()

    def request(self) -> ViewRequest:
        return ViewRequest(("corner",), 16, 16, large_side=64)

    def act(self, observation: Observation) -> Decision:
        self.seen.append(observation.views["corner"])
        return Decision(np.zeros(4, np.float32))


def shown(large: bool, steps: int = 3) -> list[View]:
    agent = Watching()
    lens = Covered(agent, 0.5)
    lens.reset(Case("toy", "push", 3, "corner"))
    camera = Camera("corner", np.eye(3), np.eye(4), 16, 16)
    finer = np.full((64, 64, 3), 50, np.uint8) if large else None
    view = View(camera, np.full((16, 16, 3), 50, np.uint8), large_rgb=finer)
    for step in range(steps):
        lens.act(Observation(step, "push it", {"corner": view}, np.zeros(8)))
    return agent.seen


def test_the_large_picture_lacks_what_the_other_one_lacks() -> None:
    views = shown(large=True)
    for view in views:
        assert view.rgb is not None
        assert view.large_rgb is not None
        assert 0 < (view.rgb == GREY).mean() < 1
        np.testing.assert_array_equal(view.large_rgb, view.rgb.repeat(4, axis=0).repeat(4, axis=1))
    assert not np.array_equal(views[0].rgb, views[1].rgb)


def test_a_large_picture_changes_no_draw() -> None:
    for with_it, without in zip(shown(large=True), shown(large=False), strict=True):
        np.testing.assert_array_equal(with_it.rgb, without.rgb)
        assert without.large_rgb is None
