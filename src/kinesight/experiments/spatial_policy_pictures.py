"""What Spatial Policy imagines: the clip from a case's first frame, above the same moments of the expert."""

from dataclasses import replace

import numpy as np
import torch

from kinesight.agents.found_scene import with_found_scene
from kinesight.agents.spatial_policy import case_generator
from kinesight.experiments.fit import check_fit
from kinesight.experiments.imagined import Imagined, above, watched_expert
from kinesight.experiments.planners import make_planners, make_points
from kinesight.experiments.recipe import loop_settings
from kinesight.experiments.runs import Run, load_stage
from kinesight.experiments.spatial_policy import IMAGINER, load_imaginer
from kinesight.interfaces.stages import eyes_of
from kinesight.models.video_diffusion import VideoDiffusionConfig
from kinesight.types.arrays import Video
from kinesight.types.case import Case
from kinesight.types.errors import DataError
from kinesight.types.observation import Observation, ViewRequest
from kinesight.types.plan import Feedback
from kinesight.types.video import future_steps, moving_error, moving_pixels


def clip_against_expert(run: Run, case: Case) -> Imagined:
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
    return Imagined(plan, above(imagined, real), *errors)


def expert_frames(
    case: Case, first: ViewRequest, later: ViewRequest, clip: VideoDiffusionConfig
) -> tuple[Observation, Video]:
    """The first observation, and the frames of the expert's episode that a clip from there on has."""
    seen = watched_expert(case, first, later)
    frames = [o.views[case.camera].rgb for o in seen]
    chosen = [0, *future_steps(0, len(frames) - 1, clip.frames, clip.spacing)]
    return seen[0], np.stack([frame for i in chosen if (frame := frames[i]) is not None])
