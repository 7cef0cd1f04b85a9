"""What SSM-VLA imagines: the next frame at moments of the expert's episode, above what came."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch

from kinesight.agents.spatial_policy import case_generator
from kinesight.experiments.fit import check_fit
from kinesight.experiments.imagined import Imagined, above, watched_expert
from kinesight.experiments.runs import Run, load_stage
from kinesight.experiments.ssm_vla import POLICY
from kinesight.geometry.overlay import shaded
from kinesight.interfaces.stages import Predictor
from kinesight.types.arrays import Depth, Video
from kinesight.types.case import Case
from kinesight.types.errors import DataError, UsageError
from kinesight.types.observation import Observation
from kinesight.types.prediction import Prediction
from kinesight.types.video import moving_error, moving_pixels

MOMENTS = 7
"""Of an episode, at which the model is asked."""


def next_frames_against_expert(run: Run, case: Case) -> Imagined:
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
    return Imagined(None, above(*rows), *errors, depth=model.draws_depth)


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
