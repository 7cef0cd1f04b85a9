"""The one definition of how an observation becomes rows of a store."""

import numpy as np

from kinesight.types.errors import DataError
from kinesight.types.observation import Observation, View

LARGEST_ID = np.iinfo(np.uint16).max


def observation_arrays(observation: Observation) -> dict[str, np.ndarray]:
    """One frame's row of every key: what is recorded, and what an agent's model is given."""
    rows = {"proprio": np.asarray(observation.proprio, np.float32)}
    for name, view in observation.views.items():
        rows |= {f"{kind}.{name}": row for kind, row in view_arrays(view).items()}
    if observation.scene is not None:
        rows |= {f"scene.{name}": np.asarray(p, np.float32) for name, p in observation.scene.points.items()}
        rows["state"] = np.asarray(observation.scene.state, np.float32)
    return rows


def view_arrays(view: View) -> dict[str, np.ndarray]:
    """The pictures that were rendered, and where from: a wrist camera moves."""
    rows = {
        "K": np.asarray(view.camera.K, np.float32),
        "T_world_camera": np.asarray(view.camera.T_world_camera, np.float32),
    }
    if view.rgb is not None:
        rows["rgb"] = view.rgb
    if view.depth_m is not None:
        rows["depth_mm"] = millimetres(view.depth_m)
    if view.segmentation is not None:
        rows["segmentation"] = _ids(view)
    return rows


def millimetres(depth_m: np.ndarray) -> np.ndarray:
    """Metres to uint16 millimetres; what is not finite, not positive or beyond 65.535 m becomes 0."""
    rounded = np.rint(np.nan_to_num(depth_m, nan=0.0, posinf=0.0, neginf=0.0) * 1000.0)
    return np.where((rounded > 0) & (rounded <= LARGEST_ID), rounded, 0).astype(np.uint16)


def _ids(view: View) -> np.ndarray:
    assert view.segmentation is not None, "called for views with a segmentation"
    if view.segmentation.min() < 0 or view.segmentation.max() > LARGEST_ID:
        raise DataError(
            f"Segmentation ids of camera {view.camera.name!r} lie in "
            f"{view.segmentation.min()} … {view.segmentation.max()}, the store holds 0 … {LARGEST_ID}."
        )
    return view.segmentation.astype(np.uint16)
