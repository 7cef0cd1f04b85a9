"""`kinesight calibrate`"""

from pathlib import Path
from typing import Annotated

import tyro

from kinesight.cli.arguments import place, shown


def calibrate(
    results: Annotated[tyro.conf.Positional[tuple[Path, ...]], place("DIR DIR …")],
    fit_seeds: Annotated[str, shown("0-9", "fit nothing")] = "",
    out: Annotated[Path | None, shown("DIR", "the first DIR")] = None,
) -> None:
    """Show whether the judge's score foretells success; write calibration.json and calibration.png.

    Args:
        results: folders with results.json of an agent that has a judge
        fit_seeds: fit the weights on these seeds and calibrate on the others
        out: folder of the two files
    """
    from kinesight.cli import arguments
    from kinesight.cli.console import CONSOLE, path, say
    from kinesight.evaluation import calibration as measure
    from kinesight.evaluation.calibration_report import to_table, write_calibration
    from kinesight.evaluation.results import read_results

    if not results:
        from kinesight.types.errors import UsageError

        raise UsageError("a calibration needs one folder with results.json at least")
    read = [read_results(folder) for folder in results]
    episodes = measure.judged_episodes(read)
    notes = measure.left_out(sum(len(each.episodes) for each in read), len(episodes))
    fit = None
    if fit_seeds:
        to_fit, episodes = measure.split(episodes, arguments.seeds(fit_seeds))
        fit = measure.fit_weights(to_fit)
    made = [measure.calibrate("weights as they were", episodes)]
    notes = (*notes, *measure.too_few(episodes))
    if fit is not None:
        scored = measure.rescored(episodes, fit)
        notes = (*notes, *measure.left_out(len(episodes), len(scored)))
        made.append(measure.calibrate("fitted weights", scored))
    for calibration in made:
        CONSOLE.print(to_table(calibration))
    if fit is not None:
        shares = " ".join(f"agent.critic.weights.{name}={share:.3f}" for name, share in fit.weights.items())
        say(f"fitted on {fit.episodes} episodes with {fit.failures} failures:")
        say(f"--set {shares} agent.critic.threshold={fit.threshold:.3f}")
    for note in notes:
        say(f"[yellow]![/yellow] {note}")
    for file in write_calibration(out or results[0], made, fit, notes):
        say(path(file))
