"""The judge as a whole: a real clip scores higher than what is wrong with it."""

from dataclasses import replace

import judge_scene as scene
import numpy as np
import pytest
import torch

from kinesight.critics.video_judge import TERMS, VideoJudgeConfig
from kinesight.interfaces.stages import Critic
from kinesight.models.realism import RealismConfig
from kinesight.types.action import ActionSpec
from kinesight.types.errors import UsageError
from kinesight.types.facts import DataFacts
from kinesight.types.observation import View
from kinesight.types.serial import from_json, to_json

JUDGE = VideoJudgeConfig().build()
REAL = scene.film(scene.way())[1:]
WRONG = {
    "shuffled in time": scene.video(REAL[[4, 1, 6, 0, 3, 5, 2]]),
    "reversed in time": scene.video(REAL[::-1]),
    "arm erased": scene.video(scene.film(scene.way(), arm=False)[1:]),
    "object erased": scene.video(scene.film(scene.way(), block=False)[1:]),
    "opposite plan": scene.video(plan=scene.opposite(scene.PLAN)),
    "nothing moves": scene.video(np.repeat(scene.draw(scene.START)[None], 7, axis=0)),
    "opposite way": scene.video(scene.film(scene.START + (scene.START - scene.way()) * 0.5)[1:]),
}


@pytest.mark.parametrize("kind", WRONG)
def test_the_real_clip_scores_higher(kind: str) -> None:
    real, wrong = (JUDGE.judge(video, scene.observation()) for video in (scene.video(), WRONG[kind]))
    assert real.ok
    assert wrong.score < real.score - 0.05
    assert 0 <= wrong.score <= 1


def test_every_wrong_clip_is_told_by_the_term_for_it() -> None:
    real = JUDGE.judge(scene.video(), scene.observation()).terms
    for kind, term in {
        "shuffled in time": "arm",
        "arm erased": "arm",
        "object erased": "objects",
        "opposite plan": "plan",
        "nothing moves": "plan",
    }.items():
        assert JUDGE.judge(WRONG[kind], scene.observation()).terms[term] < 0.75 * real[term], kind


@pytest.mark.parametrize("seed", range(4))
def test_terms_and_score_stay_in_bounds_whatever_is_shown(seed: int) -> None:
    random = np.random.default_rng(seed)
    frames = random.integers(0, 256, (5, scene.SIZE, scene.SIZE, 3), np.uint8)
    verdict = JUDGE.judge(scene.video(frames), scene.observation())
    assert set(verdict.terms) <= set(TERMS)
    assert all(0 <= value <= 1 for value in (verdict.score, *verdict.terms.values()))


def test_the_verdict_is_the_weighted_mean_with_its_reason() -> None:
    config = VideoJudgeConfig(
        weights={"objects": 1.0, "arm": 0.0, "plan": 3.0, "realism": 5.0}, threshold=0.99
    )
    verdict = config.build().judge(scene.video(), scene.observation())
    assert isinstance(JUDGE, Critic)
    terms = verdict.terms
    assert list(terms) == ["objects", "arm", "plan"], "no discriminator, no realism"
    assert verdict.score == pytest.approx((terms["objects"] + 3 * terms["plan"]) / 4)
    assert not verdict.ok
    assert verdict.reason.startswith(f"score {verdict.score:.2f}, below 0.99: objects ")
    assert replace(config, threshold=0.0).build().judge(scene.video(), scene.observation()).ok


def test_a_judgement_depends_on_nothing_but_its_input() -> None:
    first, again = (JUDGE.judge(scene.video(), scene.observation()) for _ in range(2))
    assert first == again


def test_a_little_blur_and_noise_change_little() -> None:
    noisy = REAL + np.random.default_rng(0).normal(0, 4, REAL.shape)
    soft = scene.video(np.clip(noisy, 0, 255).astype(np.uint8))
    real, imagined = (JUDGE.judge(video, scene.observation()).score for video in (scene.video(), soft))
    assert imagined == pytest.approx(real, abs=0.1)


def test_what_cannot_be_measured_is_left_out() -> None:
    unplanned = JUDGE.judge(scene.video(plan=None), scene.observation())
    assert set(unplanned.terms) == {"objects", "arm"}
    away = scene.observation(np.array([2.0, 0.0]), first=scene.draw(scene.START))
    blind = JUDGE.judge(scene.video(), away)
    assert (blind.ok, blind.score, blind.terms) == (True, None, {}), "neither good nor bad"
    assert blind.reason == "nothing could be measured"


def test_realism_joins_where_there_is_a_discriminator() -> None:
    facts = DataFacts(
        env="toy",
        tasks=("push",),
        cameras=("front",),
        calibration={"push/front": scene.CAMERA},
        crop=False,
        action=ActionSpec(("x",), ("m",), (1.0,)),
        proprio_low=(0.0,) * 8,
        proprio_high=(1.0,) * 8,
        words=(),
    )
    torch.manual_seed(0)
    model = RealismConfig(size=16, width=4).build(facts).eval()
    config = VideoJudgeConfig(realism="realism")
    verdict = config.build(model).judge(scene.video(), scene.observation())
    assert tuple(verdict.terms) == TERMS
    assert verdict.terms["realism"] == model.score(scene.video())
    with pytest.raises(UsageError, match="stage is 'realism', and the discriminator given is NoneType"):
        config.build()
    with pytest.raises(UsageError, match="stage is '', and the discriminator given is Realism"):
        VideoJudgeConfig().build(model)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"weights": {"objects": 1.0}}, "weights must be given for objects, arm, plan, realism"),
        ({"weights": dict.fromkeys(TERMS, 0.0)}, "none negative"),
        ({"weights": {**dict.fromkeys(TERMS, 1.0), "arm": -1.0}}, "none negative"),
        ({"threshold": 1.5}, "threshold in"),
        ({"hand_m": 0.0}, "hand_m > 0"),
    ],
)
def test_impossible_settings_are_refused(change: dict, complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint):
        VideoJudgeConfig(**change)


def test_settings_survive_json() -> None:
    config = VideoJudgeConfig(realism="realism", threshold=0.3)
    assert from_json(VideoJudgeConfig, to_json(config)) == config


def test_other_pictures_than_the_cameras_are_refused() -> None:
    view = scene.observation().views["front"]
    two = replace(scene.observation(), views={"front": view, "side": view})
    with pytest.raises(UsageError, match=r"one view .* got \['front', 'side'\]"):
        JUDGE.judge(scene.video(), two)
    small = replace(scene.CAMERA, height=48)
    other = replace(scene.observation(), views={"front": View(small)})
    with pytest.raises(UsageError, match=r"video of \(96, 96\) pixels, camera of \(48, 96\)"):
        JUDGE.judge(scene.video(), other)
