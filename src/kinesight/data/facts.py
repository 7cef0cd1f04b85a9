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
    they must agree in all but their place.
    """
    if not len(store):
        raise DataError(f"{store.path}: the data set holds no episodes")
    if store.info.action is None:
        raise DataError(f"{store.path}/dataset.json: names no action space, a policy cannot be trained on it")
    calibration, sentences, moving = {}, set(), False
    low, high = np.full(8, np.inf), np.full(8, -np.inf)
    for index in range(len(store)):
        meta = store.meta(index)
        sentences.add(meta.instruction)
        for name, camera in meta.cameras.items():
            known = calibration.setdefault(f"{meta.case.task}/{name}", camera)
            may_move = meta.case.split not in ("", "train")
            if not _alike(known, camera, pose=not may_move):
                raise DataError(f"{store.path}: episode {index} has another camera {name} than earlier ones")
            moving |= may_move
        proprio = store.window(index, 0, meta.length + 1, ["proprio"])["proprio"]
        low, high = np.minimum(low, proprio.min(0)), np.maximum(high, proprio.max(0))
    sizes = {(camera.height, camera.width) for camera in calibration.values()}
    if len(sizes) > 1:
        raise DataError(f"{store.path}: pictures of several sizes {sorted(sizes)}; one model takes one size")
    return DataFacts(
        env=store.meta(0).case.env,
        tasks=store.info.tasks,
        cameras=store.info.cameras,
        calibration=calibration,
        crop=bool(store.info.collector.get("crop", True)),
        action=store.info.action,
        proprio_low=tuple(map(float, low)),
        proprio_high=tuple(map(float, high)),
        words=Vocabulary.from_sentences(sentences).words,
        moving_cameras=moving,
    )


def _alike(a: Camera, b: Camera, pose: bool) -> bool:
    same_lens = (a.height, a.width) == (b.height, b.width) and np.allclose(a.K, b.K)
    return same_lens and (not pose or np.allclose(a.T_world_camera, b.T_world_camera))
