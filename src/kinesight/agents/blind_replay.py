"""Blindness baseline: the time-wise mean of a task's demonstrated actions, played without looking.

What it solves needs neither eyes nor plans, so a claim that seeing, planning or imagining helps is a claim
to beat it (the layout and the shifted start differ from case to case, its actions do not).
"""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float

from kinesight.data.episodes import EpisodeStore
from kinesight.types.case import Case
from kinesight.types.decision import Decision
from kinesight.types.errors import DataError, lookup
from kinesight.types.observation import Observation, ViewRequest

Actions = Float[np.ndarray, "h a"]


class BlindReplay:
    """Replays one action sequence a task; after its end the last action is repeated."""

    def __init__(self, actions: Mapping[str, Actions]) -> None:
        self._actions = dict(actions)
        self._current: Actions | None = None
        self._step = 0

    @property
    def privileged(self) -> tuple[str, ...]:
        return ()

    def reset(self, case: Case) -> None:
        self._current = lookup("task with demonstrations", case.task, self._actions)
        self._step = 0

    def request(self) -> ViewRequest:
        """No camera at all."""
        return ViewRequest()

    def act(self, observation: Observation) -> Decision:
        assert self._current is not None, "reset comes before act"
        action = self._current[min(self._step, len(self._current) - 1)]
        self._step += 1
        return Decision(action)


def blind_replay(store: EpisodeStore) -> BlindReplay:
    """The baseline of a data set: the demonstrations of a task, whatever their seeds, cameras and starts."""
    actions: dict[str, list[Actions]] = {}
    for index in range(len(store)):
        episode = store.meta(index)
        taken = store.window(index, 0, episode.length, ("action",))["action"]
        actions.setdefault(episode.case.task, []).append(taken)
    if not actions:
        raise DataError(f"{store.path}: no demonstrations to replay")
    return BlindReplay({task: mean_actions(demonstrations) for task, demonstrations in actions.items()})


def mean_actions(demonstrations: Sequence[Float[np.ndarray, "_ a"]]) -> Actions:
    """Mean at each time over those that still run; as long as the longest."""
    if not demonstrations or min(len(actions) for actions in demonstrations) == 0:
        raise DataError("a mean of demonstrations needs one demonstration at least and no empty one")
    longest = max(len(actions) for actions in demonstrations)
    total = np.zeros((longest, demonstrations[0].shape[1]))
    running = np.zeros((longest, 1))
    for actions in demonstrations:
        total[: len(actions)] += actions
        running[: len(actions)] += 1
    return (total / running).astype(np.float32)
