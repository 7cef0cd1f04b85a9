"""Does an environment show and take what a checkpoint was trained with?"""

from collections.abc import Sequence
from functools import cache

import numpy as np

from kinesight.envs import catalogue as envs
from kinesight.experiments.runs import Trained
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
        action, now = _surroundings(Case(env, task, 0, camera), height, width, facts.crop)
        if action != facts.action:
            raise DataError(f"{file}: trained for {facts.action}, {env} takes {action}")
        # A task that was not demonstrated has no camera to hold against.
        known = facts.calibration.get(f"{task}/{camera}", now)
        if difference := _difference(known, now, pose=not facts.moving_cameras):
            raise DataError(f"{file}: camera {camera} of {task} was trained with {difference}")


@cache
def _surroundings(case: Case, height: int, width: int, crop: bool) -> tuple[ActionSpec, Camera]:
    environment = envs.make_case(case, 1)
    environment.reset()
    request = ViewRequest((case.camera,), height, width, rgb=False, crop=crop)
    return environment.action_spec, environment.observe(request).views[case.camera].camera


def _difference(known: Camera, now: Camera, pose: bool) -> str:
    if (known.height, known.width) != (now.height, now.width):
        return f"{known.height} x {known.width} px, the environment gives {now.height} x {now.width} px"
    for name in ("K", "T_world_camera") if pose else ("K",):
        there, here = getattr(known, name), getattr(now, name)
        if not np.allclose(there, here, atol=1e-3, rtol=1e-3):
            return f"{name} = {there.round(3).tolist()}, the environment has {here.round(3).tolist()}"
    return ""
