"""The facts of a data set that a model is built from."""

import numpy as np

from kinesight.data.episodes import EpisodeStore
from kinesight.language.words import Vocabulary
from kinesight.types.camera import Camera
from kinesight.types.errors import DataError
from kinesight.types.facts import DataFacts


def data_facts(store: EpisodeStore) -> DataFacts:
    """Read once over all episodes; their cameras of one task must agree.

    Under a split other than the usual cameras may stand elsewhere in every episode (envs/metaworld_looks.py);
    they must agree in all but their place. Video alone has neither actions nor proprioception, and may have
    cameras that nobody calibrated.
    """
    if not len(store):
        raise DataError(f"{store.path}: the data set holds no episodes")
    recorded = store.layout(0)
    if "action" in recorded and store.info.action is None:
        raise DataError(
            f"{store.path}/dataset.json: names no action space for the actions of the episodes, a policy "
            "cannot be trained on it"
        )
    calibration, moving = _calibration(store)
    low, high = _proprio_range(store) if "proprio" in recorded else ((), ())
    return DataFacts(
        env=store.meta(0).case.env,
        tasks=store.info.tasks,
        cameras=store.info.cameras,
        calibration=calibration,
        crop=bool(store.info.collector.get("crop", True)),
        action=store.info.action if "action" in recorded else None,
        proprio_low=low,
        proprio_high=high,
        words=Vocabulary.from_sentences(store.meta(index).instruction for index in range(len(store))).words,
        moving_cameras=moving,
        uncalibrated_size=None if calibration else _picture_size(store),
    )


def _calibration(store: EpisodeStore) -> tuple[dict[str, Camera], bool]:
    """ "task/camera" -> the camera, and whether it may stand elsewhere in every episode."""
    calibration, moving = {}, False
    for index in range(len(store)):
        meta = store.meta(index)
        for name, camera in meta.cameras.items():
            known = calibration.setdefault(f"{meta.case.task}/{name}", camera)
            may_move = meta.case.split not in ("", "train")
            if not _alike(known, camera, pose=not may_move):
                raise DataError(f"{store.path}: episode {index} has another camera {name} than earlier ones")
            moving |= may_move
    _one_size(store, {(camera.height, camera.width) for camera in calibration.values()})
    return calibration, moving


def _picture_size(store: EpisodeStore) -> tuple[int, int]:
    """Of the pictures themselves."""
    names = {f"rgb.{camera}" for camera in store.info.cameras}
    shapes = {
        layout.shape[1:3]
        for index in range(len(store))
        for key, layout in store.layout(index).items()
        if key in names
    }
    if not shapes:
        wanted = ", ".join(sorted(names)) or "none: dataset.json names no camera"
        raise DataError(
            f"{store.path}: no pictures. Wanted are {wanted}; there are {', '.join(store.keys())}"
        )
    _one_size(store, shapes)
    height, width = shapes.pop()
    return height, width


def _one_size(store: EpisodeStore, sizes: set[tuple[int, ...]]) -> None:
    if len(sizes) > 1:
        raise DataError(f"{store.path}: pictures of several sizes {sorted(sizes)}; one model takes one size")


def _proprio_range(store: EpisodeStore) -> tuple[tuple[float, ...], tuple[float, ...]]:
    found = []
    for index in range(len(store)):
        rows = store.window(index, 0, store.meta(index).length + 1, ["proprio"])["proprio"]
        found.append((rows.min(0), rows.max(0)))
        if found[-1][0].shape != found[0][0].shape:
            raise DataError(
                f"{store.path}: proprio of episode {index} has {list(rows.shape[1:])} numbers a row, that of "
                f"episode 0 {list(found[0][0].shape)}"
            )
    low, high = (np.stack(each) for each in zip(*found, strict=True))
    low, high = low.min(0), high.max(0)
    return tuple(map(float, low)), tuple(map(float, high))


def _alike(a: Camera, b: Camera, pose: bool) -> bool:
    same_lens = (a.height, a.width) == (b.height, b.width) and np.allclose(a.K, b.K)
    return same_lens and (not pose or np.allclose(a.T_world_camera, b.T_world_camera))
