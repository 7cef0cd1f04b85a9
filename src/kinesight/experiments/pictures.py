"""Pictures that commands write: a plan under its scene, an imagined future above the real one."""

from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import torch
from jaxtyping import UInt8

from kinesight.agents.episode import run_episode
from kinesight.agents.found_scene import with_found_scene
from kinesight.agents.spatial_policy import case_generator
from kinesight.envs import catalogue as envs
from kinesight.experiments.fit import check_fit
from kinesight.experiments.planners import make_planners, make_points
from kinesight.experiments.recipe import loop_settings
from kinesight.experiments.runs import Run, load_stage
from kinesight.experiments.spatial_policy import IMAGINER, load_imaginer
from kinesight.geometry.overlay import draw_plan
from kinesight.interfaces.environment import Environment
from kinesight.interfaces.stages import Planners, eyes_of
from kinesight.models.video_diffusion import VideoDiffusionConfig
from kinesight.types.arrays import Image, Video
from kinesight.types.case import Case
from kinesight.types.decision import Decision
from kinesight.types.errors import DataError, UsageError
from kinesight.types.files import write_atomic
from kinesight.types.observation import Observation, StepResult, ViewRequest
from kinesight.types.plan import Feedback, SpatialPlan
from kinesight.types.results import EpisodeResult
from kinesight.types.video import future_steps, moving_error, moving_pixels

PLAN_SIZE = 480
STRIP_HEIGHT = 160


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

    plan: SpatialPlan
    picture: Image
    error: float
    """Mean absolute difference over pixels that move, of the full range."""
    copy_error: float
    """The same for a video that repeats the first frame."""


def imagined_against_expert(run: Run, case: Case) -> Imagined:
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
    strip = np.concatenate(
        [_strip(imagined), np.full((4, STRIP_HEIGHT * len(real), 3), 255, np.uint8), _strip(real)]
    )
    still = np.repeat(first, len(real), axis=0)
    return Imagined(plan, strip, moving_error(imagined, real, moving), moving_error(still, real, moving))


def expert_frames(
    case: Case, first: ViewRequest, later: ViewRequest, clip: VideoDiffusionConfig
) -> tuple[Observation, Video]:
    """The first observation, and the frames of the expert's episode that a clip from there on has."""
    watcher = _Watcher(first, later)
    run_episode(envs.make_case(case), envs.expert(case.env, case), (watcher,))
    frames = [o.views[case.camera].rgb for o in watcher.seen]
    chosen = [0, *future_steps(0, len(frames) - 1, clip.frames, clip.spacing)]
    return watcher.seen[0], np.stack([frame for i in chosen if (frame := frames[i]) is not None])


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


def _strip(frames: Video) -> UInt8[np.ndarray, "height width 3"]:
    size = (STRIP_HEIGHT, STRIP_HEIGHT)
    return np.concatenate([cv2.resize(f, size, interpolation=cv2.INTER_CUBIC) for f in frames], axis=1)


def write_png(path: Path, picture: Image) -> None:
    if path.suffix != ".png":
        raise UsageError(f"a picture's name ends in .png, got {path}")
    _, data = cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    write_atomic(path, data.tobytes())
