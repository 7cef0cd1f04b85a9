"""The planners that a recipe may name, and who finds the scene's points beside them."""

from collections.abc import Callable
from dataclasses import dataclass

from kinesight.agents.spatial_policy import SpatialPolicyConfig
from kinesight.interfaces.stages import Planners, PointSources
from kinesight.language.chat import ChatConfig
from kinesight.planning.geometric import GeometricPlanners
from kinesight.planning.offsets import PointOffsetSources, SceneOffsetSources
from kinesight.planning.pixels import PixelPlanners
from kinesight.planning.segmenters import SimulatorSegmenter
from kinesight.types.errors import UsageError, lookup


@dataclass(frozen=True, slots=True)
class Planning:
    """How an agent knows where things are."""

    planners: Callable[[SpatialPolicyConfig], Planners]
    points: PointSources | None = None
    """Who tells them to stages that ask for the scene, such as an imaginer of the distance variant; None: the
    simulator, privileged."""


def make_planners(config: SpatialPolicyConfig) -> Planners:
    """The agent's planners; an unknown name is answered with the list."""
    return lookup("planner", config.planner, PLANNERS).planners(config)


def make_points(config: SpatialPolicyConfig) -> PointSources | None:
    """Who finds points beside these planners."""
    return lookup("planner", config.planner, PLANNERS).points


def _chat(config: SpatialPolicyConfig) -> Planners:
    return config.chat_planner.build(_endpoint(config), GeometricPlanners(), SceneOffsetSources())


def _chat_on_pixels(config: SpatialPolicyConfig) -> Planners:
    return config.chat_planner.build(_endpoint(config), PIXELS, PointOffsetSources())


def _chat_by_eye(config: SpatialPolicyConfig) -> Planners:
    return config.chat_planner.build(_endpoint(config), PIXELS)


def _endpoint(config: SpatialPolicyConfig) -> ChatConfig:
    if config.chat is None:
        raise UsageError(
            f"the planner {config.planner!r} asks a model: name it with --chat-model, or in the recipe"
        )
    return config.chat


PIXELS, PIXELS_IDS = PixelPlanners(), PixelPlanners(SimulatorSegmenter())

PLANNERS: dict[str, Planning] = {
    "geometric": Planning(lambda _: GeometricPlanners()),
    "pixels": Planning(lambda _: PIXELS, PIXELS),
    "pixels-ids": Planning(lambda _: PIXELS_IDS, PIXELS_IDS),
    "chat": Planning(_chat),
    "chat-pixels": Planning(_chat_on_pixels, PIXELS),
    "chat-by-eye": Planning(_chat_by_eye, PIXELS),
}
"""By name: from the simulator's poses; from colour and depth, with masks that are found or the simulator's;
a vision-language model that is told offsets from the simulator's poses, or from pixels, or judges distances
by eye."""
