"""How far AVDC gets when imagination is perfect: the expert's own frames take the place of a video model.

    python bench/avdc.py --seeds 0-4 --out runs/bench-avdc

Rows: AVDC with oracle video, without and with re-planning, and its controller alone with the object's true
path in place of the one that optical flow finds: what only that row solves is lost to the flow. "Path error"
is how far the end of the first path lies from where the object went, across the line of sight and along it
(medians). Finished episodes are kept.
"""

import argparse
import shlex
import sys
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from kinesight.agents.avdc import AvdcAgent, AvdcConfig, set_point_action
from kinesight.agents.avdc_pursuit import Pursuit, hand_plan
from kinesight.agents.recorded_futures import RecordedFutures, key
from kinesight.collection.collect import CollectionConfig, collect
from kinesight.data.episodes import EpisodeStore
from kinesight.envs import catalogue as envs
from kinesight.evaluation.results import Results
from kinesight.evaluation.rollout import cases as all_cases
from kinesight.evaluation.run import Subject, run_evaluation
from kinesight.evaluation.statistics import Proportion, proportion
from kinesight.interfaces.agent import Agent
from kinesight.types.case import Case
from kinesight.types.decision import Decision
from kinesight.types.observation import Observation, ViewRequest
from kinesight.types.serial import to_json

FRAMES = 7
ROWS = ("avdc oracle", "avdc-replan oracle", "true path")


class TruePath:
    """The controller with the path that the object took in the expert's episode; nothing is seen."""

    privileged = ("expert", "scene")

    def __init__(self, store: EpisodeStore, config: AvdcConfig) -> None:
        self.store, self.config = store, config

    def reset(self, case: Case) -> None:
        path = true_path(self.store, case)
        self._pursuit = Pursuit(hand_plan(path, self.config.pursuit), self.config.pursuit)

    def request(self) -> ViewRequest:
        return ViewRequest()

    def act(self, observation: Observation) -> Decision:
        hand = observation.proprio[:3].astype(np.float64)
        return Decision(set_point_action(self._pursuit.step(hand), hand, self.config))


def true_path(store: EpisodeStore, case: Case) -> np.ndarray:
    """Places [t 3] of the object at the times of the oracle frames."""
    index = next(i for i in range(len(store)) if key(store.meta(i).case) == key(case))
    target = store.window(index, 0, store.meta(index).length + 1, ("scene.target",))["scene.target"]
    return target[np.rint(np.linspace(0, len(target) - 1, FRAMES + 1)).astype(int)].astype(np.float64)


def make_agent(store_path: Path, row: str, config: AvdcConfig, size: int) -> Agent:
    store = EpisodeStore(store_path)
    if row == "true path":
        return TruePath(store, config)
    config = config if "replan" in row else replace(config, max_replans=0)
    return AvdcAgent(config, RecordedFutures(store, "same", FRAMES), ViewRequest(height=size, width=size))


def path_error_m(store: EpisodeStore, agent: Agent, case: Case) -> tuple[float, float]:
    """Between the ends of the first path that the flow finds and of the true one, across and along the line
    of sight to the latter; NaN if none is found."""
    assert isinstance(agent, AvdcAgent)
    environment = envs.make_case(case)
    environment.reset()
    agent.reset(case)
    observation = environment.observe(agent.request())
    agent.act(observation)
    if agent.path is None:
        return np.nan, np.nan
    true = true_path(store, case)
    sight = true[-1] - observation.views[case.camera].camera.T_world_camera[:3, 3]
    error = (agent.path[-1] - agent.path[0]) - (true[-1] - true[0])
    along = float(error @ sight / np.linalg.norm(sight))
    return float(np.sqrt(max(error @ error - along**2, 0.0))), abs(along)


def record(cases: Sequence[Case], size: int, path: Path) -> EpisodeStore:
    """The expert on the cases of one task, successful or not."""
    config = CollectionConfig(
        env=cases[0].env,
        tasks=(cases[0].task,),
        episodes=len(cases),
        cameras=(cases[0].camera,),
        height=size,
        width=size,
        starts=(cases[0].start,),
        first_seed=cases[0].seed,
        hold_steps=3,
        only_successes=False,
    )
    return collect(config, path)


def measure(
    row: str, cases: Sequence[Case], store: EpisodeStore, config: AvdcConfig, options: argparse.Namespace
) -> Results:
    make = partial(make_agent, store.path, row, config, options.size)
    subject = Subject(row, privileged=make().privileged, settings={"avdc": to_json(config)})
    out = options.out / row.replace(" ", "-") / cases[0].task
    return run_evaluation(
        out, subject, make, envs.make_case, cases, command=shlex.join(sys.argv), progress=False
    )


def shown(share: Proportion) -> str:
    interval = share.wilson_95
    return f"{share.successes}/{share.episodes} ({100 * interval.low:.0f}–{100 * interval.high:.0f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--tasks", default="sp11")
    parser.add_argument("--seeds", default="0-4", help="first and last")
    parser.add_argument("--camera", default="corner")
    parser.add_argument("--start", default="standard")
    parser.add_argument("--size", type=int, default=128, help="edge of the pictures in pixels")
    parser.add_argument("--out", type=Path, default=Path("runs/bench-avdc"))
    options = parser.parse_args()
    first, _, last = options.seeds.partition("-")
    seeds, config = range(int(first), int(last or first) + 1), AvdcConfig()
    totals: dict[str, list[bool]] = {row: [] for row in ROWS}
    print(
        f"{'successes (95 % Wilson)':24s}" + "".join(f"{row:>22s}" for row in ROWS) + f"{'path error':>22s}"
    )
    for task in envs.task_set("metaworld", options.tasks):
        cases = all_cases("metaworld", [task], seeds, [options.camera], options.start)
        store = record(cases, options.size, options.out / f"expert-{options.seeds}" / task)
        line = f"{task:24s}"
        for row in ROWS:
            results = measure(row, cases, store, config, options)
            outcomes = [episode.success for episode in results.episodes]
            totals[row] += outcomes
            line += f"{shown(proportion(outcomes)):>22s}"
        agent = make_agent(store.path, ROWS[0], config, options.size)
        errors = np.array([path_error_m(store, agent, case) for case in cases])
        across, along = 100 * np.nanmedian(errors, axis=0)
        print(f"{line}{across:13.1f}, {along:4.1f} cm", flush=True)
    print(f"{'all':24s}" + "".join(f"{shown(proportion(totals[row])):>22s}" for row in ROWS))


if __name__ == "__main__":
    main()
