"""The closed loop of Spatial Policy (its Algorithm 1): plan, imagine, judge, follow, notice trouble, re-plan.

At the start, and whenever the arm is stuck or the imagined video is used up, the planner measures the scene
again, the imaginer draws a new future from what is seen now, and the policy follows its frames one by one.
A planner that wants a larger picture than the others gets it one step after that was noticed, and not before.
A critic, where there is one, may reject a future before it is followed. Frame matching decides when the next
goal is taken. Every decision is an event with its reason, every judgement with its score.
"""

import time
import zlib
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from jaxtyping import Float

from kinesight.agents.found_scene import told_by, with_found_scene
from kinesight.agents.replanning import Replanning
from kinesight.critics.chat_judge import ChatJudgeConfig
from kinesight.critics.frame_matching import FrameMatchingConfig
from kinesight.critics.stuck import StuckConfig
from kinesight.critics.video_judge import VideoJudgeConfig
from kinesight.interfaces.stages import Critic, Imaginer, Planners, PointSources, Policy, eyes_of
from kinesight.language.chat import ChatConfig
from kinesight.planning.chat import ChatPlannerConfig
from kinesight.types.arrays import Image
from kinesight.types.case import Case
from kinesight.types.decision import Decision, Event, Verdict
from kinesight.types.errors import KinesightError, UsageError
from kinesight.types.note import Note
from kinesight.types.observation import Observation, ViewRequest
from kinesight.types.plan import Feedback, NoPlan, SpatialPlan
from kinesight.types.serial import to_json
from kinesight.types.video import ImaginedVideo


@dataclass(frozen=True, slots=True)
class SpatialPolicyConfig:
    """Settings of the loop; the stages have their own."""

    execute: int = 4
    """Actions of a chunk that are executed before the policy is asked again."""
    look_every: int = 1
    """Steps between pictures. A picture is needed for frame matching and for every new chunk."""
    matching: FrameMatchingConfig = field(default_factory=FrameMatchingConfig)
    stuck: StuckConfig = field(default_factory=StuckConfig)
    replanning: Replanning = field(default_factory=Replanning)
    noise_seed: int = 0
    """Another one gives other draws of imaginer and policy in the same cases."""
    cover: float = 0.0
    """Share of every picture that grey blocks hide from the agent (Fig. 7)."""
    critic: VideoJudgeConfig | ChatJudgeConfig | None = None
    """Judge of imagined videos. The recipe's stage that it learned from is loaded by who builds the agent."""
    planner: str = "geometric"
    """By name, see `kinesight list`."""
    chat: ChatConfig | None = None
    """The model that planners ask which need one."""
    chat_planner: ChatPlannerConfig = field(default_factory=ChatPlannerConfig)
    """Of those planners: what the model is shown and what of its answers is believed."""

    def __post_init__(self) -> None:
        if min(self.execute, self.look_every) < 1:
            raise UsageError(f"execute and look_every must be at least 1, got {self}")
        if not 0 <= self.cover <= 1 or self.noise_seed < 0:
            raise UsageError(f"cover must lie in [0, 1] and noise_seed not be negative, got {self}")
        if self.execute % self.look_every:
            raise UsageError(
                f"execute must be a multiple of look_every, got {self.execute} and {self.look_every}"
            )


class SpatialPolicyAgent:
    """An `Agent` made of a planner, an imaginer, a goal-image policy and, if given, a critic of videos.

    Without planners nobody is told a plan. With a source of points, stages that ask for the scene are given
    what it finds, and the simulator is not asked for theirs. A planner that finds points itself is
    that source.
    """

    def __init__(
        self,
        config: SpatialPolicyConfig,
        planners: Planners | None,
        imaginer: Imaginer,
        policy: Policy,
        critic: Critic | None = None,
        points: PointSources | None = None,
    ) -> None:
        sizes = [(r.height, r.width, r.crop) for r in (imaginer.request, policy.request) if r.cameras]
        if len(set(sizes)) > 1:
            raise UsageError(
                "The imaginer and the policy must see pictures of the same height, width and crop, they want "
                f"{sizes[0]} and {sizes[1]}."
            )
        self.config = config
        self.planners = planners
        self.imaginer = imaginer
        self.policy = policy
        self.critic = critic
        self.points = points if imaginer.request.scene or policy.request.scene else None
        self.matcher = config.matching.build()
        self.monitor = config.stuck.build()

    @property
    def privileged(self) -> tuple[str, ...]:
        told = told_by(self.points, (*self.imaginer.privileged, *self.policy.request.privileged))
        planners = () if self.planners is None else self.planners.privileged
        return tuple(sorted({*planners, *told}))

    def reset(self, case: Case) -> None:
        self._case = case
        self._planner = None if self.planners is None else self.planners.for_case(case)
        self._points = None
        if self.points is not None:
            self._points = eyes_of(self._planner) or self.points.for_case(case)
        self._generator = case_generator(case, self.config.noise_seed)
        self._chunk: deque[Float[np.ndarray, "a"]] = deque()
        self._plans = 0
        self._due: Feedback | None = Feedback("start")
        """Why a plan is due that was not made yet."""
        self._step = 0
        self._last_plan = SpatialPlan(())
        self.imaginer.reset(case)

    def request(self) -> ViewRequest:
        """The policy's view and what other stages may need: every `look_every` steps, for a new chunk, and
        where a plan is due."""
        if self._due is None and self._chunk and self._step % self.config.look_every:
            return ViewRequest()
        needs = [asked.request for asked in (self._planner, self._points) if asked is not None]
        told = () if self._points is not None else (self.imaginer.request, self.policy.request)
        return replace(
            self.policy.request,
            cameras=(self._case.camera,),
            depth=any(need.depth for need in needs),
            segmentation=any(need.segmentation for need in needs),
            scene=any(need.scene for need in (*needs, *told)),
            large_side=0 if self._due is None else self._large_side,
        )

    @property
    def _large_side(self) -> int:
        """Of the planner's own picture, 0 if it plans from the policy's."""
        return 0 if self._planner is None else self._planner.request.large_side

    def act(self, observation: Observation) -> Decision:
        events: list[Event] = []
        clock = Clock()
        view = observation.views.get(self._case.camera)
        if view is not None:
            assert view.rgb is not None, "the policy's request asks for a picture"
            self._follow(observation, view.rgb, events, clock)
        if not self._chunk:
            shown = self._shown(observation, self.policy.request, events, clock)
            with clock.stage("act"):
                chunk = self.policy.act(shown, self.matcher.goal, self._generator)
            self._chunk.extend(chunk.actions[: self.config.execute])
        self._step += 1
        return Decision(self._chunk.popleft(), tuple(events), clock.seconds)

    def _follow(self, observation: Observation, current: Image, events: list[Event], clock: "Clock") -> None:
        """Advance the goal, or plan anew when that is due and the planner sees what it wants to see."""
        awaited = self._due is not None
        if not awaited:
            self._due = self._watch(observation, current, events, clock)
        if self._due is not None and (awaited or not self._large_side):
            self._replan(observation, self._due, events, clock)
            self._due = None

    def _watch(
        self, observation: Observation, current: Image, events: list[Event], clock: "Clock"
    ) -> Feedback | None:
        """Match the goal, notice trouble; why a new plan is due, or None."""
        step = observation.step
        with clock.stage("match"):
            matched = self.matcher.update(current, step)
            stuck = not (verdict := self.monitor.update(observation, self.matcher.forced_in_a_row)).ok
        if matched.ok:
            events.append(Event(step, "goal", f"goal {self.matcher.index}: {matched.reason}"))
            self._chunk.clear()
        if self._plans == self.config.replanning.plans:
            return None
        if stuck:
            events.append(Event(step, "stuck", verdict.reason))
            return Feedback(verdict.reason, self._followed())
        if self.matcher.finished:
            return Feedback("every imagined goal is over", self._followed())
        return None

    def _followed(self) -> tuple[str, ...]:
        """How far the plan that ends here was followed, by the goals that were imagined for it."""
        matcher = self.matcher
        met = f"{matcher.met} of {matcher.goals} pictures imagined for the plan before were reached"
        return (f"the plan before was: {in_words(self._last_plan)}", f"{met}, {matcher.given_up} given up")

    def _replan(
        self, observation: Observation, feedback: Feedback, events: list[Event], clock: "Clock"
    ) -> None:
        """A new plan from the current offset, a new future from the current picture."""
        step = observation.step
        with clock.stage("plan"):
            plan = self._plan(observation, feedback)
        events.extend(noted(step, () if plan is None else plan.notes))
        events.append(Event(step, "plan", f"{feedback.reason}: {in_words(plan)}"))
        self.matcher.reset(self._imagine(observation, plan, events, clock), step)
        self.monitor.reset()
        self._chunk.clear()
        self._plans += 1

    def _plan(self, observation: Observation, feedback: Feedback) -> SpatialPlan | None:
        """The planner's; where it finds none, the last one, or an empty one: no episode ends by that."""
        if self._planner is None:
            return None
        try:
            self._last_plan = self._planner.plan(observation, observation.instruction, feedback)
        except UsageError:
            raise  # a wrong set-up would otherwise look like a scene that cannot be planned
        except KinesightError as error:
            stand_in = "the plan before" if self._last_plan.rows else "no plan"
            note = Note("fallback", f"{stand_in} instead: {error}")
            tried = error.notes if isinstance(error, NoPlan) else ()
            return replace(self._last_plan, notes=(*tried, note))
        return self._last_plan

    def _shown(
        self, observation: Observation, request: ViewRequest, events: list[Event], clock: "Clock"
    ) -> Observation:
        """The observation for a stage of this request: with the points that were found, if it wants any."""
        if self._points is None or not request.scene:
            return observation
        with clock.stage("look"):
            shown, notes = with_found_scene(observation, self._points)
        events.extend(noted(observation.step, notes))
        return shown

    def _imagine(
        self, observation: Observation, plan: SpatialPlan | None, events: list[Event], clock: "Clock"
    ) -> ImaginedVideo:
        """The first video that the critic accepts, else the best of those that the settings allow."""
        step, rejected = observation.step, []
        shown = self._shown(observation, self.imaginer.request, events, clock)
        for _ in range(self.config.replanning.videos):
            with clock.stage("imagine"):
                video = self.imaginer.imagine(shown, plan, self._generator)
            events.append(Event(step, "imagine", f"{len(video.frames)} frames", video))
            if self.critic is None:
                return video
            with clock.stage("judge"):
                verdict = self.critic.judge(video, observation)
            events.extend(noted(step, verdict.notes))
            if not self.config.replanning.generation:
                events.append(judgement(step, "judge", verdict))
                return video
            events.append(judgement(step, "accept" if verdict.ok else "reject", verdict))
            if verdict.ok:
                return video
            rejected.append((verdict, video))
        number = max(range(len(rejected)), key=lambda i: rejected[i][0].score or 0.0)
        verdict, video = rejected[number]
        kept = replace(verdict, reason=f"video {number + 1} of {len(rejected)}, none was accepted")
        events.append(judgement(step, "keep", kept, video))
        return video


def in_words(plan: SpatialPlan | None) -> str:
    """The rows, for an event; None is no plan at all, and not one with nothing left to do."""
    if plan is None:
        return "no plan, none is read"
    return ", ".join(f"{row.verb} {row.distance_m:.2f} m" for row in plan.rows) or "nothing left"


def noted(step: int, notes: Sequence[Note]) -> list[Event]:
    """What a stage had to tell, as events."""
    return [Event(step, note.kind, note.reason, values=note.values) for note in notes]


def judgement(step: int, kind: str, verdict: Verdict, video: ImaginedVideo | None = None) -> Event:
    """A verdict as an event: "accept" and "reject", "keep" for the best of the rejected, and "judge" where
    the verdict changes nothing. All but "reject" belong to a video that is followed. Where nothing could be
    measured there is no "score" among its values."""
    score = {} if verdict.score is None else {"score": verdict.score}
    return Event(step, kind, verdict.reason, video, {**score, **verdict.terms})


def case_generator(case: Case, seed: int = 0) -> torch.Generator:
    """The episode's only randomness, from nothing but the case; other seeds give other draws."""
    # Torch's generator on a CPU knows the lower 32 bits of a seed only, so the two are hashed together.
    text = f"{to_json(case)} {seed}" if seed else to_json(case)
    return torch.Generator().manual_seed(zlib.crc32(text.encode()))


class Clock:
    """Seconds by stage."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        began = time.perf_counter()
        yield
        self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - began
