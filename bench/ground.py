"""Frames and records of a ground set by CPU hour: physics, drawing, questions, files and card together.

    python bench/ground.py --out runs/bench-ground

One process, one thread. Everything that `kinesight ground` does is measured, less the import of the simulator
and the first upload of its meshes, which a run pays once. Processor time is what a machine without other
work would need; wall time stands beside it. Beside the total: seconds by phase, and what the colour pictures
of the set cost as JPEG and as PNG. Writes `ground.json`.
"""

import argparse
import json
import os
import platform
import shutil
import time
from dataclasses import replace
from pathlib import Path

import cv2

TASKS = {
    "tabletop": "pick-place,pick-relation,stack,push,press-buttons,put-in-drawer,sort-groceries,close-jar",
    "metaworld": "door-open,drawer-open,button-press-topdown,hammer",
}
GOALS = {"frames": 20_000, "records": 200_000}
"""By CPU hour, at 128 x 128."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--env", default="tabletop")
    parser.add_argument("--tasks", default="")
    parser.add_argument("--episodes", type=int, default=1)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--moments", type=int, default=8)
    parser.add_argument("--out", type=Path, default=Path("runs/bench-ground"))
    options = parser.parse_args()
    os.environ.setdefault("MUJOCO_GL", "egl")
    cv2.setNumThreads(1)
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, {os.environ['MUJOCO_GL']}")
    result = measure(options)
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "ground.json").write_text(json.dumps(result, indent=1))


def measure(options: argparse.Namespace) -> dict[str, object]:
    from kinesight.collection.collect import collect
    from kinesight.collection.grounding.card import write_card
    from kinesight.collection.grounding.make import GroundConfig, ground

    tasks = tuple((options.tasks or TASKS[options.env]).split(","))
    config = GroundConfig(
        options.env,
        tasks,
        options.episodes,
        (),
        ("own", "random"),
        options.size,
        options.size,
        options.moments,
    )
    folder = options.out / "set"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.rmtree(options.out / "warm", ignore_errors=True)
    ground(replace(config, tasks=tasks[:1], moments=2, first_seed=5), options.out / "warm")
    seconds: dict[str, tuple[float, float]] = {}

    def timed(name, call, *arguments):
        wall, cpu = time.perf_counter(), time.process_time()
        value = call(*arguments)
        seconds[name] = time.perf_counter() - wall, time.process_time() - cpu
        return value

    timed("physics", collect, config.plans(), folder / "plans")
    made = timed("drawing, questions, files, card", ground, config, folder)
    timed("of that, the card", write_card, folder)
    wall, cpu = (sum(seconds[name][i] for name in list(seconds)[:2]) for i in range(2))
    duplicates = sum(episode.duplicates for episode in made.episodes)
    counts = {"frames": made.frame_count, "records": len(made)}
    print(f"{options.env}, {options.size} x {options.size}: {len(made.episodes)} episodes, "
          f"{made.frame_count} frames, {len(made)} records, {duplicates} frames left out")  # fmt: skip
    for name, (each_wall, each_cpu) in seconds.items():
        print(f"  {name:34s} {each_cpu:8.2f} s of the processor, {each_wall:8.2f} s wall")
    rates = {name: round(3600 * count / cpu) for name, count in counts.items()}
    for name, rate in rates.items():
        print(f"{rate:10,d} {name} by CPU hour, the goal is {GOALS[name]:,d}")
    codecs = {name: codec_cost(made, name) for name in ("jpeg", "png")}
    for name, (ms, size) in codecs.items():
        print(f"  {name}: {ms:.2f} ms and {size / 1e3:.1f} kB a picture")
    return {
        "environment": options.env, "tasks": tasks, "size": options.size, **counts, "duplicates": duplicates,
        "seconds": {name: {"wall": w, "cpu": c} for name, (w, c) in seconds.items()}, "wall_s": wall,
        "by_cpu_hour": rates, "bytes": sum(f.stat().st_size for f in folder.rglob("*") if f.is_file()),
        "codecs": {name: {"ms": ms, "bytes": size} for name, (ms, size) in codecs.items()},
    }  # fmt: skip


def codec_cost(made, codec: str, pictures: int = 100) -> tuple[float, float]:
    """Milliseconds of the processor and bytes a picture, over pictures spread through the set."""
    from kinesight.data.ground_file import encode_image

    chosen = [made.image(j) for j in range(0, made.frame_count, max(made.frame_count // pictures, 1))]
    began = time.process_time()
    sizes = [len(encode_image(picture, codec)) for picture in chosen]
    return 1e3 * (time.process_time() - began) / len(chosen), sum(sizes) / len(sizes)


if __name__ == "__main__":
    main()
