"""What the judge's discriminator is trained on: recorded clips beside what the imaginer makes of them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from kinesight.data.episodes import DatasetInfo, Episode, EpisodeStore
from kinesight.data.progress import ProgressLine
from kinesight.data.windows import open_windows
from kinesight.experiments.devices import training_device
from kinesight.experiments.recipe import Stage
from kinesight.experiments.runs import Run, load_stage
from kinesight.models.realism import IMAGINED, REAL, RealismConfig
from kinesight.models.video_diffusion import VideoDiffusion
from kinesight.types.case import Case
from kinesight.types.errors import DataError, UsageError

BATCH = 16
"""Clips a file, imagined at once."""


def source_stores(
    run: Run, stage: Stage, source: str, demonstrations: Sequence[EpisodeStore]
) -> tuple[EpisodeStore, ...]:
    """The data sets behind the name of a stream: demonstrations, or clips imagined from the first of them."""
    if not isinstance(stage.model, RealismConfig) or source != stage.model.source:
        return tuple(demonstrations)
    folder = run.stage_folder(stage.name) / "clips"
    return (imagined_clips(run, demonstrations[0], stage.model.clips, folder, stage.imagined_by),)


def imagined_clips(
    run: Run, demonstrations: EpisodeStore, count: int, path: Path, stage: str
) -> EpisodeStore:
    """At least `count` pairs of clips in `path`, completed where they are not; the run needs its imaginer.

    A pair is an example that the imaginer could have been trained on, its frames, and frames imagined from
    its first one under its plan. A file holds `BATCH` of them as the rows of `clip.real` and `clip.imagined`.
    """
    trained = load_stage(run, stage)
    if not isinstance(trained.model, VideoDiffusion):
        raise UsageError(f"clips are imagined by a video model, {stage} is a {type(trained.model).__name__}")
    made_by = {"imaginer": trained.digest}
    store = _open(path, made_by, demonstrations)
    total = -(-count // BATCH)
    device = training_device()
    model = trained.model.to(device)
    source = open_windows(demonstrations, model.spec, trained.facts.cameras, device)
    with ProgressLine("imagine clips", total * BATCH, len(store) * BATCH) as line:
        for number in range(len(store), total):
            windows = source.batch((0, number), BATCH)
            batch = model.video_batch(windows)
            frames = model.sample(batch, torch.Generator().manual_seed(number))
            real = windows.values["clip"]
            imagined = torch.cat([real[:, :1], frames], dim=1)
            store.append(
                Episode(
                    index=number,
                    # Rows are examples of many tasks and views; this only names the file.
                    case=Case(trained.facts.env, "imagined clips", number, "mixed"),
                    instruction="",
                    length=BATCH,
                    arrays={REAL: real.cpu().numpy(), IMAGINED: imagined.cpu().numpy()},
                )
            )
            line.update((number + 1) * BATCH)
    return store


def _open(path: Path, made_by: Mapping[str, Any], demonstrations: EpisodeStore) -> EpisodeStore:
    if not (path / "dataset.json").exists():
        info = demonstrations.info
        return EpisodeStore.create(
            path, DatasetInfo(tasks=info.tasks, cameras=info.cameras, fps=info.fps, collector=made_by)
        )
    store = EpisodeStore(path)
    if store.info.collector != made_by:
        raise DataError(
            f"{path} holds clips of other weights, {dict(store.info.collector)} instead of {dict(made_by)}; "
            "remove the folder to imagine them again"
        )
    return store
