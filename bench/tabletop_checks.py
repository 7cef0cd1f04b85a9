"""Blindness checks of the table-top tasks: how far one comes without eyes, and without ears.

    python bench/tabletop_checks.py --seeds 50 --out runs/bench-tabletop

Three rows a task, on the same cases: the scripted expert; blind replay of the time-wise mean of its actions
in demonstrations (seeds 1000 and up); the guessing expert, which never heard the sentence and does a task of
the right kind with things drawn at random. A task whose blind replay succeeds in more than 20 % needs more
variation. The table goes to the screen and, with every case's outcome, to `checks.json`; a task whose
demonstrations all fail has no blind replay.
"""

import argparse
import json
import time
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from kinesight.agents.blind_replay import BlindReplay, mean_actions
from kinesight.agents.episode import run_episode
from kinesight.envs import catalogue
from kinesight.envs.tabletop_guess import GuessingExpert
from kinesight.envs.tabletop_splits import SPLITS
from kinesight.envs.tabletop_tasks import STEP_LIMITS
from kinesight.evaluation.statistics import wilson_interval
from kinesight.interfaces.agent import Agent
from kinesight.interfaces.environment import Environment
from kinesight.types.case import STARTS, Case
from kinesight.types.decision import Decision
from kinesight.types.observation import Observation, StepResult
from kinesight.types.results import EpisodeResult

ROWS = ("expert", "blind replay", "guessing expert")
FIRST_DEMONSTRATION = 1000


class Actions:
    """A subscriber that keeps what was done."""

    def start(self, case: Case, environment: Environment) -> None:
        self.taken: list[np.ndarray] = []

    def step(self, observation: Observation, decision: Decision, result: StepResult) -> None:
        self.taken.append(decision.action)

    def end(self, result: EpisodeResult) -> None:
        pass


def replay(task: str, demonstrations: int, options: argparse.Namespace) -> BlindReplay | None:
    """None where no demonstration succeeds within the limit."""
    episodes = []
    for seed in range(FIRST_DEMONSTRATION, FIRST_DEMONSTRATION + demonstrations):
        case, recorder = a_case(task, seed, options), Actions()
        agent = catalogue.expert("tabletop", case)
        if run_episode(catalogue.make_case(case, limit(task, options)), agent, (recorder,)).success:
            episodes.append(np.stack(recorder.taken))
    return BlindReplay({task: mean_actions(episodes)}) if episodes else None


def limit(task: str, options: argparse.Namespace) -> int:
    return options.limit or STEP_LIMITS[task]


def a_case(task: str, seed: int, options: argparse.Namespace) -> Case:
    return Case("tabletop", task, seed, "front", options.start, options.split)


def outcomes(agent: Agent | None, task: str, seeds: Iterable[int], options: argparse.Namespace) -> list[dict]:
    rows: list[dict] = []
    if agent is None:
        return rows
    for seed in seeds:
        case = a_case(task, seed, options)
        environment = catalogue.make_case(case, limit(task, options))
        result = run_episode(environment, agent)
        rows.append({"seed": seed, "success": result.success, "steps": result.steps})
    return rows


def share(rows: list[dict]) -> str:
    if not rows:
        return "no demonstration"
    wins = sum(row["success"] for row in rows)
    interval = wilson_interval(wins, len(rows))
    return f"{100 * wins / len(rows):3.0f} [{100 * interval.low:2.0f}, {100 * interval.high:3.0f}]"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--tasks", default="all")
    parser.add_argument("--seeds", type=int, default=50)
    parser.add_argument("--demonstrations", type=int, default=20)
    parser.add_argument("--rows", default=",".join(ROWS))
    parser.add_argument("--split", default="train", choices=list(SPLITS))
    parser.add_argument("--start", default="standard", choices=STARTS)
    parser.add_argument("--limit", type=int, default=0, help="steps of every task; 0: each task's own")
    parser.add_argument("--out", type=Path, default=Path("runs/bench-tabletop"))
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    chosen = options.rows.split(",")
    found: dict[str, dict[str, list[dict]]] = {}
    print(f"split {options.split}, start {options.start}, {options.seeds} seeds; success % [Wilson 95 %]")
    print(f"{'task':16s}" + "".join(f"{row:>20s}" for row in chosen) + f"{'expert steps':>14s}")
    for task in catalogue.task_set("tabletop", options.tasks):
        agents: dict[str, Agent | None] = {}
        for row in chosen:
            if row == "expert":
                agents[row] = catalogue.expert("tabletop", a_case(task, 0, options))
            elif row == "blind replay":
                agents[row] = replay(task, options.demonstrations, options)
            else:
                agents[row] = GuessingExpert()
        began = time.process_time()
        found[task] = {row: outcomes(agents[row], task, range(options.seeds), options) for row in chosen}
        steps = [r["steps"] for r in found[task].get("expert", []) if r["success"]]
        line = "".join(f"{share(found[task][row]):>20s}" for row in chosen)
        spent = time.process_time() - began
        print(f"{task:16s}{line}{np.median(steps) if steps else 0:14.0f}   {spent:.0f} s", flush=True)
    settings = {key: str(value) for key, value in vars(options).items()}
    (options.out / "checks.json").write_text(json.dumps({"settings": settings, "tasks": found}, indent=1))


if __name__ == "__main__":
    main()
