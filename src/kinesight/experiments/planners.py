"""The planners that a recipe may name."""

from collections.abc import Callable

from kinesight.agents.spatial_policy import SpatialPolicyConfig
from kinesight.interfaces.stages import Planners
from kinesight.language.chat import ChatConfig
from kinesight.planning.chat import ChatPlannerConfig
from kinesight.planning.geometric import GeometricPlanners
from kinesight.planning.offsets import SceneOffsetSources
from kinesight.planning.pixels import PixelPlanners
from kinesight.planning.segmenters import SimulatorSegmenter
from kinesight.types.errors import UsageError, lookup


def make_planners(config: SpatialPolicyConfig) -> Planners:
    """The agent's planners; an unknown name is answered with the list."""
    return lookup("planner", config.planner, PLANNERS)(config)


def _chat(config: SpatialPolicyConfig) -> Planners:
    return ChatPlannerConfig(_endpoint(config)).build(GeometricPlanners(), SceneOffsetSources())


def _chat_by_eye(config: SpatialPolicyConfig) -> Planners:
    return ChatPlannerConfig(_endpoint(config)).build(PixelPlanners())


def _endpoint(config: SpatialPolicyConfig) -> ChatConfig:
    if config.chat is None:
        raise UsageError(
            f"the planner {config.planner!r} asks a model: name it with --chat-model, or in the recipe"
        )
    return config.chat


PLANNERS: dict[str, Callable[[SpatialPolicyConfig], Planners]] = {
    "geometric": lambda _: GeometricPlanners(),
    "pixels": lambda _: PixelPlanners(),
    "pixels-ids": lambda _: PixelPlanners(SimulatorSegmenter()),
    "chat": _chat,
    "chat-by-eye": _chat_by_eye,
}
"""By name: from the simulator's poses; from colour and depth, with masks that are found or the simulator's;
a vision-language model that is told measured offsets, or judges distances by eye."""
