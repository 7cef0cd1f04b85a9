"""Pictures that commands write: a plan under its scene, what is imagined above what the expert then shows."""

from dataclasses import replace
from pathlib import Path

import cv2

from kinesight.envs import catalogue as envs
from kinesight.experiments.imagined import Imagined
from kinesight.experiments.runs import Run
from kinesight.experiments.systems import system_of
from kinesight.geometry.overlay import draw_plan
from kinesight.interfaces.stages import Planners
from kinesight.types.arrays import Image
from kinesight.types.case import Case
from kinesight.types.errors import UsageError
from kinesight.types.files import write_atomic
from kinesight.types.plan import SpatialPlan

PLAN_SIZE = 480


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


def imagined_against_expert(run: Run, case: Case) -> Imagined:
    """What the run's system imagines of a case, above the same moments of the expert's episode."""
    return system_of(run.recipe).imagined(run, case)


def write_png(path: Path, picture: Image) -> None:
    if path.suffix != ".png":
        raise UsageError(f"a picture's name ends in .png, got {path}")
    _, data = cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    write_atomic(path, data.tobytes())
