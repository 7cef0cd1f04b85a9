"""SSM-VLA's own ablations (its Table II), and what watching video without actions is worth.

Every cell differs from the base in one thing and is measured twice: on single tasks and on drawer chains.
Budget `small` is for two cores: a quarter of an hour of training a cell; stages that cells share are trained
once.
"""

from collections.abc import Callable
from dataclasses import replace

from kinesight.experiments.ablations import Ablation, Cell
from kinesight.experiments.recipe import EvaluationConfig, Recipe
from kinesight.experiments.ssm_vla import FEATURES, LAM, POLICY
from kinesight.experiments.ssm_vla_recipes import (
    FULL,
    SMALL,
    TINY,
    with_horizons,
    with_labels,
    with_policy,
    without_depth,
)
from kinesight.types.errors import lookup

SHORT_STEPS = {FEATURES: 500, LAM: 400, POLICY: 600}
SHORT = replace(
    SMALL,
    stages=tuple(
        replace(stage, training=replace(stage.training, steps=SHORT_STEPS[stage.name]))
        for stage in SMALL.stages
    ),
    evaluation=EvaluationConfig(tasks=("door-open", "button-press-topdown", "faucet-open", "drawer-open")),
    data_name=SMALL.name,
)
"""`SMALL` at about half of its work."""
BUDGETS: dict[str, Recipe] = {"tiny": TINY, "small": SHORT, "paper": FULL}
LABELS: dict[str, tuple[int, ...]] = {"tiny": (1, 2), "small": (5, 25), "paper": (5, 25)}
"""Demonstrations of a task that have actions."""


def ablations(budget: str) -> tuple[Ablation, ...]:
    """Every table at this budget; an unknown one is answered with the list."""
    base = lookup("budget", budget, BUDGETS)
    return (_structure(base), _chains(base), _pretraining(base, LABELS[budget]))


def _structure(base: Recipe) -> Ablation:
    note = "The last two rows are not in the paper: they take away the visual chain of thought too."
    return Ablation("structure", "What the parts are worth (Table II)", note, _parts(base))


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


def _pretraining(base: Recipe, labels: tuple[int, ...]) -> Ablation:
    cells = tuple(
        Cell(
            f"{count} labelled" + (", video watched first" if pretrained else ""),
            _cell(base, with_labels, episodes=count, pretrained=pretrained),
        )
        for count in labels
        for pretrained in (False, True)
    )
    note = (
        f"All {base.data.episodes} episodes of a task may be watched; so many have actions. Watching: frames "
        "and latent plans of all tasks, without actions, in half of the policy's steps; the LAM, taught by "
        "the same video, comes on top."
    )
    return Ablation("pretraining", "Video without actions", note, cells)


def _cell(base: Recipe, change: Callable[..., Recipe], **settings: object) -> Recipe:
    return change(base, base.name, base.summary, **settings)
