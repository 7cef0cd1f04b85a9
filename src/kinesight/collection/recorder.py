"""Turns a running episode into a stored one."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from kinesight.data.episodes import Episode
from kinesight.data.observed import observation_arrays
from kinesight.interfaces.environment import Environment
from kinesight.types.case import Case
from kinesight.types.decision import Decision
from kinesight.types.observation import Observation, StepResult, ViewRequest
from kinesight.types.results import EpisodeResult


class Recorder:
    """A subscriber that observes by itself: what is recorded does not depend on what the agent looks at.

    `action` is what an imitator should do (the decision's label where it has one), `executed` what was done.
    """

    def __init__(self, request: ViewRequest, text: Mapping[str, Any] | None = None) -> None:
        self._request = request
        self._text = dict(text or {})

    def start(self, case: Case, environment: Environment) -> None:
        self._case = case
        self._environment = environment
        self._rows: dict[str, list[np.ndarray]] = {}
        self._names: dict[str, dict[str, str]] = {}
        self._result: EpisodeResult | None = None
        self._first = self._observe()

    def step(self, observation: Observation, decision: Decision, result: StepResult) -> None:
        label = decision.action if decision.label is None else decision.label
        self._add(
            {
                "action": np.clip(label, -1.0, 1.0).astype(np.float32),
                "executed": np.asarray(decision.action, np.float32),
                "success": np.array(result.success),
            }
        )
        self._observe()

    def end(self, result: EpisodeResult) -> None:
        self._result = result

    def episode(self) -> Episode:
        """The episode that has ended."""
        assert self._result is not None, "an episode is recorded when it has ended"
        text: dict[str, Any] = {
            **self._text,
            "steps": self._result.steps,
            "succeeded": self._result.success,
            "events": [[event.step, event.kind, event.reason] for event in self._result.events],
        }
        if self._names:
            text["segmentation_names"] = self._names
        return Episode(
            index=0,
            case=self._case,
            instruction=self._first.instruction,
            length=len(self._rows["action"]),
            cameras={name: view.camera for name, view in self._first.views.items()},
            keyframes=_keyframes(self._result),
            text=text,
            arrays={key: np.stack(rows) for key, rows in self._rows.items()},
        )

    def _observe(self) -> Observation:
        observation = self._environment.observe(self._request)
        self._add(observation_arrays(observation))
        for name, view in observation.views.items():
            if view.names:
                self._names.setdefault(name, {}).update({str(i): text for i, text in view.names.items()})
        return observation

    def _add(self, rows: Mapping[str, np.ndarray]) -> None:
        for key, row in rows.items():
            self._rows.setdefault(key, []).append(row)


def _keyframes(result: EpisodeResult) -> tuple[int, ...]:
    """Frames at which the agent had reached a key pose, by its own account."""
    return tuple(sorted({event.step for event in result.events if event.kind == "keypose"}))
