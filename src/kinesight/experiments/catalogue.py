"""Every recipe by name."""

from collections.abc import Callable

from kinesight.experiments import (
    judged,
    spatial_policy,
    spatial_policy_ablations,
    spatial_policy_recipes,
    spatial_policy_tabletop,
    ssm_vla_ablations,
    ssm_vla_recipes,
)
from kinesight.experiments.ablations import Ablation
from kinesight.experiments.recipe import Recipe
from kinesight.types.errors import lookup

RECIPES: dict[str, Recipe] = {
    recipe.name: recipe
    for recipe in (
        spatial_policy.QUICKSTART,
        spatial_policy.TINY,
        judged.QUICKSTART,
        judged.TINY,
        *spatial_policy_recipes.RECIPES,
        *spatial_policy_tabletop.RECIPES,
        *ssm_vla_recipes.RECIPES,
    )
}


def names() -> tuple[str, ...]:
    return tuple(RECIPES)


def recipe(name: str) -> Recipe:
    """The recipe, or `UnknownName` with the nearest name and the list."""
    return lookup("recipe", name, RECIPES)


ABLATIONS: dict[str, Callable[[str], tuple[Ablation, ...]]] = {
    "spatial-policy": spatial_policy_ablations.ablations,
    "ssm-vla": ssm_vla_ablations.ablations,
}
"""Method -> its tables at a budget."""


def ablations(system: str, budget: str) -> tuple[Ablation, ...]:
    """The tables, or `UnknownName` with the methods or budgets that exist."""
    return lookup("method with ablations", system, ABLATIONS)(budget)
