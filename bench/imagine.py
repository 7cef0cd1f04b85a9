"""Time to imagine a video and to train on one, ours against a network of the published size.

    python bench/imagine.py --out runs/bench-imagine
    python bench/imagine.py --run runs/spatial-policy-small --tasks sp11 --seeds 0-4

Both give seven frames of the same edge. Ours is the imaginer of a recipe, as `imagine()` is called in the
closed loop, sampling steps and all; the other is `official_size.py` with 20 DDIM steps and no guidance, of
which `--forwards` are run and multiplied up. With a trained run, imagined videos of unseen layouts are also
compared with the expert's, all together and by task: mean error where things move, beside that of repeating
the first frame, and how many videos are closer than that, with Wilson's 95 % interval.
"""

import argparse
import json
import os
from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from official_size import OfficialSize
from timing import median_s, training_step_s

from kinesight.cli.arguments import names, seeds
from kinesight.envs import catalogue as envs
from kinesight.evaluation.provenance import hardware, versions
from kinesight.evaluation.statistics import proportion
from kinesight.experiments import catalogue
from kinesight.experiments.evaluation import with_agent
from kinesight.experiments.pictures import Imagined, imagined_against_expert
from kinesight.experiments.runs import open_run
from kinesight.language.words import Vocabulary
from kinesight.models.video_diffusion import VideoDiffusion
from kinesight.nn.hand_path import Hands
from kinesight.planning.geometric import GeometricPlanner
from kinesight.training.config import TrainingConfig
from kinesight.types.case import Case
from kinesight.types.facts import DataFacts
from kinesight.types.files import write_atomic
from kinesight.types.observation import Observation, ViewRequest

OFFICIAL_STEPS, FRAMES = 20, 7


def scene(edge: int) -> tuple[Observation, DataFacts]:
    """A first observation with pictures of this edge, and what a model trained on such would know."""
    case = Case("metaworld", "door-open", 0, "corner", "standard")
    environment = envs.make_case(case)
    environment.reset()
    observation = environment.observe(ViewRequest((case.camera,), edge, edge, scene=True))
    facts = DataFacts(
        env=case.env,
        tasks=(case.task,),
        cameras=(case.camera,),
        calibration={f"{case.task}/{case.camera}": observation.views[case.camera].camera},
        crop=True,
        action=environment.action_spec,
        proprio_low=(0.0,) * 8,
        proprio_high=(1.0,) * 8,
        words=Vocabulary.from_sentences([observation.instruction]).words,
    )
    return observation, facts


def ours(recipe: str, edge: int, repeats: int) -> dict[str, float]:
    """Seconds to imagine one video as in the closed loop, and training steps a second."""
    observation, facts = scene(edge)
    stage = catalogue.recipe(recipe).stage("imaginer")
    model = stage.model.build(facts)
    assert isinstance(model, VideoDiffusion), f"the imaginer of {recipe} is a video model"
    plan = GeometricPlanner("door-open", "corner").plan(observation, observation.instruction)
    generator = torch.Generator().manual_seed(0)
    imagine_s = median_s(lambda: model.eval().imagine(observation, plan, generator), repeats)
    batch = model.batch_from(observation, plan)
    count = model.config.batch_size
    held = {field.name: getattr(batch, field.name) for field in fields(batch)}
    repeated = {name: many(value, count) for name, value in held.items() if value is not None}
    if batch.hands is not None:  # a hand that stands still
        states = batch.hands.states[:, :1].expand(-1, 1 + model.config.frames, -1)
        repeated["hands"] = many(replace(batch.hands, states=states), count)
    future = torch.randint(0, 256, (count, model.config.frames, edge, edge, 3), dtype=torch.uint8)
    batch = replace(batch, **{**repeated, "future": future})

    def loss() -> torch.Tensor:
        return model.loss("imaginer", batch, generator)["video"].mean()

    step_s = training_step_s(model, loss, stage.training, max(2, repeats // 2))
    return {
        "parameters_M": sum(p.numel() for p in model.parameters()) / 1e6,
        "imagine_s": imagine_s,
        "training_steps_per_s": 1 / step_s,
        "training_batch": count,
    }


def many(value: Hands | torch.Tensor | tuple[torch.Tensor, ...], count: int) -> Any:
    """A batch of one as one of many that are alike."""
    if isinstance(value, tuple):
        return tuple(many(each, count) for each in value)
    if isinstance(value, Hands):
        return Hands(**{field.name: many(getattr(value, field.name), count) for field in fields(value)})
    return value.expand(count, *value.shape[1:])


def official(edge: int, forwards: int) -> dict[str, float]:
    """The same for the network of the published size; `imagine_s` is multiplied up to all its steps.

    It is trained on one video a step, in float32, which is what fits into the memory of a small machine.
    """
    network = OfficialSize(FRAMES)
    noisy = torch.randn(1, FRAMES, 3, edge, edge)
    level = torch.ones(1)
    with torch.inference_mode():
        forward_s = median_s(lambda: network.eval()(noisy, noisy[:, 0], level), forwards)

    def loss() -> torch.Tensor:
        return (network(noisy, noisy[:, 0], level) - noisy).square().mean()

    return {
        "parameters_M": sum(p.numel() for p in network.parameters()) / 1e6,
        "forward_s": forward_s,
        "imagine_s": OFFICIAL_STEPS * forward_s,
        "training_steps_per_s": 1 / training_step_s(network, loss, TrainingConfig(), 1),
        "training_batch": 1,
    }


def quality(
    run: Path, tasks: str, layouts: tuple[int, ...], settings: tuple[str, ...] = ()
) -> dict[str, Any]:
    """Imagined videos of a run beside the expert's and the repeated first frame; tasks "": the run's own.

    `settings`: of sampling, in place of the run's.
    """
    opened = with_agent(open_run(run), settings)
    env, camera = opened.recipe.data.env, opened.recipe.data.cameras[0]
    chosen = envs.task_set(env, tasks) if tasks else opened.recipe.evaluation.tasks
    found = {
        task: [imagined_against_expert(opened, Case(env, task, seed, camera, "shifted")) for seed in layouts]
        for task in chosen
    }
    together = [video for videos in found.values() for video in videos]
    return figures(together) | {"per_task": {task: figures(videos) for task, videos in found.items()}}


def figures(videos: Sequence[Imagined]) -> dict[str, Any]:
    """Mean errors where things move, and the share of videos that beat repeating the first frame."""
    closer = proportion(video.error < video.copy_error for video in videos)
    return {
        "videos": closer.episodes,
        "error": float(np.mean([video.error for video in videos])),
        "copy_error": float(np.mean([video.copy_error for video in videos])),
        "closer": closer.successes,
        "closer_than_copy": closer.rate,
        "closer_than_copy_95": [closer.wilson_95.low, closer.wilson_95.high],
    }


def quality_line(name: str, shown: dict[str, Any]) -> str:
    low, high = (100 * limit for limit in shown["closer_than_copy_95"])
    return (
        f"{name:22s} {shown['videos']:4d} videos, error where things move {shown['error']:.3f}, first frame "
        f"repeated {shown['copy_error']:.3f}; closer than that {100 * shown['closer_than_copy']:.0f} % "
        f"({low:.0f}–{high:.0f})"
    )


def speed(recipe: str, edges: Sequence[str], repeats: int, forwards: int) -> dict[str, Any]:
    """Printed and returned: ours at every edge, the published size at the largest, and their ratio."""
    print(f"{hardware()['cpu']}, {torch.get_num_threads()} threads; recipe {recipe}")
    found: dict[str, Any] = {}
    for edge in map(int, edges):
        mine = found[f"ours_{edge}"] = ours(recipe, edge, repeats)
        print(
            f"{edge:4d} px  ours: {mine['parameters_M']:.1f} M weights, {mine['imagine_s']:.3f} s a video, "
            f"{mine['training_steps_per_s']:.2f} steps/s in training of {mine['training_batch']}"
        )
    edge = max(map(int, edges))
    large = found[f"official_{edge}"] = official(edge, forwards)
    found["ratio"] = large["imagine_s"] / found[f"ours_{edge}"]["imagine_s"]
    print(
        f"{edge:4d} px  published size: {large['parameters_M']:.0f} M weights, {large['forward_s']:.1f} s a "
        f"forward, {large['imagine_s']:.0f} s a video of {OFFICIAL_STEPS} steps: {found['ratio']:.0f} times "
        f"ours; {1 / large['training_steps_per_s']:.0f} s a training step of one video"
    )
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--recipe", default="quickstart", help="whose imaginer is timed")
    parser.add_argument("--edges", default="64,128", help='"" times nothing')
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--forwards", type=int, default=2, help="of the large network")
    parser.add_argument("--run", type=Path, help="a trained run, for the error of what it imagines")
    parser.add_argument("--tasks", default="", help="tasks or sets of them; default: the run's own")
    parser.add_argument("--seeds", default="0-4")
    parser.add_argument("--set", nargs="*", default=(), help="sampling of the run, stages.imaginer.model.…")
    parser.add_argument("--out", type=Path, default=Path("runs/bench-imagine"))
    options = parser.parse_args()
    os.environ.setdefault("MUJOCO_GL", "egl")
    found: dict[str, Any] = {
        "hardware": hardware(),
        "versions": versions(),
        "threads": torch.get_num_threads(),
    }
    if options.edges:
        found |= speed(options.recipe, names(options.edges), options.repeats, options.forwards)
    if options.run:
        shown = found["quality"] = quality(
            options.run, options.tasks, seeds(options.seeds), tuple(options.set)
        )
        for task, figure in shown["per_task"].items():
            print(quality_line(task, figure))
        print(quality_line("all", shown))
    write_atomic(options.out / "imagine.json", json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
