"""Whose instruction an agent is given instead of its own, in the row "other instruction" of a table."""

import zlib
from collections.abc import Sequence
from dataclasses import replace
from functools import cache

import numpy as np

from kinesight.envs import catalogue as envs
from kinesight.types.case import Case
from kinesight.types.errors import UsageError
from kinesight.types.observation import ViewRequest
from kinesight.types.serial import to_json


def another_instruction(tasks: Sequence[str], case: Case) -> tuple[Case, str]:
    """Another one of `tasks`, drawn from the case, with its instruction.

    A task that could be asked for in the same scene goes before others: there only the words tell them apart.
    """
    others = [task for task in dict.fromkeys(tasks) if task != case.task]
    if not others:
        raise UsageError(
            f"the row 'other instruction' needs another task than {case.task!r}, whose instruction is given; "
            f"the agent knows {', '.join(tasks) or 'none'}"
        )
    near = [task for task in others if task in envs.same_scene(case.env, case.task)]
    told = replace(case, task=drawn(near or others, case))
    return told, instruction_of(told)


def either_instruction(case: Case) -> tuple[Case, str]:
    """The task itself or another one of its scene, by the toss of a coin that the case fixes."""
    others = envs.same_scene(case.env, case.task)
    if not others:
        raise UsageError(f"no task is known that shares the scene of {case.task!r} of {case.env}")
    told = replace(case, task=drawn(sorted((case.task, *others)), case))
    return told, instruction_of(told)


def drawn(tasks: Sequence[str], case: Case) -> str:
    """One of the tasks, as a function of the case."""
    generator = np.random.default_rng(zlib.crc32(to_json(case).encode()))
    return tasks[int(generator.integers(len(tasks)))]


@cache
def instruction_of(case: Case) -> str:
    environment = envs.make_case(case)
    environment.reset()
    return environment.observe(ViewRequest()).instruction
