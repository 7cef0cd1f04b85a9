"""Plan, imagine and act in one scene, step by step.

python examples/01_plan_and_imagine.py --run runs/quickstart --task door-open --seed 3
python examples/01_plan_and_imagine.py          # trains a tiny model first; it has learned next to nothing
"""

import argparse
import tempfile
from pathlib import Path

from kinesight.agents.episode import run_episode
from kinesight.collection.collect import collect
from kinesight.collection.hindsight import with_hindsight_plans
from kinesight.envs import catalogue as envs
from kinesight.experiments import catalogue as recipes
from kinesight.experiments.pictures import imagined_against_expert, write_png
from kinesight.experiments.runs import Run, create_run, open_run
from kinesight.experiments.spatial_policy import make_agent
from kinesight.experiments.training import train_run
from kinesight.language.plan_text import format_plan
from kinesight.planning.geometric import GeometricPlanner
from kinesight.types.case import Case
from kinesight.types.observation import ViewRequest


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--run", type=Path, help="a trained run, such as runs/quickstart")
    parser.add_argument("--task", default="handle-press")
    parser.add_argument("--seed", type=int, default=0, help="layout; demonstrations have seeds from 1000 on")
    parser.add_argument("--out", type=Path, default=Path("imagined.png"))
    options = parser.parse_args()

    # 1. A case fixes an episode: the task, the layout, the view, and how the arm starts.
    run = open_run(options.run) if options.run else train_tiny(Path(tempfile.mkdtemp(prefix="kinesight-")))
    case = Case("metaworld", options.task, options.seed, camera="corner", start="shifted")

    # 2. The environment renders what is asked for and nothing else. `scene` is privileged: object positions.
    environment = envs.make_case(case, limit=run.recipe.evaluation.limit)
    environment.reset()
    observation = environment.observe(ViewRequest((case.camera,), 96, 96, scene=True))
    print(f"Instruction: {observation.instruction}")
    print(f"The hand is at {observation.proprio[:3].round(3)} m in the world frame.")

    # 3. Plan in space: verbs, signs along the camera's axes (x left, y up, z back), metres.
    plan = GeometricPlanner(case.task, case.camera).plan(observation, observation.instruction)
    print(format_plan(plan))

    # 4. Imagine the frames from now to the end of the task; below them goes what the expert really does.
    imagined = imagined_against_expert(run, case)
    write_png(options.out, imagined.picture)
    print(f"Error where things move: {imagined.error:.3f}; of a still picture: {imagined.copy_error:.3f}")
    print(f"Wrote {options.out}")

    # 5. Act, check and plan again: the closed loop. Every decision is an event with its reason.
    agent = make_agent(run)
    result = run_episode(environment, agent)
    for event in result.events:
        print(f"step {event.step:3d}  {event.kind:8s} {event.reason}")
    outcome = "success" if result.success else "no success"
    print(f"{outcome} after {result.steps} steps; privileged: {', '.join(agent.privileged)}")


def train_tiny(folder: Path) -> Run:
    """Two demonstrations and four steps of training: enough to see how the parts fit, not to solve a task."""
    print(f"No run was given; training a tiny one in {folder}")
    recipe = recipes.recipe("spatial-policy-tiny")
    run = create_run(folder / "run", recipe)
    demonstrations = with_hindsight_plans(collect(recipe.data, folder / "data"))
    train_run(run, demonstrations)
    return run


if __name__ == "__main__":
    main()
