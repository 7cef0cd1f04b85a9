"""The video judge on rendered episodes of the scripted expert, and on what can be wrong with them.

`python tests/critics/test_judge_discrimination.py` prints the table over all eleven tasks.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import cv2
import numpy as np
import pytest

from kinesight.critics.video_judge import TERMS, VideoJudgeConfig
from kinesight.envs.catalogue import expert, make, task_set
from kinesight.planning.geometric import GeometricPlanner
from kinesight.types.arrays import Video
from kinesight.types.decision import Verdict
from kinesight.types.observation import Observation, ViewRequest
from kinesight.types.plan import PlanRow, SpatialPlan
from kinesight.types.video import ImaginedVideo

JUDGE = VideoJudgeConfig().build()
FRAMES = 8
NOT_OBJECTS = ("background", "floor", "table", "robot", "gripper", "marker")


@dataclass(frozen=True)
class Film:
    """An episode of the expert, at the spacing of an imagined video."""

    observation: Observation
    """The first one."""
    plan: SpatialPlan
    frames: Video
    """First frame included."""
    objects: np.ndarray
    """Whether a pixel shows an object; bool [t y x]."""
    empty: np.ndarray
    """Every pixel's median over the episode: most of the arm is gone."""


def filmed(task: str, seed: int, camera: str = "corner", start: str = "standard") -> Film:
    environment = make("metaworld", task, seed, camera=camera, start=start, limit=150)
    agent = expert("metaworld", environment.case)
    result = environment.reset()
    request = ViewRequest((camera,), 96, 96, segmentation=True, scene=True)
    seen = [environment.observe(request)]
    while not (result.success or result.truncated):
        result = environment.step(agent.act(seen[-1]).action)
        seen.append(environment.observe(request))
    views = [seen[i].views[camera] for i in np.linspace(0, len(seen) - 1, FRAMES).round().astype(int)]
    objects = [
        np.isin(view.segmentation, [i for i, name in view.names.items() if not name.startswith(NOT_OBJECTS)])
        for view in views
    ]
    every = np.stack([o.views[camera].rgb for o in seen])
    return Film(
        observation=replace(seen[0], scene=None),
        plan=GeometricPlanner(task, camera).plan(seen[0], ""),
        frames=np.stack([view.rgb for view in views]),
        objects=np.stack(objects),
        empty=np.median(every, axis=0).astype(np.uint8),
    )


def erased(frames: Video, what: np.ndarray) -> Video:
    """Frames with the marked pixels painted over from around them."""
    grown = [cv2.dilate(mask.astype(np.uint8), np.ones((3, 3), np.uint8)) for mask in what]
    return np.stack(
        [cv2.inpaint(f, mask, 3, cv2.INPAINT_TELEA) for f, mask in zip(frames, grown, strict=True)]
    )


def softened(frames: Video, generator: np.random.Generator) -> Video:
    """What a small video model makes of frames: two thirds of the resolution, and noise."""
    small = [cv2.resize(f, None, fx=2 / 3, fy=2 / 3, interpolation=cv2.INTER_AREA) for f in frames]
    large = np.stack([cv2.resize(f, frames.shape[2:0:-1], interpolation=cv2.INTER_CUBIC) for f in small])
    return np.clip(large + generator.normal(0, 4, large.shape), 0, 255).astype(np.uint8)


def opposite(plan: SpatialPlan) -> SpatialPlan:
    rows = (PlanRow(r.verb, tuple(-s for s in r.direction), r.distance_m) for r in plan.rows)
    return SpatialPlan(tuple(rows))


def versions(film: Film, seed: int) -> Mapping[str, tuple[Video, SpatialPlan]]:
    """The later frames and the plan they are judged by; the first frame is always the real one."""
    generator = np.random.default_rng(seed)
    later = film.frames[1:]
    return {
        "real": (later, film.plan),
        "softened": (softened(later, generator), film.plan),
        "shuffled in time": (generator.permutation(later), film.plan),
        "reversed in time": (later[::-1].copy(), film.plan),
        "opposite plan": (later, opposite(film.plan)),
        "nothing moves": (np.repeat(film.frames[:1], FRAMES - 1, axis=0), film.plan),
        "arm erased": (np.repeat(film.empty[None], FRAMES - 1, axis=0), film.plan),
        "objects erased": (erased(later, film.objects[1:]), film.plan),
    }


def judge(film: Film, frames: Video, plan: SpatialPlan) -> Verdict:
    video = ImaginedVideo(film.frames[0], frames, plan, "")
    return JUDGE.judge(video, film.observation)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("task", "start"),
    [
        ("button-press-topdown", "standard"),
        pytest.param("door-close", "shifted", marks=pytest.mark.sweep),
    ],
)
def test_a_rendered_clip_scores_higher_than_what_is_wrong_with_it(task: str, start: str) -> None:
    film = filmed(task, 2001, start=start)
    scores = {name: judge(film, *version).score for name, version in versions(film, 0).items()}
    real = scores.pop("real")
    assert scores.pop("softened") == pytest.approx(real, abs=0.1)
    assert max(scores.values()) < real - 0.03, scores


def table(seeds: range) -> None:
    films = [
        filmed(task, seed, camera, start)
        for task in task_set("metaworld", "sp11")
        for seed, camera, start in zip(
            seeds, ("corner", "corner2", "corner3"), ("standard", "shifted", "standard"), strict=True
        )
    ]
    found: dict[str, list[Verdict]] = {}
    for number, film in enumerate(films):
        for name, version in versions(film, number).items():
            found.setdefault(name, []).append(judge(film, *version))
    real = np.array([verdict.score for verdict in found["real"]])
    print(f"{len(films)} films; medians of score and terms, share accepted, share of films with real > this")
    for name, verdicts in found.items():
        score = np.array([verdict.score for verdict in verdicts])
        terms = [
            np.median([verdict.terms[term] for verdict in verdicts if term in verdict.terms])
            for term in TERMS
            if term in verdicts[0].terms
        ]
        accepted = np.mean([verdict.ok for verdict in verdicts])
        print(f"{name:18s}", np.round([np.median(score), *terms, accepted, np.mean(real > score)], 2))


if __name__ == "__main__":
    table(range(2000, 2003))
