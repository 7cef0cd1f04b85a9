"""SSM-VLA's own ablations (its Table II), and what watching video without actions is worth.

Every cell but the controls of time differs from the base in one thing, and is measured twice: on single tasks
and on drawer chains.
Budget `small` is for two cores: a quarter of an hour of training a cell; stages that cells share are trained
once.
"""

from collections.abc import Callable
from dataclasses import replace

from kinesight.experiments.ablations import Ablation, Cell
from kinesight.experiments.recipe import EvaluationConfig, Recipe
from kinesight.experiments.ssm_vla import FEATURES, LAM, POLICY
from kinesight.experiments.ssm_vla_recipes import (
    ALL,
    FULL,
    SMALL,
    TINY,
    with_horizons,
    with_labels,
    with_lam,
    with_policy,
    without_depth,
)
from kinesight.types.errors import lookup

SHORT_STEPS = {FEATURES: 500, LAM: 800, POLICY: 600}
SHORT = replace(
    SMALL,
    stages=tuple(
        replace(stage, training=replace(stage.training, steps=SHORT_STEPS[stage.name]))
        for stage in SMALL.stages
    ),
    evaluation=EvaluationConfig(tasks=("door-open", "button-press-topdown", "faucet-open", "drawer-open")),
    data_name=SMALL.name,
)
"""`SMALL` with two thirds of its steps; with fewer the LAM's codes would say next to nothing."""
LONGER = 3
"""So many times the policy's steps take about as long as watching and acting together do at the small budget,
with features, LAM and codes."""
LONGER_POLICY = 2.5
"""So many times the steps of a policy without latent plan take about as long as LAM and full policy."""
BUDGETS: dict[str, Recipe] = {"tiny": TINY, "small": SHORT, "paper": FULL}
LABELS: dict[str, tuple[int, ...]] = {"tiny": (1, 2), "small": (5, 25), "paper": (5, 25)}
"""Demonstrations of a task that have actions."""


def ablations(budget: str) -> tuple[Ablation, ...]:
    """Every table at this budget; an unknown one is answered with the list."""
    base = lookup("budget", budget, BUDGETS)
    few, many = (_pretraining(base, count) for count in LABELS[budget])
    return (_structure(base), _longer(base), _chains(base), few, many)


def _structure(base: Recipe) -> Ablation:
    note = (
        "One key frame: that 4 steps ahead, so a third of the codes; the loss of the latent plan, a sum over "
        "codes, has a third of its size. The last four rows are not in the paper: two take away the visual "
        "chain of thought too, one shows the LAM features themselves in place of their differences to the "
        "present frame's, one gives the policy the time that the LAM takes at the small budget."
    )
    cells = (
        *_parts(base),
        Cell("LAM of features themselves", _cell(base, with_lam, differences=False)),
        _longer_cell(Cell("without LAM", _cell(base, with_policy, frames=0))),
    )
    return Ablation("structure", "What the parts are worth (Table II)", note, cells)


def _longer(base: Recipe) -> Ablation:
    """Whether a part helps to learn something, or to learn it sooner."""
    chosen = ("full model", "without LAM", "without next frame", "neither LAM nor next frame")
    cells = tuple(_longer_cell(cell) for cell in _parts(base) if cell.name in chosen)
    note = "The same features and latent actions; policies make more steps. What is left of the differences?"
    return Ablation("longer", f"What the parts are worth after {LONGER_POLICY} times the steps", note, cells)


def _longer_cell(cell: Cell) -> Cell:
    steps = round(LONGER_POLICY * cell.recipe.stage(POLICY).training.steps)
    recipe = _with_policy_steps(cell.recipe, steps)
    return replace(cell, name=f"{cell.name}, {LONGER_POLICY} times the steps", recipe=recipe)


def _chains(base: Recipe) -> Ablation:
    """The same trained models."""
    cases = EvaluationConfig(tasks=("drawer",), seeds=base.evaluation.seeds, env="metaworld-chains")
    cells = tuple(replace(cell, recipe=replace(cell.recipe, evaluation=cases)) for cell in _parts(base))
    note = "Open and close the drawer in turn, five times; success is all five in a row."
    return Ablation("chains", "What the parts are worth in chains of drawers", note, cells)


def _parts(base: Recipe) -> tuple[Cell, ...]:
    return (
        Cell("full model", base),
        Cell("LAM, one key frame", _cell(base, with_horizons, frames=1)),
        Cell("without LAM", _cell(base, with_policy, frames=0)),
        Cell("causal attention", _cell(base, with_policy, attention="causal")),
        Cell("without depth", _cell(base, without_depth)),
        Cell("without next frame", _cell(base, with_policy, imagine=False)),
        Cell("neither LAM nor next frame", _cell(base, with_policy, frames=0, imagine=False)),
    )


def _pretraining(base: Recipe, count: int) -> Ablation:
    """At the small budget the second cell has about the time of the first, with features, LAM and codes."""
    alone = _cell(base, with_labels, episodes=count, watched=None)
    steps = base.stage(POLICY).training.steps
    cells = (
        Cell(f"all watched, {count} labelled", _cell(base, with_labels, episodes=count, watched=ALL)),
        Cell(f"{count} labelled, {LONGER} times the steps", _with_policy_steps(alone, LONGER * steps)),
        Cell(f"{count} labelled", alone),
        Cell(f"the {count} labelled watched first", _cell(base, with_labels, episodes=count, watched=count)),
    )
    note = (
        f"All {base.data.episodes} episodes of a task may be watched, the first {count} have actions, the "
        "same ones in every row. Watching: features and LAM, then frames and latent plans in half of the "
        f"policy's {steps} steps, all without actions. With actions every row makes {steps} steps, the "
        f"second {LONGER * steps}: at the small budget the time of the first row. The last row watches its "
        "labelled episodes and no others: it differs from the first in the video without actions."
    )
    return Ablation(f"pretraining-{count}", f"Video without actions, {count} labelled", note, cells)


def _with_policy_steps(base: Recipe, steps: int) -> Recipe:
    stages = tuple(
        replace(stage, training=replace(stage.training, steps=steps)) if stage.name == POLICY else stage
        for stage in base.stages
    )
    return replace(base, stages=stages)


def _cell(base: Recipe, change: Callable[..., Recipe], **settings: object) -> Recipe:
    return change(base, base.name, base.summary, **settings)
