"""What a trained model may be used with, and what it has learned with."""

from dataclasses import replace

from kinesight.models.goal_policy import GoalPolicyConfig
from kinesight.models.latent_actions import LatentActionsConfig
from kinesight.models.video_diffusion import VideoDiffusionConfig
from kinesight.types.sampling import sampled_as, sampling_settings


def test_settings_of_sampling_are_taken_and_nothing_else() -> None:
    learned = VideoDiffusionConfig(base=48, steps=8)
    other = VideoDiffusionConfig(base=96, steps=3, guidance=2.0, mask_imagining=0.25)
    assert sampled_as(learned, other) == replace(learned, steps=3, guidance=2.0, mask_imagining=0.25)
    assert sampling_settings(other) == {"guidance": 2.0, "steps": 3, "mask_imagining": 0.25}


def test_another_model_or_one_without_sampling_changes_nothing() -> None:
    learned = VideoDiffusionConfig(steps=8)
    assert sampled_as(learned, GoalPolicyConfig(steps=3)) == learned
    assert sampling_settings(LatentActionsConfig()) == {}
