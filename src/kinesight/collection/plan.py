"""Which task and seed is attempted next, as a function of the outcomes so far."""

from collections.abc import Sequence, Set

from kinesight.types.errors import DataError

Attempt = tuple[str, int]
PATIENCE = 4
"""Attempts for each wanted episode, and twenty more, after which a task counts as beyond the expert."""


class AttemptPlan:
    """Waves of attempts: as many new seeds of each task as it lacks episodes, one of each task in turn."""

    def __init__(self, tasks: Sequence[str], episodes: int, first_seed: int) -> None:
        self._episodes = episodes
        self._next_seed = dict.fromkeys(tasks, first_seed)
        self._successes = dict.fromkeys(tasks, 0)
        self.failed: dict[str, list[int]] = {task: [] for task in tasks}

    @property
    def failures(self) -> int:
        return sum(map(len, self.failed.values()))

    def next_wave(self) -> list[Attempt]:
        """Empty when every task has its episodes; all earlier attempts must have been noted."""
        lacking = {task: self._episodes - done for task, done in self._successes.items()}
        for task, lack in lacking.items():
            tried = self._successes[task] + len(self.failed[task])
            if lack and tried >= PATIENCE * self._episodes + 20:
                raise DataError(
                    f"The expert succeeded at {self._successes[task]} of {tried} seeds of {task!r}; "
                    f"{self._episodes} episodes are wanted. Leave the task out or raise the step limit."
                )
        wave = [
            (task, self._next_seed[task] + turn)
            for turn in range(max(lacking.values()))
            for task, lack in lacking.items()
            if turn < lack
        ]
        for task, lack in lacking.items():
            self._next_seed[task] += lack
        return wave

    def note(self, task: str, seed: int, success: bool) -> None:
        if success:
            self._successes[task] += 1
        else:
            self.failed[task].append(seed)

    @staticmethod
    def resolved(wave: Sequence[Attempt], stored: Set[Attempt]) -> int:
        """How many attempts of the wave have a known outcome, given what is stored.

        Seeds rise from wave to wave: a stored seed beyond the wave's says that the wave is over.
        """
        last_seed = dict(wave)
        if any(seed > last_seed[task] for task, seed in stored if task in last_seed):
            return len(wave)
        return max((i + 1 for i, attempt in enumerate(wave) if attempt in stored), default=0)
