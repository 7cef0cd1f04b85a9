"""AVDC as rows of a results table: a run's imaginer, or the expert's frames, followed by optical flow."""

from dataclasses import replace
from pathlib import Path

from kinesight.agents.avdc import AvdcAgent
from kinesight.agents.recorded_futures import RecordedFutures
from kinesight.data.episodes import EpisodeStore
from kinesight.experiments.planners import make_points
from kinesight.experiments.recipe import loop_settings
from kinesight.experiments.runs import Run
from kinesight.experiments.spatial_policy import IMAGINER, load_imaginer
from kinesight.interfaces.stages import Imaginer
from kinesight.models.video_diffusion import VideoDiffusionConfig
from kinesight.types.observation import ViewRequest


def make_avdc(run: Run, replan: bool, expert_data: Path | None = None) -> AvdcAgent:
    """AVDC on a run's imaginer, which is told no plan, but the points that it may ask for; or on oracle video
    from expert episodes."""
    config = run.recipe.evaluation.avdc
    data = run.recipe.data
    return AvdcAgent(
        config if replan else replace(config, max_replans=0),
        load_imaginer(run) if expert_data is None else _oracle(run, expert_data),
        ViewRequest(height=data.height, width=data.width, crop=data.crop),
        points=make_points(loop_settings(run.recipe)),
    )


def _oracle(run: Run, expert_data: Path) -> Imaginer:
    model = run.recipe.stage(IMAGINER).model
    assert isinstance(model, VideoDiffusionConfig), "the stage `imaginer` is a video model"
    return RecordedFutures(EpisodeStore(expert_data), "same", model.frames, model.spacing)
