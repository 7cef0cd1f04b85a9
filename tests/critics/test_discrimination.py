"""Frame matching on rendered episodes of the scripted expert: is the arm there, or some steps before?

`python tests/critics/test_discrimination.py` prints the table over all eleven tasks.
"""

import cv2
import numpy as np
import pytest

from kinesight.critics.frame_matching import FrameMatchingConfig, compare, prepare, weighted
from kinesight.envs.catalogue import expert, make, task_set
from kinesight.types.observation import ViewRequest
from kinesight.types.video import ImaginedVideo

CONFIG = FrameMatchingConfig()
INTERVAL = 10
"""Steps between two goals: an eighth of an episode."""
WAYS = ("matched", "passed", "forced")
"""How a goal is left, by the first word of the reason."""
BEFORE = (-4, -2, 0, 1, 2, 3, 4, 6, 8, 10)
"""Steps before the goal at which a frame is compared."""


def filmed(task: str, seed: int, camera: str = "corner", start: str = "standard"):
    """Frames [t y x 3] and hand positions [t 3] of one episode of the expert."""
    environment = make("metaworld", task, seed, camera=camera, start=start, limit=150)
    agent = expert("metaworld", environment.case)
    result = environment.reset()
    request = ViewRequest(cameras=(camera,), height=96, width=96, scene=True)
    seen = [environment.observe(request)]
    while not (result.success or result.truncated):
        result = environment.step(agent.act(seen[-1]).action)
        seen.append(environment.observe(request))
    return np.stack([o.views[camera].rgb for o in seen]), np.stack([o.proprio[:3] for o in seen])


def softened(frame: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """What a small video model makes of a frame: two thirds of the resolution, blur and noise."""
    small = cv2.resize(frame, None, fx=2 / 3, fy=2 / 3, interpolation=cv2.INTER_AREA)
    large = cv2.resize(small, frame.shape[1::-1], interpolation=cv2.INTER_CUBIC)
    noisy = cv2.GaussianBlur(large.astype(np.float32), (0, 0), 0.7) + generator.normal(0, 4, frame.shape)
    return np.clip(noisy, 0, 255).astype(np.uint8)


def scores(frames: np.ndarray, hand: np.ndarray, soft: bool, rescaled: bool = True) -> np.ndarray:
    """Similarity [goals, len(BEFORE)] for every goal to which the hand moved at least 2 cm."""
    generator = np.random.default_rng(0)
    rows = []
    for goal in range(INTERVAL, len(frames) - max(-min(BEFORE), 0), INTERVAL):
        if np.linalg.norm(hand[goal] - hand[goal - INTERVAL]) < 0.02:
            continue
        pair = [frames[goal], frames[goal - INTERVAL]]
        shown = [softened(frame, generator) for frame in pair] if soft else pair
        prepared = prepare(shown[0], shown[1] if rescaled else None, CONFIG)
        rows.append([weighted(compare(frames[goal - b], prepared, CONFIG), CONFIG.weights) for b in BEFORE])
    return np.array(rows).reshape(-1, len(BEFORE))


def walked(frames: np.ndarray, soft: bool) -> list[tuple[int, int, str]]:
    """(step of the goal frame, step at which it was left, how) for 7 goals of the episode itself."""
    generator = np.random.default_rng(0)
    steps = np.rint(np.linspace(0, len(frames) - 1, 8)).astype(int)[1:]
    goals = np.stack([softened(frames[step], generator) if soft else frames[step] for step in steps])
    matcher = CONFIG.build()
    matcher.reset(ImaginedVideo(frames[0], goals, None, ""))
    left = []
    for step in range(len(frames) + 7 * CONFIG.max_steps):
        index = matcher.index
        verdict = matcher.update(frames[min(step, len(frames) - 1)], step)
        if verdict.ok:
            left.append((int(steps[index]), step, verdict.reason.split()[0]))
    return left


@pytest.fixture(scope="module")
def film():
    return filmed("faucet-open", 2001)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Constant:UserWarning")  # of the expert, whose actions are clipped anyway
class TestOneFilm:
    @pytest.mark.parametrize("soft", [False, True])
    def test_the_threshold_tells_the_goal_from_the_way_to_it(self, film, soft):
        there = scores(*film, soft) >= CONFIG.threshold
        share = dict(zip(BEFORE, there.mean(axis=0), strict=True))
        assert min(share[0], share[1]) > 0.7, share
        assert max(share[8], share[10]) < 0.3, share

    def test_without_the_reference_the_threshold_tells_nothing(self, film):
        plain = scores(*film, soft=False, rescaled=False) >= CONFIG.threshold
        assert plain[:, BEFORE.index(8)].mean() > 0.8

    def test_an_expert_is_followed_through_its_own_frames(self, film):
        left = walked(film[0], soft=True)
        assert len(left) == 7
        assert {how for *_, how in left} <= set(WAYS)
        assert sum(how == "matched" for *_, how in left) >= 6
        assert np.median([abs(goal - step) for goal, step, _ in left]) <= 3


def table(seeds: range) -> None:
    films = [
        filmed(task, seed, camera, start)
        for task in task_set("metaworld", "sp11")
        for seed, camera, start in zip(
            seeds, ("corner", "corner2", "corner3"), ("standard", "shifted", "standard"), strict=False
        )
    ]
    print("share of frames over the threshold, by steps before the goal", BEFORE)
    for name, soft, rescaled in (("plain", 0, 0), ("rescaled", 0, 1), ("rescaled, soft", 1, 1)):
        rows = np.concatenate([scores(frames, hand, bool(soft), bool(rescaled)) for frames, hand in films])
        print(name, len(rows), (rows >= CONFIG.threshold).mean(axis=0).round(2))
        print("  10 %, 50 %, 90 %", *np.quantile(rows, (0.1, 0.5, 0.9), axis=0).round(2), sep="\n    ")
    for soft in (False, True):
        left = [row for frames, _ in films for row in walked(frames, soft)]
        print(
            "walked, soft" if soft else "walked", len(left), "goals; share, and steps left early (quantiles)"
        )
        for way in WAYS:
            early = [goal - step for goal, step, how in left if how == way]
            shown = np.quantile(early, (0.1, 0.5, 0.9)).tolist() if early else "-"
            print(f"  {way} {len(early) / len(left):.3f}, 10 %, 50 %, 90 %: {shown}")


if __name__ == "__main__":
    table(range(2000, 2003))
