"""How near a goal policy comes to the expert's actions under several goals, on layouts that nobody learned.

    python bench/goals.py --run runs/spatial-policy-small --tasks sp11 --seeds 0-4 --out runs/bench-goals

Along an episode of the expert, every few steps, the policy is asked with the next of the video's frames as
its goal: the frame that the expert reaches then ("reached"), the same with the look of an imagined one
("soft"), the one that was imagined from the episode's first picture ("imagined"), and none. The error is the
mean absolute difference of the actions that the loop would execute, in the action's units ([-1, 1]). Between
"reached" and "soft" lies what softness costs, between "soft" and "imagined" what wrong content does.
"""

import argparse
import json
import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from kinesight.agents.episode import run_episode
from kinesight.agents.spatial_policy import case_generator
from kinesight.cli.arguments import seeds
from kinesight.envs import catalogue as envs
from kinesight.evaluation.provenance import hardware, versions
from kinesight.experiments.planners import make_planners
from kinesight.experiments.recipe import loop_settings
from kinesight.experiments.runs import Run, load_stage, open_run
from kinesight.experiments.spatial_policy import POLICY, load_imaginer
from kinesight.interfaces.environment import Environment
from kinesight.models.goal_policy import GoalPolicy
from kinesight.nn.imagined_look import imagined_look
from kinesight.nn.layers import to_unit
from kinesight.types.arrays import Image
from kinesight.types.case import Case
from kinesight.types.decision import Decision
from kinesight.types.files import write_atomic
from kinesight.types.observation import Observation, StepResult, ViewRequest
from kinesight.types.plan import Feedback
from kinesight.types.results import EpisodeResult
from kinesight.types.video import future_steps

GOALS = ("reached", "soft", "imagined", "none")
EVERY, LEAST_AHEAD = 5, 4
"""Steps between two questions, and from the present to a goal frame, at least."""


@dataclass
class Watcher:
    """A subscriber that keeps what the expert saw and did."""

    view: ViewRequest
    seen: list[Observation]
    actions: list[Float[np.ndarray, "a"]]

    def start(self, case: Case, environment: Environment) -> None:
        self.environment = environment
        self.seen.append(environment.observe(self.view))

    def step(self, observation: Observation, decision: Decision, result: StepResult) -> None:
        self.actions.append(decision.action)
        self.seen.append(self.environment.observe(self.view))

    def end(self, result: EpisodeResult) -> None:
        return None


def errors(run: Run, policy: GoalPolicy, case: Case) -> dict[str, float]:
    """Goal -> mean error along one episode."""
    imaginer, settings = load_imaginer(run), loop_settings(run.recipe)
    planner = make_planners(settings).for_case(case)
    view = replace(policy.request, cameras=(case.camera,), scene=True)
    watcher = Watcher(view, [], [])
    run_episode(envs.make_case(case), envs.expert(case.env, case), (watcher,))
    first, length = watcher.seen[0], len(watcher.actions)
    plan = planner.plan(first, first.instruction, Feedback("start"))
    video = imaginer.imagine(first, plan, case_generator(case))
    drawn_at = future_steps(0, length, len(video.frames), imaginer.config.spacing)
    found = defaultdict(list)
    for step in range(0, length - settings.execute, EVERY):
        ahead = np.flatnonzero(drawn_at >= step + LEAST_AHEAD)
        if not len(ahead):
            break
        number = int(ahead[0])
        now, reached = (picture(watcher.seen[i], case) for i in (step, int(drawn_at[number])))
        goals = {
            "reached": reached,
            "soft": soft(reached, now, case),
            "imagined": video.frames[number],
            "none": None,
        }
        done = np.stack(watcher.actions[step : step + settings.execute])
        for name, goal in goals.items():
            # The same noise for every goal.
            chunk = policy.act(watcher.seen[step], goal, case_generator(case))
            found[name].append(float(np.abs(chunk.actions[: len(done)] - done).mean()))
    return {name: float(np.mean(found[name])) for name in GOALS}


def picture(observation: Observation, case: Case) -> Image:
    rgb = observation.views[case.camera].rgb
    assert rgb is not None, "asked for"
    return rgb


def soft(goal: Image, current: Image, case: Case) -> Image:
    """As half of the training goals look."""
    both = torch.from_numpy(np.stack([goal, current]))[:, None]
    unit = to_unit(both)
    drawn = imagined_look(unit[0], unit[1], case_generator(case))[0].permute(1, 2, 0)
    return ((drawn + 1) * 127.5).round().clamp(0, 255).to(torch.uint8).numpy()


def summary(episodes: Sequence[Mapping[str, float]]) -> dict[str, Any]:
    """Means over episodes, and paired differences from "reached" with a 95 % interval of the mean."""
    table = {name: np.array([episode[name] for episode in episodes]) for name in GOALS}
    shown: dict[str, Any] = {"episodes": len(episodes)}
    for name in GOALS:
        apart = table[name] - table["reached"]
        half = 1.96 * apart.std(ddof=1) / np.sqrt(len(apart)) if len(apart) > 1 else float("nan")
        shown[name] = {
            "error": float(table[name].mean()),
            "more": float(apart.mean()),
            "half_95": float(half),
        }
    return shown


def line(title: str, shown: Mapping[str, Any]) -> str:
    told = [
        f"{name} {shown[name]['error']:.3f}"
        + (f" ({shown[name]['more']:+.3f} ± {shown[name]['half_95']:.3f})" if name != "reached" else "")
        for name in GOALS
    ]
    return f"{title:22s} {shown['episodes']:4d} episodes: {', '.join(told)}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--run", type=Path, required=True, help="a trained run of Spatial Policy")
    parser.add_argument("--tasks", default="", help="tasks or sets of them; default: the run's own")
    parser.add_argument("--seeds", default="0-4")
    parser.add_argument("--start", default="shifted")
    parser.add_argument("--out", type=Path, default=Path("runs/bench-goals"))
    options = parser.parse_args()
    os.environ.setdefault("MUJOCO_GL", "egl")
    run = open_run(options.run)
    policy = load_stage(run, POLICY).model
    assert isinstance(policy, GoalPolicy), "the stage `policy` of a Spatial Policy recipe is a goal policy"
    env, camera = run.recipe.data.env, run.recipe.data.cameras[0]
    tasks = envs.task_set(env, options.tasks) if options.tasks else run.recipe.evaluation.tasks
    found = {}
    for task in tasks:
        cases = [Case(env, task, seed, camera, options.start) for seed in seeds(options.seeds)]
        found[task] = [errors(run, policy, case) for case in cases]
        print(line(task, summary(found[task])), flush=True)
    together = summary([episode for episodes in found.values() for episode in episodes])
    print(line("all", together))
    record = {
        "hardware": hardware(),
        "versions": versions(),
        "all": together,
        "per_task": {task: summary(episodes) for task, episodes in found.items()},
    }
    write_atomic(options.out / "goals.json", json.dumps(record, indent=2))


if __name__ == "__main__":
    main()
