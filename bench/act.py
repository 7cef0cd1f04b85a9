"""Time to choose an action chunk and to train on one batch, for the goal policies of several recipes.

    python bench/act.py --recipes quickstart,spatial-policy-paper --out runs/bench-act

`act()` is timed as the closed loop calls it, sampling steps and all, from pictures of the recipe's own size.
"""

import argparse
import json
import os
from pathlib import Path
from typing import Any

import torch
from imagine import scene
from timing import median_s, training_step_s

from kinesight.cli.arguments import names
from kinesight.evaluation.provenance import hardware, versions
from kinesight.experiments import catalogue
from kinesight.models.goal_policy import GoalPolicy, PolicyBatch
from kinesight.types.files import write_atomic


def acting(recipe: str, repeats: int) -> dict[str, float]:
    """Seconds a chunk, actions in it, training steps a second and examples in a step."""
    chosen = catalogue.recipe(recipe)
    edge, stage = chosen.data.height, chosen.stage("policy")
    observation, facts = scene(edge)
    model = stage.model.build(facts)
    assert isinstance(model, GoalPolicy), f"the policy of {recipe} is a goal policy"
    goal = observation.views["corner"].rgb
    generator = torch.Generator().manual_seed(0)
    act_s = median_s(lambda: model.eval().act(observation, goal, generator), repeats)
    count, horizon = model.config.batch_size, model.config.horizon
    one = model.batch_from(observation, goal)
    batch = PolicyBatch(
        images=one.images.repeat(count, 1, 1, 1, 1),
        proprio=one.proprio.repeat(count, 1),
        hands=None if one.hands is None else one.hands.repeat(count, 1),
        actions=2 * torch.rand(count, horizon, 4) - 1,
        valid=torch.ones(count, horizon, dtype=torch.bool),
    )

    def loss() -> torch.Tensor:
        return model.loss("policy", batch, generator)["action"].mean()

    return {
        "parameters_M": sum(p.numel() for p in model.parameters()) / 1e6,
        "edge_px": edge,
        "act_s": act_s,
        "actions": horizon,
        "training_steps_per_s": 1 / training_step_s(model, loss, stage.training, 3),
        "training_batch": count,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--recipes", default="quickstart,spatial-policy-paper")
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--out", type=Path, default=Path("runs/bench-act"))
    options = parser.parse_args()
    os.environ.setdefault("MUJOCO_GL", "egl")
    found: dict[str, Any] = {
        "hardware": hardware(),
        "versions": versions(),
        "threads": torch.get_num_threads(),
    }
    print(f"{found['hardware']['cpu']}, {torch.get_num_threads()} threads")
    for recipe in names(options.recipes):
        mine = found[recipe] = acting(recipe, options.repeats)
        print(
            f"{recipe:24s} {mine['edge_px']} px, {mine['parameters_M']:.1f} M weights: "
            f"{1000 * mine['act_s']:.0f} ms a chunk of {mine['actions']}, "
            f"{mine['training_steps_per_s']:.2f} steps/s in training of {mine['training_batch']}"
        )
    write_atomic(options.out / "act.json", json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
