"""Spatial Policy's own ablations (its Tables 2-5, Fig. 4 and 7, and the choices its text reports).

A budget is a base recipe: `small` has four tasks that a laptop trains on in less than 20 minutes a cell,
`paper` the eleven tasks and three cameras of the paper, with the models, training and shifted start of the
recipe `spatial-policy`. A cell differs from the base in what its name says.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from kinesight.agents.replanning import SETTINGS
from kinesight.experiments.ablations import Ablation, Cell
from kinesight.experiments.judged import REALISM, judged
from kinesight.experiments.recipe import EvaluationConfig, Recipe, Stage
from kinesight.experiments.spatial_policy import IMAGINER, POLICY, QUICKSTART
from kinesight.experiments.spatial_policy_recipes import FULL, fine_tuned, told
from kinesight.types.errors import lookup

SMALL_TASKS = ("button-press-topdown", "faucet-close", "door-open", "hammer")

SMALL = replace(
    QUICKSTART,
    name="ablation-small",
    summary="base of the small ablations",
    data=replace(QUICKSTART.data, tasks=SMALL_TASKS),
    # Successes take 80 steps in the middle and hardly ever more than 250: longer episodes cost time only.
    evaluation=EvaluationConfig(tasks=SMALL_TASKS, seeds=25, limit=250),
    training_minutes=0.0,
)

SMALL_MINUTES = 20.0
"""Of training a cell; a slower machine is told so on the page, its cells make all their steps."""

PAPER_TASKS: dict[str, tuple[str, ...]] = {
    "noise": ("basketball", "shelf-place", "hammer", "assembly"),
    "recovery": ("button-press-topdown", "hammer"),
}
"""Tables that the paper reports on some of its tasks only; all are trained on all of them."""

PAPER = replace(FULL, name="ablation-paper", summary="base of the large ablations", training_minutes=0.0)

BUDGETS: dict[str, Recipe] = {"small": SMALL, "paper": PAPER}


def ablations(budget: str) -> tuple[Ablation, ...]:
    """Every table at this budget; an unknown one is answered with the list."""
    base = lookup("budget", budget, BUDGETS)
    shared = replace(base, data_name=base.name)
    tables = tuple(table(shared) for table in TABLES)
    if budget == "small":
        return tuple(replace(table, minutes=SMALL_MINUTES) for table in tables)
    return tuple(_on_tasks(table, PAPER_TASKS) for table in tables)


def _on_tasks(table: Ablation, tasks: dict[str, tuple[str, ...]]) -> Ablation:
    """The table, measured on the tasks under its name, if there are any."""
    if table.name not in tasks:
        return table
    cells = tuple(
        replace(
            cell,
            recipe=replace(cell.recipe, evaluation=replace(cell.recipe.evaluation, tasks=tasks[table.name])),
        )
        for cell in table.cells
    )
    return replace(table, cells=cells)


def with_imaginer(base: Recipe, *stages: Stage) -> Recipe:
    """The base with other stages in place of its imaginer."""
    others = tuple(stage for stage in base.stages if stage.name != IMAGINER)
    return replace(base, stages=(*stages, *others))


def with_model(base: Recipe, stage: str, **changes: Any) -> Recipe:
    """The base with settings of one stage's model replaced."""
    stages = tuple(
        replace(each, model=replace(each.model, **changes)) if each.name == stage else each
        for each in base.stages
    )
    return replace(base, stages=stages)


def _text(base: Recipe) -> Recipe:
    return with_imaginer(base, *told(base, "text"))


def _video(base: Recipe) -> Ablation:
    cells = (
        Cell("sub-plan, path", base),
        Cell("text", _text(base)),
        Cell("distance", with_imaginer(base, *told(base, "distance"))),
        Cell("sub-plan, global", with_imaginer(base, *told(base, "plan-global"))),
        Cell("sub-plan, local", with_imaginer(base, *told(base, "plan-local"))),
        Cell("sub-plan, fine-tuned", with_imaginer(base, *fine_tuned(base))),
    )
    note = (
        "The path has more to go by than the plan's signs and distances: the places of target and goal, and "
        "the hand's own state. The table injection has a cell that is told as much and draws along no path."
    )
    return Ablation("video", "What the imaginer is told (Table 2)", note, cells)


def _action(base: Recipe) -> Ablation:
    # The controller of AVDC follows one video to the task's end, and waits for the arm to stand still before
    # it plans anew: it gets videos that reach so far, and its full time.
    text = with_model(_text(base), IMAGINER, spacing=0)
    text = replace(text, evaluation=replace(text.evaluation, limit=500))
    cells = (
        Cell("goal policy on text video", text),
        Cell("AVDC", text, "avdc"),
        Cell("AVDC-Replan", text, "avdc-replan"),
    )
    note = (
        "The same text-conditioned videos, from now to the task's end, followed by the goal policy or by "
        "optical flow."
    )
    return Ablation("action", "How videos become actions (Table 3)", note, cells)


def _injection(base: Recipe) -> Ablation:
    cells = (
        Cell("path", base),
        Cell("global, and points", with_imaginer(base, *told(base, "plan-points"))),
        Cell("global", with_imaginer(base, *told(base, "plan-global"))),
        Cell("local", with_imaginer(base, *told(base, "plan-local"))),
    )
    note = (
        "Path: drawn along a path that is foretold from plan and points. Global, and points: told the same "
        "plan and points, pooled into every layer. Global: the plan alone, pooled. Local: the plan alone, by "
        "gated cross-attention at the coarsest level."
    )
    return Ablation("injection", "Where the plan enters the imaginer (Table 4)", note, cells)


def _replanning(base: Recipe) -> Ablation:
    recipe = judged(base, REALISM)
    cells = tuple(
        Cell(name, replace(recipe, agent=replace(recipe.agent, replanning=setting)))
        for name, setting in SETTINGS.items()
    )
    note = (
        "NR: one plan, one video. GR: what the judge rejects is imagined again. GR&ER: also planned anew "
        "when the arm is stuck or the video is used up."
    )
    return Ablation("replanning", "Replanning at two stages (Table 5)", note, cells)


def _recovery(base: Recipe) -> Ablation:
    cells = (
        Cell("expert, then expert", with_imaginer(base, *fine_tuned(base, on_recovery=False))),
        Cell("expert, then recovery", with_imaginer(base, *fine_tuned(base))),
        Cell("expert, in one part", base),
    )
    note = (
        "The imaginer's last sixth of steps, with a learning rate that rises and falls again, also sees "
        "episodes that begin disturbed; or, first row, those of the expert alone."
    )
    return Ablation("recovery", "Fine-tuning on recovery data", note, cells)


def _noise(base: Recipe) -> Ablation:
    cells = tuple(
        Cell(f"noise {seed}", replace(base, agent=replace(base.agent, noise_seed=seed))) for seed in range(6)
    )
    note = "The same weights; only the draws of imaginer and policy differ."
    return Ablation("noise", "Six seeds of the sampling noise (Fig. 4)", note, cells)


UNET = {"head": "unet", "widths": (128, 256)}
"""The paper's kind of head, at a small size."""
REGRESSION = {"objective": "regression", "noise_draws": 1}
"""Without noise one draw an encoding is all there is."""


def _goal_window(base: Recipe) -> Ablation:
    cells = (
        Cell("next 1-20 steps", base),
        Cell("next 17-20 steps", with_model(base, POLICY, goal_nearest=17)),
    )
    return Ablation("goal-window", "From where training goals are drawn", "", cells)


def _prediction(base: Recipe) -> Ablation:
    cells = (
        Cell("actions (x0), MLP", base),
        Cell("noise (epsilon), MLP", with_model(base, POLICY, objective="epsilon")),
        Cell("actions (x0), U-Net", with_model(base, POLICY, **UNET)),
        Cell("noise (epsilon), U-Net", with_model(base, POLICY, objective="epsilon", **UNET)),
        Cell("MLP, no diffusion", with_model(base, POLICY, **REGRESSION)),
    )
    note = "The U-Net has levels of 128 and 256; the paper's has 512 and 1024, and foretells noise."
    return Ablation("prediction", "What the policy predicts", note, cells)


def _masking(base: Recipe) -> Ablation:
    note = (
        "Random blocks cover the picture that a video is imagined from; training is as before. The path is "
        "foretold from proprioception, target and goal, which nothing covers."
    )
    return Ablation("masking", "Covered first frames (Fig. 7)", note, _masked(base))


def _masking_global(base: Recipe) -> Ablation:
    note = "As the table masking, for an imaginer that sees in the picture alone where hand and target are."
    cells = _masked(with_imaginer(base, *told(base, "plan-global")))
    return Ablation("masking-global", "Covered first frames, plan pooled", note, cells)


def _masked(base: Recipe) -> tuple[Cell, ...]:
    return tuple(
        Cell(f"{share:.0%} covered", with_model(base, IMAGINER, mask_imagining=share)) for share in COVERED
    )


def _occlusion(base: Recipe) -> Ablation:
    cells = tuple(Cell(f"{share:.0%} occluded", _covered(base, share)) for share in COVERED)
    note = (
        "Random blocks cover every picture, for imaginer, policy and frame matching; training is as before. "
        "Proprioception, target and goal stay."
    )
    return Ablation("occlusion", "Covered pictures everywhere", note, cells)


COVERED = (0.0, 0.1, 0.25, 0.5)


def _covered(base: Recipe, share: float) -> Recipe:
    return replace(base, agent=replace(base.agent, cover=share))


def _coordinates(base: Recipe) -> Ablation:
    cells = (
        Cell("end effector", base),
        Cell("end effector and object", with_model(base, POLICY, points=("target",))),
    )
    note = "Eq. 5 has the end effector only, Algorithm 1 the object too, which is privileged here."
    return Ablation("coordinates", "Coordinates of the policy", note, cells)


TABLES: tuple[Callable[[Recipe], Ablation], ...] = (
    _video,
    _action,
    _injection,
    _replanning,
    _recovery,
    _noise,
    _goal_window,
    _prediction,
    _masking,
    _masking_global,
    _occlusion,
    _coordinates,
)
