"""Frames per second of the table-top environment: a step of 20 Hz physics, then colour, depth and ids.

    python bench/tabletop.py --out runs/bench-tabletop

One process, one thread, the expert at work; medians over all steps of the episodes, wall and processor time.
The processor's time is what a machine without other work would need. Composing a layout, once an episode, is
told apart. Writes `speed.json`.
"""

import argparse
import json
import os
import platform
import time
from pathlib import Path

import numpy as np


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--tasks", default="pick-place,press-buttons,put-in-drawer")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--camera", default="front")
    parser.add_argument("--out", type=Path, default=Path("runs/bench-tabletop"))
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    os.environ.setdefault("MUJOCO_GL", "egl")
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, {os.environ['MUJOCO_GL']}")
    print(f"{options.camera}, {options.size} x {options.size}; medians, wall (processor) milliseconds")
    names = ("reset", "step", "expert", "rgb", "rgb+depth+segmentation")
    print(f"{'task':16s}" + "".join(f"{name:>24s}" for name in names) + f"{'frames/s':>20s}")
    results = {}
    for task in options.tasks.split(","):
        times = measure(task, options)
        medians = {name: np.median(times[name], axis=0) for name in names}
        frame = medians["step"] + medians["rgb+depth+segmentation"]
        line = "".join(f"{f'{1e3 * wall:.2f} ({1e3 * cpu:.2f})':>24s}" for wall, cpu in medians.values())
        print(f"{task:16s}{line}{f'{1 / frame[0]:.0f} ({1 / frame[1]:.0f})':>20s}", flush=True)
        results[task] = {name: {"wall_s": w, "cpu_s": c} for name, (w, c) in medians.items()}
    (options.out / "speed.json").write_text(json.dumps(results, indent=1))


def measure(task: str, options: argparse.Namespace) -> dict[str, list[tuple[float, float]]]:
    from kinesight.envs import catalogue
    from kinesight.types.case import Case
    from kinesight.types.observation import ViewRequest

    size = {"height": options.size, "width": options.size}
    colour = ViewRequest(cameras=(options.camera,), **size)
    everything = ViewRequest(cameras=(options.camera,), depth=True, segmentation=True, **size)
    times: dict[str, list[tuple[float, float]]] = {}

    def timed(name, call, *arguments):
        wall, cpu = time.perf_counter(), time.process_time()
        value = call(*arguments)
        taken = time.perf_counter() - wall, time.process_time() - cpu
        times.setdefault(name, []).append(taken)
        return value

    warm = catalogue.make("tabletop", task, options.seeds)
    warm.reset()
    warm.observe(everything)  # reads the arm's meshes and uploads them
    for seed in range(options.seeds):
        case = Case("tabletop", task, seed, options.camera)
        environment, expert = catalogue.make_case(case), catalogue.expert("tabletop", case)
        result = timed("reset", environment.reset)
        while not (result.success or result.truncated):
            timed("rgb", environment.observe, colour)
            timed("rgb+depth+segmentation", environment.observe, everything)
            observation = environment.observe(expert.request())
            decision = timed("expert", expert.act, observation)
            result = timed("step", environment.step, decision.action)
    return times


if __name__ == "__main__":
    main()
