"""How well things are tracked through RGB-D videos: against the simulator's truth, on episodes of the expert.

    python bench/tracking.py --out runs/bench-tracking

The tracker sees colour, depth and calibration of one camera (and, for the actions, the gripper's opening).
The simulator says afterwards which thing moved and where its middle was. By task:

    found     episodes in which the thing whose track goes furthest is the one that did: the true middle lies
              within 3.5 cm of what its first mask shows
    2D px     median distance in the picture between tracked and true middle, over found episodes and
              the frames from 5 mm of true motion on
    3D mm     the same in space: median and 90th percentile
    way mm    median error of the way from the start, which a constant error of the middle leaves alone
    raw mm    the same without smoothing and outlier rejection, on frames in which the thing was seen
    start, stop   median error in frames of when it began and ceased to move
    action    found episodes with exactly one motion, of the right manner

`--noise-mm` adds what depth cameras add: noise that grows with the squared distance and holes at edges.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np

from kinesight.envs import catalogue
from kinesight.envs.tabletop_layout import TableState
from kinesight.envs.tabletop_steps import handle
from kinesight.envs.tabletop_tasks import draw
from kinesight.evaluation.statistics import wilson_interval
from kinesight.geometry.camera import project
from kinesight.nn.sam2 import Sam2
from kinesight.planning.moved_objects import moved_objects, onset, table_of
from kinesight.planning.object_track import RgbdVideo
from kinesight.planning.track_actions import ActionConfig, actions, held_frames, moving_spans
from kinesight.types.case import Case
from kinesight.types.observation import ViewRequest

TABLETOP = "pick-place,pick-relation,place-relation,stack,push,pull,put-groceries,open-drawer,close-drawer"
METAWORLD = "basketball,shelf-place,assembly,hammer,drawer-open,plate-slide,coffee-push,push"
FOUND_M = 0.035


def record(case: Case, size: int) -> tuple[RgbdVideo, np.ndarray, np.ndarray]:
    """The expert's episode as a video, the gripper's opening [t], and true middles by thing [things t 3]."""
    environment, expert = catalogue.make_case(case), catalogue.expert(case.env, case)
    request = ViewRequest(cameras=(case.camera,), height=size, width=size, depth=True, scene=True)
    result = environment.reset()
    seen = [environment.observe(request)]
    while not (result.success or result.truncated):
        action = expert.act(environment.observe(expert.request())).action
        result = environment.step(action)
        seen.append(environment.observe(request))
    views = [observation.views[case.camera] for observation in seen]
    depth_m = np.stack([np.where(view.depth_m < 10, view.depth_m, 0) for view in views])  # the sky
    video = RgbdVideo(np.stack([view.rgb for view in views]), depth_m, views[0].camera)
    truth = np.stack([middles(case, observation.scene) for observation in seen], axis=1)
    return video, np.array([observation.proprio[7] for observation in seen]), truth


def middles(case: Case, scene) -> np.ndarray:
    """Where everything that can move is now [things 3]."""
    if case.env == "metaworld":
        return scene.points["target"][None]
    things = draw(case).things
    state = TableState(things, scene.state)
    drawers = [handle(state, t.name, state.joint(t.name)) for t in things if t.kind == "drawer"]
    return np.stack([*drawers, *(state.centre(t.name) for t in things if t.type.movable)])


def noisy(video: RgbdVideo, noise_mm: float, seed: int) -> RgbdVideo:
    """With a depth camera's faults: noise, by its value at 1 m, and holes where depth jumps by over 2 cm."""
    if not noise_mm:
        return video
    generator = np.random.default_rng(seed)
    depth = video.depth_m
    jump = np.zeros(depth.shape, bool)
    for axis in (1, 2):
        edge = np.abs(np.diff(depth, axis=axis)) > 0.02
        jump |= np.pad(edge, [(0, 0)] + [(0, int(axis == a)) for a in (1, 2)])
    jump &= generator.random(depth.shape) < 0.5
    measured = depth + generator.normal(0, 1e-3 * noise_mm, depth.shape) * depth**2
    return RgbdVideo(video.rgb, np.where(jump | (depth == 0), 0, measured).astype(np.float32), video.camera)


def measure(case: Case, options: argparse.Namespace) -> dict:
    video, opening, truth = record(case, options.size)
    video = noisy(video, options.noise_mm, case.seed)
    moved = np.linalg.norm(truth - truth[:, :1], axis=2).max(axis=1)
    true = truth[int(moved.argmax())]
    began = time.process_time()
    tracks = moved_objects(video, follower=options.follower)
    spent = time.process_time() - began
    row = {"task": case.task, "seed": case.seed, "frames": len(video), "tracks": len(tracks), "cpu_s": spent}
    row["true_way_mm"] = 1e3 * float(moved.max())
    if not tracks:
        return row | {"found": False}
    best = max(tracks, key=lambda track: float(track.way_m.max()))
    surface = video.points(0)[best.masks[0]]
    row["start_mm"] = 1e3 * float(np.nanmin(np.linalg.norm(surface - true[0], axis=1)))
    row["found"] = row["start_mm"] <= 1e3 * FOUND_M
    if not row["found"]:
        return row
    later = np.linalg.norm(true - true[0], axis=1) > 0.005
    off = np.linalg.norm(best.middle - true, axis=1)[later]
    way = np.linalg.norm((best.middle - best.middle[0]) - (true - true[0]), axis=1)[later]
    raw = np.linalg.norm((best.measured - best.measured[0]) - (true - true[0]), axis=1)[
        later & (best.seen > 0)
    ]
    pixels = np.linalg.norm(best.pixels - project(true, video.camera), axis=1)[later]
    table = table_of(video.points(0))
    held = held_frames(video, best, table) if options.no_gripper else None
    found = actions(best, None if options.no_gripper else opening, held)
    spans = moving_spans(true, ActionConfig())
    rise = true[:, 2].max() - true[0, 2] >= ActionConfig().lift_m
    row |= {
        "px": pixels.tolist(), "mm": (1e3 * off).tolist(), "way_mm": (1e3 * way).tolist(),
        "raw_mm": (1e3 * raw).tolist(), "seen": float(best.seen.mean()), "onset": onset(best),
        "actions": [[a.manner, a.start, a.stop, a.grasp, a.release] for a in found],
        "true_spans": [list(span) for span in spans],
    }  # fmt: skip
    if found and spans:
        row["start_frames"], row["stop_frames"] = found[0].start - spans[0][0], found[-1].stop - spans[-1][1]
        row["right_action"] = len(found) == 1 and (found[0].manner == "carried") == bool(rise)
    return row


def line(task: str, rows: list[dict]) -> str:
    found = [row for row in rows if row["found"]]
    interval = wilson_interval(len(found), len(rows))
    share = f"{len(found)}/{len(rows)} ({100 * interval.low:.0f}–{100 * interval.high:.0f})"
    if not found:
        return f"| {task} | {share} |" + " – |" * 8
    pooled = {key: np.concatenate([row[key] for row in found]) for key in ("px", "mm", "way_mm", "raw_mm")}
    spans = [row for row in found if "start_frames" in row]
    right = sum(row.get("right_action", False) for row in found)
    cells = [
        f"{np.median(pooled['px']):.1f}",
        f"{np.median(pooled['mm']):.1f}",
        f"{np.quantile(pooled['mm'], 0.9):.1f}",
        f"{np.median(pooled['way_mm']):.1f}",
        f"{np.median(pooled['raw_mm']):.1f}",
        f"{np.median([abs(row['start_frames']) for row in spans]):.0f}" if spans else "–",
        f"{np.median([abs(row['stop_frames']) for row in spans]):.0f}" if spans else "–",
        f"{right}/{len(found)}",
    ]
    return f"| {task} | {share} | {' | '.join(cells)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--tabletop", default=TABLETOP, help="tasks, comma-separated; '' for none")
    parser.add_argument("--metaworld", default=METAWORLD)
    parser.add_argument("--camera-metaworld", default="corner2")
    parser.add_argument("--camera-tabletop", default="front")
    parser.add_argument("--first-seed", type=int, default=2000)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--sam2", default="", help="folder of a SAM 2 that follows things")
    parser.add_argument("--noise-mm", type=float, default=0.0, help="of depth at 1 m")
    parser.add_argument("--no-gripper", action="store_true", help="find gripper events from motion alone")
    parser.add_argument("--out", type=Path, default=Path("runs/bench-tracking"))
    options = parser.parse_args()
    options.follower = Sam2(options.sam2) if options.sam2 else None
    options.out.mkdir(parents=True, exist_ok=True)
    print("| task | found (95 %) | 2D px | 3D mm | 90 % mm | way mm | raw mm | start | stop | action |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    every: list[dict] = []
    for env, tasks, camera in (
        ("tabletop", options.tabletop, options.camera_tabletop),
        ("metaworld", options.metaworld, options.camera_metaworld),
    ):
        of_env: list[dict] = []
        for task in filter(None, tasks.split(",")):
            seeds = range(options.first_seed, options.first_seed + options.seeds)
            rows = [measure(Case(env, task, seed, camera), options) | {"env": env} for seed in seeds]
            print(line(task, rows), flush=True)
            of_env += rows
        if of_env:
            print(line(f"**{env}**", of_env), flush=True)
        every += of_env
    settings = {key: str(value) for key, value in vars(options).items()}
    (options.out / "tracking.json").write_text(
        json.dumps({"settings": settings, "episodes": every}, indent=1)
    )


if __name__ == "__main__":
    main()
