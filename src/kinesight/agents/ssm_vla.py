"""The closed loop of SSM-VLA: look back, imagine, plan in codes and act in one call, then do it again.

Every few steps the model is asked once; so many actions of its chunk are executed. Now and then a prediction
is kept until its key frames have come. Then a comparison goes to the report: what happened, the imagined next
frame, what the true codes say, what the predicted codes say, and the difference of the two (Fig. 6).
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Int

from kinesight.agents.spatial_policy import Clock, case_generator
from kinesight.geometry.overlay import shaded
from kinesight.interfaces.stages import Foresight, Predictor
from kinesight.types.arrays import Depth, Image, Video
from kinesight.types.case import Case
from kinesight.types.decision import Comparison, Decision, Event
from kinesight.types.errors import UsageError
from kinesight.types.observation import Observation, ViewRequest
from kinesight.types.prediction import Prediction
from kinesight.types.video import moving_error, moving_pixels


@dataclass(frozen=True, slots=True)
class SsmVlaAgentConfig:
    """Settings of the loop; the model has its own."""

    execute: int = 4
    """Actions of a chunk that are executed before the model is asked again."""
    compare_every: int = 40
    """Steps, at least, between two comparisons for the report; 0 makes none."""
    noise_seed: int = 0
    """Another one gives other draws of the actions in the same cases."""

    def __post_init__(self) -> None:
        if self.execute < 1 or min(self.compare_every, self.noise_seed) < 0:
            raise UsageError(
                f"execute must be at least 1, compare_every and noise_seed at least 0, got {self}"
            )


@dataclass(frozen=True, slots=True)
class _Foreseen:
    """A prediction that is waiting for what will really happen."""

    observation: Observation
    prediction: Prediction


class SsmVlaAgent:
    """An `Agent` made of a joint model and, to show what its latent plan means, a LAM."""

    def __init__(
        self, config: SsmVlaAgentConfig, model: Predictor, foresight: Foresight | None = None
    ) -> None:
        if config.execute > model.horizon:
            raise UsageError(
                f"execute is {config.execute}, but the model predicts {model.horizon} actions at once"
            )
        self.config = config
        self.model = model
        self.foresight = foresight
        shown = foresight.steps if foresight else ()
        self._shown = tuple(sorted({*shown, *((model.ahead,) if model.ahead else ())}))

    @property
    def privileged(self) -> tuple[str, ...]:
        return self.model.request.privileged

    def reset(self, case: Case) -> None:
        self._case = case
        self._generator = case_generator(case, self.config.noise_seed)
        self._chunk: deque[Float[np.ndarray, "a"]] = deque()
        self._seen: dict[int, Observation] = {}
        self._step = 0
        self._foreseen: _Foreseen | None = None
        self._compared = -self.config.compare_every
        self._codes: Int[np.ndarray, "k n"] | None = None

    def request(self) -> ViewRequest:
        """Nothing at steps that no decision will look back at and no comparison waits for."""
        execute, waiting = self.config.execute, self._waiting()
        used = any((self._step - back) % execute == 0 for back in self.model.offsets)
        if not used and self._step not in waiting:
            return ViewRequest()
        view = self.model.view(self._case.camera)
        return replace(view, depth=self._depth_wanted())

    def act(self, observation: Observation) -> Decision:
        clock, events = Clock(), []
        if observation.views:
            self._seen[self._step] = observation
        if self._foreseen is not None and self._step == self._waiting()[-1]:
            with clock.stage("compare"):
                events.append(self._compare(self._foreseen))
            self._foreseen = None
        if not self._chunk:
            with clock.stage("act"):
                prediction = self._predict()
            self._chunk.extend(prediction.chunk.actions[: self.config.execute])
            if self._due():
                self._foreseen, self._compared = _Foreseen(observation, prediction), self._step
        self._forget()
        self._step += 1
        return Decision(self._chunk.popleft(), tuple(events), clock.seconds)

    def _predict(self) -> Prediction:
        """The first frame stands in for those before it, as in training."""
        wanted = [self._step + back for back in self.model.offsets]
        history = [self._seen[max(step, 0)] for step in wanted]
        return self.model.predict(history, [step >= 0 for step in wanted], self._generator)

    def _due(self) -> bool:
        """Whether a prediction that is made now will be compared."""
        every = self.config.compare_every
        free = self._foreseen is None or self._step == self._waiting()[-1]
        decides = self._step % self.config.execute == 0
        return bool(every and self._shown and free and decides and self._step >= self._compared + every)

    def _depth_wanted(self) -> bool:
        """To draw what codes mean, and to see whether foretold depth came true."""
        known = self.model.draws_depth or (self.foresight is not None and self.foresight.depth)
        came = self._foreseen is not None and self._step == self._compared + self.model.ahead
        return (self._due() and known) or (came and self.model.draws_depth)

    def _waiting(self) -> tuple[int, ...]:
        """Steps that the open comparison wants to see."""
        if self._foreseen is None:
            return ()
        return tuple(self._compared + step for step in self._shown)

    def _forget(self) -> None:
        """What neither a later decision nor the open comparison can ask for."""
        oldest = self._step + 1 + self.model.offsets[0]
        if self._foreseen is not None:
            oldest = min(oldest, self._compared)
        # Frame 0 stands in for those before it as long as there are any.
        self._seen = {step: seen for step, seen in self._seen.items() if step >= max(oldest, 0)}

    def _compare(self, foreseen: _Foreseen) -> Event:
        """What was predicted, beside what came."""
        begun, prediction = self._compared, foreseen.prediction
        clip = np.stack([self._picture(begun + step) for step in (0, *self._shown)])
        rows: dict[str, Video] = {"real": clip}
        values: dict[str, float] = {}
        told = [f"predicted at step {begun}"]
        if prediction.video is not None:
            values |= self._compare_frame(prediction.video.frames[0], rows, told)
            if prediction.depth_m is not None:
                values |= self._compare_depth(prediction.depth_m, rows)
        if prediction.latents is not None and self.foresight is not None:
            values |= self._compare_codes(self.foresight, prediction.latents, rows, told)
        steps = (begun, *(begun + step for step in self._shown))
        compared = Comparison(steps, rows)
        return Event(self._step, "foresight", ", ".join(told), values=values, comparison=compared)

    def _compare_frame(self, imagined: Image, rows: dict[str, Video], told: list[str]) -> dict[str, float]:
        now, ahead = self._picture(self._compared), self.model.ahead
        rows["imagined"] = np.stack([*[now] * self._before, imagined])
        real = self._picture(self._compared + ahead)
        values = _errors(now, real, {"present": now, "imagined": imagined}, ahead)
        if values:
            still, off = values.values()
            told.append(f"next frame off by {off:.3f} where things move, the present one by {still:.3f}")
        return values

    def _compare_depth(self, foretold_m: Depth, rows: dict[str, Video]) -> dict[str, float]:
        """Mean distance to the depth that came [m]; nothing without a sensor."""
        ahead = self.model.ahead
        now_m, came_m = (self._depth_m(self._compared + step) for step in (0, ahead))
        if now_m is None or came_m is None:
            return {}
        valid = (now_m > 0) & (came_m > 0)
        if not valid.any():
            return {}
        near, far = float(came_m[valid].min()), float(came_m[valid].max())
        for caption, depth_m in (("real depth", came_m), ("imagined depth", foretold_m)):
            rows[caption] = np.stack([shaded(each, near, far) for each in (*[now_m] * self._before, depth_m)])
        named = {"depth_m": foretold_m, "depth_m present": now_m}
        return {
            f"{name}/{ahead}": float(np.abs(depth_m - came_m)[valid].mean())
            for name, depth_m in named.items()
        }

    def _compare_codes(
        self, foresight: Foresight, predicted: Int[np.ndarray, "k n"], rows: dict[str, Video], told: list[str]
    ) -> dict[str, float]:
        now, depth_m = self._picture(self._compared), self._depth_m(self._compared)
        later = [self._picture(self._compared + step) for step in foresight.steps]
        true = foresight.codes_of(np.stack([now, *later]))
        drawn = {
            name: foresight.draw(now, depth_m, codes)
            for name, codes in (("true codes", true), ("predicted codes", predicted))
        }
        for name, video in drawn.items():
            rows[name] = np.concatenate([now[None], video])
        rows["difference"] = np.concatenate([np.zeros_like(now[None]), _apart(*drawn.values())])
        values = {"codes right": float((true == predicted).mean())}
        if self._codes is not None:
            drawn["other codes"] = foresight.draw(now, depth_m, self._codes)
            values["other codes right"] = float((true == self._codes).mean())
        self._codes = true
        for k, (step, real) in enumerate(zip(foresight.steps, later, strict=True)):
            shown = {name: video[k] for name, video in drawn.items()}
            values |= _errors(now, real, {"present": now, **shown}, step)
        told.append(f"{(true == predicted).sum()} of {true.size} codes right")
        return values

    @property
    def _before(self) -> int:
        """Pictures in front of the next frame in a comparison."""
        return self._shown.index(self.model.ahead) + 1

    def _depth_m(self, step: int) -> Depth | None:
        return self._seen[step].views[self._case.camera].depth_m

    def _picture(self, step: int) -> Image:
        rgb = self._seen[step].views[self._case.camera].rgb
        assert rgb is not None, "asked for"
        return rgb


def _errors(now: Image, real: Image, shown: Mapping[str, Image], ahead: int) -> dict[str, float]:
    """How far each is from what came, where something moves; nothing where nothing does."""
    moving = moving_pixels(real[None], now)
    if not moving.any():
        return {}
    return {f"{name}/{ahead}": moving_error(image[None], real[None], moving) for name, image in shown.items()}


def _apart(a: Video, b: Video) -> Video:
    return np.abs(a.astype(np.int16) - b).astype(np.uint8)
