"""Turns a running episode into a stored one, or into one for each of its tasks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from kinesight.data.episodes import Episode
from kinesight.data.observed import observation_arrays
from kinesight.interfaces.environment import Environment
from kinesight.types.case import Case
from kinesight.types.decision import Decision, Event
from kinesight.types.observation import Observation, StepResult, ViewRequest
from kinesight.types.results import EpisodeResult


class Recorder:
    """A subscriber that observes by itself: what is recorded does not depend on what the agent looks at.

    `action` is what an imitator should do (the decision's label where it has one), `executed` what was done.
    Where the case holds several tasks, each becomes an episode with its own case and instruction.
    """

    def __init__(self, request: ViewRequest, text: Mapping[str, Any] | None = None) -> None:
        self._request = request
        self._text = dict(text or {})

    def start(self, case: Case, environment: Environment) -> None:
        self._environment = environment
        self._parts: list[_Part] = []
        self._begin(case, 0)
        self._ended = self._handing_over = False

    def step(self, observation: Observation, decision: Decision, result: StepResult) -> None:
        if self._handing_over and result.chain is not None:  # nothing but the next task's beginning
            self._handing_over = False
            self._begin(result.chain.case, result.step)
            return
        part = self._parts[-1]
        if result.chain is not None:
            part.case = result.chain.case
            self._handing_over = result.chain.handing_over
        success = result.success or self._handing_over
        if not part.succeeded:
            part.steps += 1
            part.events += [*decision.events, *result.events]
            part.succeeded = success
        label = decision.action if decision.label is None else decision.label
        part.add(
            {
                "action": np.clip(label, -1.0, 1.0).astype(np.float32),
                "executed": np.asarray(decision.action, np.float32),
                "success": np.array(success),
            }
        )
        self._observe()

    def end(self, result: EpisodeResult) -> None:
        self._ended = True

    def episode(self) -> Episode:
        """The episode that has ended, of one task."""
        (episode,) = self.episodes()
        return episode

    def episodes(self) -> tuple[Episode, ...]:
        """Those that have ended, in their order; a task that was not acted on is none."""
        assert self._ended, "an episode is recorded when it has ended"
        parts = [part for part in self._parts if "action" in part.rows]
        return tuple(part.episode(self._text) for part in parts)

    def _begin(self, case: Case, step: int) -> None:
        self._parts.append(_Part(case, step))
        self._parts[-1].first = self._observe()

    def _observe(self) -> Observation:
        part, observation = self._parts[-1], self._environment.observe(self._request)
        part.add(observation_arrays(observation))
        for name, view in observation.views.items():
            if view.names:
                part.names.setdefault(name, {}).update({str(i): text for i, text in view.names.items()})
        return observation


@dataclass
class _Part:
    """What was recorded of one task so far."""

    case: Case
    begun: int
    """Step of the episode at its first frame."""
    first: Observation | None = None
    rows: dict[str, list[np.ndarray]] = field(default_factory=dict)
    names: dict[str, dict[str, str]] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    """Up to the success."""
    steps: int = 0
    """Up to the success."""
    succeeded: bool = False

    def add(self, rows: Mapping[str, np.ndarray]) -> None:
        for key, row in rows.items():
            self.rows.setdefault(key, []).append(row)

    def episode(self, text: Mapping[str, Any]) -> Episode:
        assert self.first is not None, "a part begins with an observation"
        told: dict[str, Any] = {
            **text,
            "steps": self.steps,
            "succeeded": self.succeeded,
            "events": [[event.step - self.begun, event.kind, event.reason] for event in self.events],
        }
        if self.names:
            told["segmentation_names"] = self.names
        return Episode(
            index=0,
            case=self.case,
            instruction=self.first.instruction,
            length=len(self.rows["action"]),
            cameras={name: view.camera for name, view in self.first.views.items()},
            keyframes=_keyframes(self.events, self.begun),
            text=told,
            arrays={key: np.stack(rows) for key, rows in self.rows.items()},
        )


def _keyframes(events: Sequence[Event], begun: int) -> tuple[int, ...]:
    """Frames at which the agent had reached a key pose, by its own account."""
    return tuple(sorted({event.step - begun for event in events if event.kind == "keypose"}))
