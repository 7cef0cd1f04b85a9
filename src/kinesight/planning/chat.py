"""A planner that asks a vision-language model (Spatial Policy, "Spatial Plan Table" and Algorithm 1).

It shows one picture, the instruction, measured offsets if there is a source of them, and why it is asked
again; the answer is read strictly. Whatever goes wrong between question and plan, the wrapped planner plans
instead, and the plan's note says what happened. An endpoint that is down costs an evaluation time, never an
episode.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial

from kinesight.geometry.plan_frame import DEAD_ZONE_M
from kinesight.interfaces.stages import Planner, Planners, PointSource, eyes_of
from kinesight.language.chat import ChatClient, ChatConfig
from kinesight.language.consult import chat_note, consult, fallback_note
from kinesight.language.messages import Message
from kinesight.language.prompts import planner_question, planner_rules
from kinesight.language.replies import read_plan
from kinesight.planning.offsets import WAYS, OffsetSource, OffsetSources
from kinesight.types.arrays import Image, Point
from kinesight.types.case import Case
from kinesight.types.errors import KinesightError, UnknownName, UsageError
from kinesight.types.note import Note
from kinesight.types.observation import Observation, ViewRequest
from kinesight.types.plan import Feedback, NoPlan, SpatialPlan


@dataclass(frozen=True, slots=True)
class ChatPlannerConfig:
    """What a model that plans is shown, and what of its answers is believed."""

    longest_m: float = 2.0
    """Rows of a greater distance are beyond every arm; a plan with one counts as unreadable."""
    corrections: int = 1
    """How often an unreadable answer is sent back with the reason."""
    size: int = 336
    """Pixels along the longer side of the picture that it is shown, whatever size the other stages see."""

    def __post_init__(self) -> None:
        if self.longest_m <= 0 or self.corrections < 0 or self.size < 1:
            raise UsageError(
                f"longest_m and size must be positive and corrections not negative, got {self.longest_m}, "
                f"{self.size} and {self.corrections}"
            )

    def build(
        self, chat: ChatConfig, fallback: Planners, offsets: OffsetSources | None = None
    ) -> "ChatPlanners":
        """Planners for all cases, with one client; a missing package or key is an error here."""
        return ChatPlanners(self, chat.build(), fallback, offsets)


@dataclass(frozen=True, slots=True)
class ChatPlanners:
    """`Planners`: one chat client for all cases, and each case's own fallback and source of offsets."""

    config: ChatPlannerConfig
    client: ChatClient
    fallback: Planners
    offsets: OffsetSources | None = None

    @property
    def privileged(self) -> tuple[str, ...]:
        offsets = () if self.offsets is None else self.offsets.privileged
        return tuple(sorted({*self.fallback.privileged, *offsets}))

    def for_case(self, case: Case) -> Planner:
        fallback = self.fallback.for_case(case)
        offsets = None if self.offsets is None else self.offsets.for_case(case, eyes_of(fallback))
        return ChatPlanner(self.config, self.client, case.camera, fallback, offsets)


@dataclass(frozen=True, slots=True)
class ChatPlanner:
    """A `Planner` in the plan frame of one camera."""

    config: ChatPlannerConfig
    client: ChatClient
    camera: str
    """The view that the model is shown and whose axes the directions follow."""
    fallback: Planner
    """Plans where the model's answer cannot be used."""
    offsets: OffsetSource | None = None
    """Without one the model has to judge distances by eye."""

    @property
    def request(self) -> ViewRequest:
        """A large picture of the camera, and what fallback and offsets need."""
        others = [self.fallback.request, *([] if self.offsets is None else [self.offsets.request])]
        cameras = dict.fromkeys([self.camera, *(name for other in others for name in other.cameras)])
        return ViewRequest(
            tuple(cameras),
            depth=any(other.depth for other in others),
            segmentation=any(other.segmentation for other in others),
            scene=any(other.scene for other in others),
            large_side=self.config.size,
        )

    @property
    def privileged(self) -> tuple[str, ...]:
        offsets = () if self.offsets is None else self.offsets.privileged
        return tuple(sorted({*self.fallback.privileged, *offsets}))

    @property
    def eyes(self) -> PointSource | None:
        """The fallback's, see `Sighted`."""
        return eyes_of(self.fallback)

    def plan(
        self, observation: Observation, instruction: str, feedback: Feedback | None = None
    ) -> SpatialPlan:
        """The model's plan, or the fallback's; the notes say which and why."""
        picture = self._picture(observation)
        try:
            offsets_m = {} if self.offsets is None else self.offsets.measure(observation)
            consulted = consult(
                self.client,
                planner_messages(picture, instruction, offsets_m, feedback),
                partial(read_plan, longest_m=self.config.longest_m),
                self.config.corrections,
            )
        except UsageError:
            raise  # a wrong set-up would otherwise look like an endpoint that always fails
        except KinesightError as error:
            note = fallback_note(f"plan of {type(self.fallback).__name__} instead", error)
            plan = self._fall_back(note, observation, instruction, feedback)
            return replace(plan, notes=(note, *plan.notes))
        note = chat_note(self.client.config.model, "plan", consulted.values)
        return replace(consulted.result, notes=(note, *self._left_out(offsets_m)))

    def _fall_back(
        self, note: Note, observation: Observation, instruction: str, feedback: Feedback | None
    ) -> SpatialPlan:
        """The fallback's plan. Where it has none either, the error keeps the note of what was asked."""
        try:
            return self.fallback.plan(observation, instruction, feedback)
        except UsageError:
            raise
        except KinesightError as error:
            notes = error.notes if isinstance(error, NoPlan) else ()
            raise NoPlan(str(error), (note, *notes)) from error

    def _left_out(self, offsets_m: Mapping[str, Point]) -> tuple[Note, ...]:
        """A note of the ways that a source of offsets could not measure: the model judged them by eye."""
        missing = [] if self.offsets is None else [way for way in WAYS if way not in offsets_m]
        return (Note("unmeasured", f"by eye: {', '.join(missing)}"),) if missing else ()

    def _picture(self, observation: Observation) -> Image:
        if self.camera not in observation.views:
            raise UnknownName("view of the observation", self.camera, observation.views)
        large = observation.views[self.camera].large_rgb
        if large is None:
            raise UsageError(
                f"The chat planner needs a large picture of {self.camera!r}; request it with large_side."
            )
        return large


def planner_messages(
    picture: Image, instruction: str, offsets_m: Mapping[str, Point], feedback: Feedback | None = None
) -> tuple[Message, ...]:
    """What the model is asked: the rules, then one picture [y x 3] with the question."""
    return (
        Message("system", planner_rules(DEAD_ZONE_M)),
        Message("user", planner_question(instruction, offsets_m, feedback), (picture,)),
    )
