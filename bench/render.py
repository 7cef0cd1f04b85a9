"""Time per picture: Meta-World's own rendering against ours, at equal output.

    python bench/render.py --out runs/bench-render

Two processes render the same episode's frames in alternating blocks, each with its own defaults. "Stock" is
what `env.render()` of Meta-World calls (gymnasium's MujocoRenderer) for colour and depth, and MuJoCo's
`Renderer` for segmentation, which gymnasium lacks. Frames are compared with the stock ones pixel by pixel;
`--cropped` times our crop window instead, for which stock has no counterpart to compare with.

Both sides get one core (`--cores`): episodes run in parallel, one to a core, so that pictures by core and
second are what counts. Mesa would else draw stock's pictures, but not ours, on all cores.
"""

import argparse
import json
import os
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from kinesight.evaluation.provenance import hardware, versions
from kinesight.types.files import write_atomic


@dataclass(frozen=True)
class Frame:
    """One state's pictures (upright) and K."""

    rgb: np.ndarray
    depth_m: np.ndarray
    segmentation: np.ndarray
    K: np.ndarray


@dataclass(frozen=True)
class Setup:
    task: str
    camera: str
    size: int
    cropped: bool
    cores: int


class Stock:
    """Meta-World's environment with `render_mode="rgb_array"`; the expert moves it between frames."""

    def __init__(self, setup: Setup) -> None:
        import mujoco
        from gymnasium.envs.mujoco.mujoco_rendering import MujocoRenderer
        from metaworld.env_dict import ALL_V3_ENVIRONMENTS_GOAL_OBSERVABLE as STOCK
        from metaworld.policies import ENV_POLICY_MAP

        self.env = STOCK[f"{setup.task}-v3-goal-observable"](seed=0, render_mode="rgb_array")
        self.state, _ = self.env.reset()
        self.policy = ENV_POLICY_MAP[f"{setup.task}-v3"]()
        self.camera, self.size = setup.camera, setup.size
        model, data = self.env.model, self.env.data
        # As the base class builds it, with the camera and size asked for.
        self.env.mujoco_renderer = MujocoRenderer(
            model, data, None, setup.size, setup.size, camera_name=setup.camera
        )
        self.segmenter = mujoco.Renderer(model, setup.size, setup.size)

    def rgb(self) -> np.ndarray:
        return self.env.render()

    def all(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        ids = self._exact("segmentation")
        gym_renderer = self.env.mujoco_renderer
        gym_renderer._get_viewer("rgb_array").make_context_current()
        rgb, depth = gym_renderer.render("rgbd_tuple")
        return rgb, depth, ids

    def _exact(self, kind: str) -> np.ndarray:
        """From MuJoCo's own renderer, without multi-sampling."""
        self.segmenter.disable_depth_rendering()
        self.segmenter.disable_segmentation_rendering()
        if kind == "depth":
            self.segmenter.enable_depth_rendering()
        else:
            self.segmenter.enable_segmentation_rendering()
        self.segmenter.update_scene(self.env.data, self.camera)
        return self.segmenter.render()

    def frame(self) -> Frame:
        """gymnasium's depth is of a sample beside the pixel's centre, so MuJoCo's is compared."""
        import mujoco

        rgb, _, ids = (picture[::-1, ::-1] for picture in self.all())
        depth_m = self._exact("depth")[::-1, ::-1]
        model = self.env.model
        offset = {int(mujoco.mjtObj.mjOBJ_GEOM): 1, int(mujoco.mjtObj.mjOBJ_SITE): 1 + model.ngeom}
        segmentation = np.zeros(ids.shape[:2], np.int32)
        for kind, first in offset.items():
            mine = ids[..., 1] == kind
            segmentation[mine] = ids[..., 0][mine] + first
        eye = self.segmenter.scene.camera[0]
        focal = self.size / 2 * eye.frustum_near / eye.frustum_top
        K = np.array([[focal, 0, self.size / 2], [0, focal, self.size / 2], [0, 0, 1]])
        return Frame(rgb.copy(), depth_m.copy(), segmentation, K)

    def step(self) -> None:
        self.state, *_ = self.env.step(np.clip(self.policy.get_action(self.state), -1, 1))


class Ours:
    """The same episode through `kinesight.envs`."""

    def __init__(self, setup: Setup) -> None:
        from kinesight.envs import catalogue
        from kinesight.types.case import Case
        from kinesight.types.observation import ViewRequest

        case = Case("metaworld", setup.task, 0, setup.camera)
        self.env = catalogue.make_case(case)
        self.env.reset()
        self.expert = catalogue.expert("metaworld", case)
        self.camera = setup.camera
        size = {"height": setup.size, "width": setup.size, "crop": setup.cropped}
        self.rgb_request = ViewRequest(cameras=(setup.camera,), **size)
        self.all_request = ViewRequest(cameras=(setup.camera,), depth=True, segmentation=True, **size)

    def rgb(self) -> object:
        return self.env.observe(self.rgb_request)

    def all(self):
        return self.env.observe(self.all_request)

    def frame(self) -> Frame:
        view = self.all().views[self.camera]
        return Frame(view.rgb, view.depth_m, view.segmentation, view.camera.K)

    def step(self) -> None:
        self.env.step(self.expert.act(self.env.observe(self.expert.request())).action)


SIDES = {"stock": Stock, "ours": Ours}
_running: dict[str, Stock | Ours] = {}


def block(side: str, setup: Setup, frames: int) -> tuple[dict[str, list[tuple[float, float]]], list[Frame]]:
    """Milliseconds of every render (wall, processor), and the pictures, of the next `frames` steps."""
    if side not in _running:
        # Before the first picture: Mesa starts its threads then.
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: setup.cores])
        _running[side] = SIDES[side](setup)
        _running[side].rgb(), _running[side].all()  # uploads meshes and textures
    renders = _running[side]
    times: dict[str, list[tuple[float, float]]] = {"rgb": [], "rgb+depth+segmentation": []}
    pictures = []
    for _ in range(frames):
        for name, render in (("rgb", renders.rgb), ("rgb+depth+segmentation", renders.all)):
            wall, processor = time.perf_counter(), time.process_time()
            render()
            wall, processor = time.perf_counter() - wall, time.process_time() - processor
            times[name].append((1e3 * wall, 1e3 * processor))
        pictures.append(renders.frame())
        renders.step()
    return times, pictures


def compare(stock: list[Frame], ours: list[Frame]) -> list[str]:
    depth_mm = 1e3 * np.abs([s.depth_m - o.depth_m for s, o in zip(stock, ours, strict=True)])
    same = np.array([s.segmentation == o.segmentation for s, o in zip(stock, ours, strict=True)])
    drawn = np.array([o.depth_m > 0 for o in ours])
    colour = np.abs([s.rgb.astype(int) - o.rgb.astype(int) for s, o in zip(stock, ours, strict=True)])
    K = max(np.abs(s.K - o.K).max() for s, o in zip(stock, ours, strict=True))
    return [
        f"K: largest difference {K:.1e} px",
        f"segmentation: {100 * same.mean():.2f} % of pixels equal",
        f"depth: 99.9 % of pixels within {np.percentile(depth_mm[drawn], 99.9):.3f} mm, "
        f"{np.mean(depth_mm[drawn] > 1):.1e} of them, on outlines, off by more than 1 mm",
        f"colour: mean difference {colour.mean():.2f} of 255 (no shadows, reflections, multi-sampling)",
    ]


def side_by_side(stock: Frame, ours: Frame, path: Path, scale: int = 3) -> None:
    difference = np.abs(stock.rgb.astype(int) - ours.rgb.astype(int)).astype(np.uint8)
    row = np.concatenate([stock.rgb, ours.rgb, difference], axis=1)
    row = row.repeat(scale, axis=0).repeat(scale, axis=1)
    cv2.imwrite(str(path), row[..., ::-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--task", default="hammer")
    parser.add_argument("--camera", default="corner,corner2,corner3")
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--blocks", type=int, default=6)
    parser.add_argument("--frames", type=int, default=5, help="frames in a block")
    parser.add_argument("--cropped", action="store_true")
    parser.add_argument("--cores", type=int, default=1, help="cores that each side may use")
    parser.add_argument("--out", type=Path, default=Path("runs/bench-render"))
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    os.environ.setdefault("MUJOCO_GL", "egl")
    found: dict[str, Any] = {"hardware": hardware(), "versions": versions(), "cores a side": options.cores}
    print(f"{found['hardware']['cpu']}, {os.cpu_count()} cores, {os.environ['MUJOCO_GL']}")
    count = options.blocks * options.frames
    edge = options.size
    print(f"{options.task}, {edge} x {edge}, medians of {count} frames, cores a side: {options.cores}")
    for camera in options.camera.split(","):
        setup = Setup(options.task, camera, options.size, options.cropped, options.cores)
        found[camera] = report(setup, options)
    write_atomic(options.out / "render.json", json.dumps(found, indent=2))


def report(setup: Setup, options: argparse.Namespace) -> dict[str, Any]:
    """Printed; returned are medians in milliseconds and what the pictures have in common."""
    pools = {side: ProcessPoolExecutor(1, mp_context=get_context("spawn")) for side in SIDES}
    times: dict[str, dict[str, list[tuple[float, float]]]] = {side: {} for side in SIDES}
    frames: dict[str, list[Frame]] = {side: [] for side in SIDES}
    for _ in range(options.blocks):
        for side, pool in pools.items():
            spent, pictures = pool.submit(block, side, setup, options.frames).result()
            for name, values in spent.items():
                times[side].setdefault(name, []).extend(values)
            frames[side].extend(pictures)
    for pool in pools.values():
        pool.shutdown()
    print(f"\n{setup.camera:24s} {'stock ms':>10s} {'ours ms':>10s} {'ratio':>8s}   {'processor time':>15s}")
    found: dict[str, Any] = {}
    for name in times["stock"]:
        (stock, stock_cpu), (ours, ours_cpu) = (np.median(times[side][name], axis=0) for side in SIDES)
        print(
            f"{name:24s} {stock:10.2f} {ours:10.2f} {stock / ours:8.1f}"
            f"   {stock_cpu:.1f} / {ours_cpu:.1f} = {stock_cpu / ours_cpu:.1f}"
        )
        found[name] = {
            "stock_ms": stock,
            "ours_ms": ours,
            "stock_processor_ms": stock_cpu,
            "ours_processor_ms": ours_cpu,
        }
    if not setup.cropped:
        found["agreement"] = compare(frames["stock"], frames["ours"])
        print("\n".join(found["agreement"]))
        side_by_side(
            frames["stock"][-1], frames["ours"][-1], options.out / f"{setup.task}-{setup.camera}.png"
        )
    return found


if __name__ == "__main__":
    main()
