"""`kinesight list`"""


def list_everything() -> None:
    """What there is: recipes, environments with their tasks and cameras, rows of a results table."""
    from rich import box
    from rich.table import Table

    from kinesight.cli.console import CONSOLE
    from kinesight.envs import catalogue as envs
    from kinesight.experiments import catalogue as recipes
    from kinesight.experiments import pointing
    from kinesight.experiments.planners import PLANNERS
    from kinesight.experiments.rows import ROWS
    from kinesight.planning.motions import MOTIONS

    table = Table(title="Recipes (kinesight train NAME)", title_justify="left", box=box.SIMPLE_HEAD)
    table.add_column("name", style="bold", no_wrap=True)
    table.add_column("stages", max_width=17)
    table.add_column("what it is", overflow="fold")
    for recipe in recipes.RECIPES.values():
        table.add_row(recipe.name, " → ".join(stage.name for stage in recipe.stages), recipe.summary)
    for ground in pointing.RECIPES.values():
        table.add_row(ground.name, pointing.STAGE, ground.summary)
    CONSOLE.print(table)
    for name, entry in envs.ENVIRONMENTS.items():
        CONSOLE.print(f"\n[bold]{name}[/bold]: {len(entry.tasks)} tasks, cameras {', '.join(entry.cameras)}")
        for word, members in entry.task_sets.items():
            if set(members) != set(entry.tasks):
                CONSOLE.print(f"  set [bold]{word}[/bold]: {', '.join(members)}")
        if len(entry.splits) > 1:
            CONSOLE.print(f"  splits (--split): {', '.join(entry.splits)}")
        CONSOLE.print(f"  all: {', '.join(entry.tasks)}", style="dim")
    CONSOLE.print("\n[bold]geometric planner[/bold]:")
    for name, motions in MOTIONS.items():
        planned = "all tasks" if set(motions) == set(envs.ENVIRONMENTS[name].tasks) else ", ".join(motions)
        CONSOLE.print(f"  {name}: {planned}")
    CONSOLE.print(f"[bold]planners[/bold]: {', '.join(PLANNERS)}")
    CONSOLE.print(f"[bold]tables (kinesight ablate NAME)[/bold]: {', '.join(recipes.ABLATIONS)}")
    CONSOLE.print(f"[bold]rows of a results table[/bold]: {', '.join(ROWS)}")
