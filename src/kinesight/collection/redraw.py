"""A recorded episode drawn again, as a case of another split shows it.

Its executed actions are played once more. What a split changes must be looks alone: a frame that is not where
it was recorded is an error. Episodes that did not begin at their case's own start cannot be played again.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from kinesight.data.episodes import Episode
from kinesight.envs import catalogue
from kinesight.interfaces.environment import Environment
from kinesight.types.case import Case
from kinesight.types.errors import DataError, UsageError
from kinesight.types.observation import Observation, ViewRequest


def redrawn(
    episode: Episode,
    request: ViewRequest,
    split: str,
    make_environment: Callable[[Case, int], Environment] = catalogue.make_case,
) -> Iterator[Observation]:
    """Every frame of the episode, with the pictures of `request` in the look of `split`."""
    if "recovery" in episode.text or ("chain" in episode.text and episode.case.variation):
        raise UsageError(f"{episode.case} did not begin at its own start and cannot be played again.")
    proprio, executed = episode.arrays["proprio"], episode.arrays["executed"]
    environment = make_environment(replace(episode.case, split=split), episode.length + 1)
    environment.reset()
    for step in range(episode.length + 1):
        observation = environment.observe(request)
        if not np.allclose(observation.proprio, proprio[step], atol=1e-5):
            raise DataError(f"{episode.case}: split {split!r} changes more than looks, or the software has.")
        yield observation
        if step < episode.length:
            environment.step(executed[step])
