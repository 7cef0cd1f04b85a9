"""Made-up results and pictures that several tests share."""

import numpy as np

from kinesight.evaluation.results import Results
from kinesight.types.case import Case
from kinesight.types.decision import Event
from kinesight.types.plan import PlanRow, SpatialPlan
from kinesight.types.results import EpisodeResult
from kinesight.types.video import ImaginedVideo

TASKS = ("door-open", "hammer")


def episode(task: str, seed: int, camera: str, success: bool, start: str = "shifted") -> EpisodeResult:
    return EpisodeResult(
        case=Case("metaworld", task, seed, camera, start),
        success=success,
        steps=40 + seed if success else 500,
        counts={"plans": 1, "videos": 2, "rejected": 1},
        timings_s={"wall": 2.5, "imagine": 0.75},
        metrics={"jerk": 0.5},
        events=(Event(0, "plan", "three rows"), Event(12, "replan", "stuck: moved 0.4 mm in 15 steps")),
    )


def results(
    agent: str = "spatial policy", solved: float = 0.5, seeds: int = 6, cameras: tuple[str, ...] = ("corner",)
) -> Results:
    """The first `solved` share of the seeds of every task is a success."""
    episodes = tuple(
        episode(task, seed, camera, seed < solved * seeds)
        for task in TASKS
        for seed in range(seeds)
        for camera in cameras
    )
    return Results(
        agent=agent,
        protocol="shifted",
        episodes=episodes,
        recipe="spatial-policy-small",
        checkpoints={"video": "3f9a21c08be1"},
        privileged=("scene",),
        versions={"kinesight": "0.1.0", "commit": "abc123", "date": "2030-01-02 03:04 UTC"},
        hardware={"cpu": "Example 9000", "cores": "2"},
        command="kinesight evaluate runs/x --tasks door-open,hammer",
    )


def picture(level: int, size: int = 32) -> np.ndarray:
    image = np.full((size, size, 3), level, np.uint8)
    image[: size // 2] //= 2
    return image


def imagined(frames: int = 4) -> ImaginedVideo:
    plan = SpatialPlan((PlanRow("reach", (1, -1, 0), 0.11), PlanRow("pull", (0, 0, 1), 0.2)))
    video = np.stack([picture(50 + 20 * index) for index in range(frames)])
    return ImaginedVideo(picture(30), video, plan, "open the door")


def chain(seed: int, done: int, task: str = "drawer", void: bool = False) -> EpisodeResult:
    """Of five tasks in a row the first `done` were done."""
    return EpisodeResult(
        case=Case("metaworld-chains", task, seed, "corner"),
        success=done == 5,
        steps=60 * (done + 1),
        metrics={"tasks": 5.0, "tasks_done": float(done)},
        events=(Event(9, "void", "solved before it began"),) if void else (),
    )
