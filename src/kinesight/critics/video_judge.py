"""The embedded judge of imagined videos: what Spatial Policy asks a VLM, measured (VLMCheck in Algorithm 1).

Four terms in [0, 1], none of them privileged:

- `objects`: the area of every colour stays, but for what the arm covers (`persistence`);
- `arm`: the hand is found in every frame and moves steadily (`hand_track`);
- `plan`: the hand goes in the directions and over the distances of the plan (`plan_agreement`);
- `realism`: the video looks recorded, not imagined (`models/realism`, learned).

Their weighted mean is the score; a video is accepted from a threshold on. Weights and threshold may be fitted
to outcomes, see `evaluation/calibration.py`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from kinesight.critics.hand_track import HandTrack, steadiness, track_hand
from kinesight.critics.persistence import persistence
from kinesight.critics.plan_agreement import plan_agreement
from kinesight.models.realism import Realism
from kinesight.types.decision import Verdict
from kinesight.types.errors import UsageError
from kinesight.types.observation import Observation
from kinesight.types.video import ImaginedVideo

TERMS = ("objects", "arm", "plan", "realism")


@dataclass(frozen=True, slots=True)
class VideoJudgeConfig:
    """What a video is judged by."""

    weights: Mapping[str, float] = field(
        default_factory=lambda: {"objects": 0.2, "arm": 0.25, "plan": 0.4, "realism": 0.15}
    )
    """Share of each term; they are divided by the sum of those that could be measured."""
    threshold: float = 0.6
    """Score from which a video is accepted."""
    realism: str = ""
    """Stage of the recipe that holds the discriminator; empty for a judge without that term."""
    hand_m: float = 0.14
    """Side of the square that is taken for the hand [m]."""
    found: float = 0.6
    """Correlation from which the hand counts as found: it turns, and is lit from elsewhere."""
    slack_px: float = 1.5
    """Error of the hand's place that is forgiven [px]."""

    def __post_init__(self) -> None:
        values = self.weights.values()
        if set(self.weights) != set(TERMS) or min(values) < 0 or not sum(values):
            raise UsageError(
                f"weights must be given for {', '.join(TERMS)}, none negative, got {dict(self.weights)}"
            )
        if not (0 <= self.threshold <= 1 and 0 < self.found <= 1 and self.hand_m > 0 and self.slack_px >= 0):
            raise UsageError(
                "a video judge needs threshold in [0, 1], found in (0, 1], hand_m > 0 and slack_px >= 0, "
                f"got {self}"
            )

    def build(self, realism: Realism | None = None) -> "VideoJudge":
        return VideoJudge(self, realism)


class VideoJudge:
    """A `Critic`. It needs the observation that the video was imagined from: camera and end effector."""

    def __init__(self, config: VideoJudgeConfig, realism: Realism | None = None) -> None:
        if (realism is None) != (not config.realism):
            raise UsageError(
                f"the judge's realism stage is {config.realism!r}, and the discriminator given is "
                f"{type(realism).__name__}; name a stage and give its model, or neither"
            )
        self.config = config
        self.realism = realism

    def judge(self, video: ImaginedVideo, observation: Observation) -> Verdict:
        """The score with the terms that could be measured; with none, the video is accepted without one.

        `arm`, `objects` and `plan` need the hand inside the first frame, `plan` a plan that moves in the
        picture, `realism` a discriminator.
        """
        terms = self.terms(video, observation)
        total = sum(self.config.weights[name] for name in terms)
        if not total:
            return Verdict(True, "nothing could be measured", None, terms)
        score = sum(self.config.weights[name] * value for name, value in terms.items()) / total
        ok = score >= self.config.threshold
        listed = ", ".join(f"{name} {value:.2f}" for name, value in terms.items())
        against = "at least" if ok else "below"
        return Verdict(
            ok, f"score {score:.2f}, {against} {self.config.threshold:.2f}: {listed}", score, terms
        )

    def terms(self, video: ImaginedVideo, observation: Observation) -> dict[str, float]:
        """Every term that can be measured, in the order of `TERMS`."""
        if len(observation.views) != 1:
            raise UsageError(
                f"a video is judged in the one view it was imagined in, got {sorted(observation.views)}"
            )
        (view,) = observation.views.values()
        size = (view.camera.height, view.camera.width)
        if video.first.shape[:2] != size:
            raise UsageError(f"video of {video.first.shape[:2]} pixels, camera of {size}")
        hand = observation.proprio[:3]
        measured: dict[str, float | None] = dict.fromkeys(TERMS)
        track = track_hand(video.first, video.frames, hand, view.camera, self.config.hand_m)
        if track is not None:
            measured["objects"] = persistence(video.first, video.frames, track)
            measured["arm"] = self._arm(track)
        if track is not None and video.plan is not None:
            measured["plan"] = plan_agreement(
                video.plan, track.positions, hand, view.camera, self.config.slack_px
            )
        if self.realism is not None:
            measured["realism"] = self.realism.score(video)
        return {name: value for name, value in measured.items() if value is not None}

    def _arm(self, track: HandTrack) -> float:
        """How much of the hand is there, on average, times how steadily it moves."""
        there = (track.likeness[1:] / self.config.found).clip(0.0, 1.0).mean()
        return float(there) * steadiness(track, self.config.slack_px)
