"""Pictures that commands write: a plan under its scene, what is imagined above what the expert then shows."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import torch
from jaxtyping import UInt8

from kinesight.agents.episode import run_episode
from kinesight.agents.found_scene import with_found_scene
from kinesight.agents.spatial_policy import case_generator
from kinesight.agents.ssm_vla import SsmVlaAgentConfig
from kinesight.envs import catalogue as envs
from kinesight.experiments.fit import check_fit
from kinesight.experiments.planners import make_planners, make_points
from kinesight.experiments.recipe import loop_settings
from kinesight.experiments.runs import Run, load_stage
from kinesight.experiments.spatial_policy import IMAGINER, load_imaginer
from kinesight.experiments.ssm_vla import POLICY
from kinesight.geometry.overlay import draw_plan, shaded
from kinesight.interfaces.environment import Environment
from kinesight.interfaces.stages import Planners, Predictor, eyes_of
from kinesight.models.video_diffusion import VideoDiffusionConfig
from kinesight.types.arrays import Depth, Image, Video
from kinesight.types.case import Case
from kinesight.types.decision import Decision
from kinesight.types.errors import DataError, UsageError
from kinesight.types.files import write_atomic
from kinesight.types.observation import Observation, StepResult, ViewRequest
from kinesight.types.plan import Feedback, SpatialPlan
from kinesight.types.prediction import Prediction
from kinesight.types.results import EpisodeResult
from kinesight.types.video import future_steps, moving_error, moving_pixels

PLAN_SIZE = 480
STRIP_HEIGHT = 160
MOMENTS = 7
"""Of an episode, at which a system that imagines the next frame alone is asked."""


def plan_picture(case: Case, planners: Planners) -> tuple[SpatialPlan, Image]:
    """The plan of a case's first frame and a picture of the scene with the plan under it."""
    planner = planners.for_case(case)
    environment = envs.make_case(case)
    environment.reset()
    size = {"cameras": (case.camera,), "height": PLAN_SIZE, "width": PLAN_SIZE}
    observation = environment.observe(replace(planner.request, **size, rgb=True))
    plan = planner.plan(observation, observation.instruction)
    rgb = observation.views[case.camera].rgb
    assert rgb is not None, "asked for"
    return plan, draw_plan(rgb, plan)


@dataclass(frozen=True, slots=True)
class Imagined:
    """An imagined future beside the expert's."""

    plan: SpatialPlan | None
    """What it was imagined by; None of a system that has no plans."""
    picture: Image
    error: float
    """Mean absolute difference over pixels that move, of the full range."""
    copy_error: float
    """The same for a video that repeats the first frame."""


def imagined_against_expert(run: Run, case: Case) -> Imagined:
    """What the run's system imagines of a case, above the same moments of the expert's episode."""
    if isinstance(run.recipe.agent, SsmVlaAgentConfig):
        return _next_frames_against_expert(run, case)
    return _clip_against_expert(run, case)


def _clip_against_expert(run: Run, case: Case) -> Imagined:
    """Imagine from the case's first frame, with the run's planner and points; the expert then shows what it
    does, at the same spacing."""
    check_fit(load_stage(run, IMAGINER), [case])
    model, settings = load_imaginer(run), loop_settings(run.recipe)
    planner, sources = make_planners(settings).for_case(case), make_points(settings)
    points = None if sources is None else eyes_of(planner) or sources.for_case(case)
    needs = planner.request
    looks = replace(model.request, cameras=(case.camera,), scene=False)
    first_look = replace(
        looks,
        depth=needs.depth,
        segmentation=needs.segmentation,
        scene=needs.scene or (model.request.scene and points is None),
        large_side=needs.large_side,
    )
    with torch.inference_mode():
        seen, real = expert_frames(case, first_look, looks, model.config)
        plan = planner.plan(seen, seen.instruction, Feedback("start"))
        shown = seen
        if points is not None and model.request.scene:
            shown, _ = with_found_scene(seen, points)
        video = model.imagine(shown, plan, case_generator(case))
    first = real[:1]
    moving = moving_pixels(real, first[0])
    if not moving.any():
        raise DataError(f"the expert does not move in {case}; nothing to compare")
    imagined = np.concatenate([first, video.frames])
    still = np.repeat(first, len(real), axis=0)
    errors = moving_error(imagined, real, moving), moving_error(still, real, moving)
    return Imagined(plan, _above(imagined, real), *errors)


def _next_frames_against_expert(run: Run, case: Case) -> Imagined:
    """The next frame, imagined at moments of the expert's episode from what was seen until then."""
    trained = load_stage(run, POLICY)
    check_fit(trained, [case])
    model = trained.model
    assert isinstance(model, Predictor), "the stage `policy` of such a recipe"
    if not model.ahead:
        raise UsageError(f"{run.recipe.name} imagines no frame: stages.{POLICY}.model.imagine is false")
    looks = replace(model.view(case.camera), depth=model.draws_depth)
    seen = watched_expert(case, looks, looks)
    last = len(seen) - 1
    moments = np.linspace(0, max(0, last - model.ahead), MOMENTS).round().astype(int).tolist()
    foretold = _foretold(model, seen, moments, case_generator(case))
    now = [seen[moment].views[case.camera] for moment in moments]
    came = [seen[min(moment + model.ahead, last)].views[case.camera] for moment in moments]
    imagined = np.concatenate([each.video.frames for each in foretold if each.video is not None])
    still, real = (np.stack([view.rgb for view in some if view.rgb is not None]) for some in (now, came))
    moving = np.stack([moving_pixels(real[i : i + 1], still[i])[0] for i in range(len(real))])
    if not moving.any():
        raise DataError(f"the expert does not move in {case}; nothing to compare")
    rows = [imagined, real]
    if model.draws_depth:
        rows += _shaded_alike([each.depth_m for each in foretold], [view.depth_m for view in came])
    errors = moving_error(imagined, real, moving), moving_error(still, real, moving)
    return Imagined(None, _above(*rows), *errors)


def _foretold(
    model: Predictor, seen: Sequence[Observation], moments: Sequence[int], generator: torch.Generator
) -> list[Prediction]:
    """What the model says at each of the moments; the first frame stands in for those before it."""
    found = []
    for moment in moments:
        steps = [moment + back for back in model.offsets]
        history = [seen[max(0, step)] for step in steps]
        found.append(model.predict(history, [step >= 0 for step in steps], generator))
    return found


def _shaded_alike(*videos_m: Sequence[Depth | None]) -> list[Video]:
    """Nearest and farthest are those of the last video, which was measured."""
    foretold, came = (np.stack([depth_m for depth_m in each if depth_m is not None]) for each in videos_m)
    near, far = float(came[came > 0].min()), float(came.max())
    return [np.stack([shaded(depth_m, near, far) for depth_m in video]) for video in (foretold, came)]


def expert_frames(
    case: Case, first: ViewRequest, later: ViewRequest, clip: VideoDiffusionConfig
) -> tuple[Observation, Video]:
    """The first observation, and the frames of the expert's episode that a clip from there on has."""
    seen = watched_expert(case, first, later)
    frames = [o.views[case.camera].rgb for o in seen]
    chosen = [0, *future_steps(0, len(frames) - 1, clip.frames, clip.spacing)]
    return seen[0], np.stack([frame for i in chosen if (frame := frames[i]) is not None])


def watched_expert(case: Case, first: ViewRequest, later: ViewRequest) -> list[Observation]:
    """What is seen of the expert's episode, at its first step and at later ones."""
    watcher = _Watcher(first, later)
    run_episode(envs.make_case(case), envs.expert(case.env, case), (watcher,))
    return watcher.seen


class _Watcher:
    """A subscriber that looks at every step."""

    def __init__(self, first: ViewRequest, later: ViewRequest) -> None:
        self.first, self.later = first, later
        self.seen: list[Observation] = []

    def start(self, case: Case, environment: Environment) -> None:
        self.environment = environment
        self.seen = [environment.observe(self.first)]

    def step(self, observation: Observation, decision: Decision, result: StepResult) -> None:
        self.seen.append(self.environment.observe(self.later))

    def end(self, result: EpisodeResult) -> None:
        return None


def _above(*rows: Video) -> UInt8[np.ndarray, "height width 3"]:
    """Videos below each other, with a white line between two."""
    line = np.full((4, STRIP_HEIGHT * len(rows[0]), 3), 255, np.uint8)
    return np.concatenate([part for video in rows for part in (line, _strip(video))][1:])


def _strip(frames: Video) -> UInt8[np.ndarray, "height width 3"]:
    size = (STRIP_HEIGHT, STRIP_HEIGHT)
    return np.concatenate([cv2.resize(f, size, interpolation=cv2.INTER_CUBIC) for f in frames], axis=1)


def write_png(path: Path, picture: Image) -> None:
    if path.suffix != ".png":
        raise UsageError(f"a picture's name ends in .png, got {path}")
    _, data = cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    write_atomic(path, data.tobytes())
