"""Tasks in a row on Meta-World: how far the scripted experts come, and how far one comes blind or deaf.

    python bench/chains.py --out runs/bench-chains

Per family: the scripted expert; the time-wise mean of its actions by task, played without looking; the expert
that is told the other task of the family, and the one that is told either by the toss of a coin. Writes
`chains.json` with shares, average numbers and their intervals, command, commit and hardware; finished chains
are not run again.
"""

import argparse
import json
import shlex
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from rich.console import Console

from kinesight.agents.blind_replay import blind_replay
from kinesight.agents.misled import Misled
from kinesight.collection.collect import CollectionConfig, collect
from kinesight.data.episodes import EpisodeStore
from kinesight.envs import catalogue
from kinesight.evaluation.chain_comparison import chain_table
from kinesight.evaluation.chains import chains_of
from kinesight.evaluation.provenance import hardware, versions
from kinesight.evaluation.results import write_results
from kinesight.evaluation.rollout import cases
from kinesight.evaluation.run import Subject, run_evaluation
from kinesight.experiments.evaluation import make_environment
from kinesight.experiments.instructions import another_instruction, either_instruction
from kinesight.interfaces.agent import Agent
from kinesight.types.results import EpisodeResult

ENV = "metaworld-chains"


def expert() -> Agent:
    return catalogue.ENVIRONMENTS[ENV].expert(0.0)


def blind(demonstrations: Path) -> Agent:
    return blind_replay(EpisodeStore(demonstrations))


def told_the_other() -> Agent:
    return Misled(expert(), partial(another_instruction, catalogue.tasks("metaworld")))


def told_either() -> Agent:
    return Misled(expert(), either_instruction)


def demonstrated(family: str, episodes: int, out: Path) -> Path:
    """The expert's chains of other seeds, from both starts, without pictures."""
    config = CollectionConfig(
        env=ENV, tasks=(family,), episodes=episodes, cameras=("corner",), rgb=False, height=8, width=8,
        limit=catalogue.limit(ENV),
    )  # fmt: skip
    path = out / "demonstrations" / family
    collect(config, path)
    return path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--families", default=",".join(catalogue.tasks(ENV)))
    parser.add_argument("--chains", type=int, default=20)
    parser.add_argument(
        "--demonstrations", type=int, default=10, help="chains that the blind replay averages"
    )
    parser.add_argument("--starts", default="standard,shifted")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("runs/bench-chains"))
    options = parser.parse_args()
    record, together = {}, {}
    for start in options.starts.split(","):
        for family in catalogue.task_set(ENV, options.families):
            data = demonstrated(family, options.demonstrations, options.out)
            rows: dict[str, Callable[[], Agent]] = {
                "expert": expert,
                "blind replay": partial(blind, data),
                "told the other task": told_the_other,
                "told either task": told_either,
            }
            for row, make in rows.items():
                episodes = measure(row, make, family, start, options)
                together.setdefault((start, row), []).extend(episodes)
                chains = chains_of(episodes)
                assert chains is not None, "every episode here is a chain"
                record[f"{start}/{family}/{row}"] = {
                    "chains": chains.count,
                    "in_a_row": [share.rate for share in chains.in_a_row],
                    "average": chains.average,
                    "average_95": [chains.average_95.low, chains.average_95.high],
                    "void": chains.void,
                }
                Console().print(chain_table({f"{start}, {family}: {row}": chains}))
    Console().print(chain_table({f"{start}: {row}": chains_of(of) for (start, row), of in together.items()}))
    document = {"command": command(), "versions": versions(), "hardware": hardware(), "rows": record}
    (options.out / "chains.json").write_text(json.dumps(document, indent=1) + "\n")


def command() -> str:
    return shlex.join(["python", *sys.argv])


def measure(
    row: str, make: Callable[[], Agent], family: str, start: str, options: argparse.Namespace
) -> tuple[EpisodeResult, ...]:
    asked = cases(ENV, (family,), range(options.chains), ("corner",), start)
    folder = options.out / start / family / row.replace(" ", "-")
    subject = Subject(agent=row, privileged=make().privileged)
    results = run_evaluation(
        folder,
        subject,
        make,
        partial(make_environment, catalogue.limit(ENV)),
        asked,
        options.workers,
        command=command(),
        progress=False,
    )
    write_results(folder, results)
    return results.episodes


if __name__ == "__main__":
    main()
