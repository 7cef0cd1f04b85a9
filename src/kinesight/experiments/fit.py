"""Does an environment show and take what a checkpoint was trained with?"""

from collections.abc import Mapping, Sequence
from functools import cache

import numpy as np
from torch import nn

from kinesight.envs import catalogue as envs
from kinesight.experiments.runs import Trained
from kinesight.interfaces.stages import Predictor
from kinesight.types.action import ActionSpec
from kinesight.types.camera import Camera
from kinesight.types.case import Case
from kinesight.types.errors import DataError
from kinesight.types.observation import ViewRequest


def check_fit(trained: Trained, cases: Sequence[Case]) -> None:
    """Refuse an environment whose action space or cameras are not those of the training data."""
    facts, file = trained.facts, trained.path / "config.json"
    if facts.action is None:  # learned from video alone, of anything; what acts beside it has an environment
        return
    height, width = facts.image_size
    single = dict.fromkeys(
        (env, task, case.camera) for case in cases for env, task in envs.parts(case.env, case.task)
    )
    for env, task, camera in single:
        if env != facts.env:
            raise DataError(f"{file}: trained on {facts.env}, asked to act in {env}")
        if camera not in facts.cameras:
            raise DataError(f"{file}: trained on cameras {', '.join(facts.cameras)}, not on {camera}")
        shown = _shown_with(trained.model, camera)
        action, cameras = _surroundings(Case(env, task, 0, camera), shown, height, width, facts.crop)
        if action != facts.action:
            raise DataError(f"{file}: trained for {facts.action}, {env} takes {action}")
        for name, now in cameras.items():
            # A task that was not demonstrated has no camera to hold against.
            known = facts.calibration.get(f"{task}/{name}", now)
            if difference := _difference(known, now, pose=not facts.moving_cameras):
                raise DataError(f"{file}: camera {name} of {task} was trained with {difference}")


def _shown_with(model: nn.Module, camera: str) -> tuple[str, ...]:
    """The camera, and those that the model looks by beside it."""
    return model.view(camera).cameras if isinstance(model, Predictor) else (camera,)


@cache
def _surroundings(
    case: Case, cameras: tuple[str, ...], height: int, width: int, crop: bool
) -> tuple[ActionSpec, Mapping[str, Camera]]:
    environment = envs.make_case(case, 1)
    environment.reset()
    views = environment.observe(ViewRequest(cameras, height, width, rgb=False, crop=crop)).views
    return environment.action_spec, {name: view.camera for name, view in views.items()}


def _difference(known: Camera, now: Camera, pose: bool) -> str:
    if (known.height, known.width) != (now.height, now.width):
        return f"{known.height} x {known.width} px, the environment gives {now.height} x {now.width} px"
    for name in ("K", "T_world_camera") if pose else ("K",):
        there, here = getattr(known, name), getattr(now, name)
        if not np.allclose(there, here, atol=1e-3, rtol=1e-3):
            return f"{name} = {there.round(3).tolist()}, the environment has {here.round(3).tolist()}"
    return ""
