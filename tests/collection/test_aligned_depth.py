"""Aligned depth as a derived key: metres where there was only a relative estimate."""

from dataclasses import replace

import numpy as np
import point_mass
import pytest

from kinesight.collection.aligned_depth import AlignedDepth, estimate_of
from kinesight.data.episodes import Episode
from kinesight.types.camera import Camera
from kinesight.types.errors import DataError, UnknownName

CAMERA = Camera("front", np.eye(3), np.eye(4), 8, 8)


def episode() -> tuple[Episode, np.ndarray]:
    """Three frames of a tilted plane that comes nearer, and their true depth [m]."""
    rows, columns = np.mgrid[0:8, 0:8]
    depth = np.stack([1.5 - 0.2 * t + 0.05 * rows + 0.02 * columns for t in range(3)])
    known = np.where((rows + columns) % 3 == 0, depth, 0)
    arrays = {
        "depth_estimate.front": (40 / depth - 7).astype(np.float32),
        "sparse_depth_mm.front": np.rint(1000 * known).astype(np.uint16),
    }
    return Episode(0, point_mass.case(), "go", 2, {"front": CAMERA}, arrays=arrays), depth


def test_every_frame_is_aligned_by_its_own_points() -> None:
    recorded, depth = episode()
    found = AlignedDepth(("front",))(recorded)["depth_mm.front"]
    assert found.dtype == np.uint16
    np.testing.assert_allclose(found / 1000, depth, atol=2e-3)


def test_a_frame_that_cannot_be_aligned_is_invalid_and_an_episode_of_such_is_refused() -> None:
    recorded, depth = episode()
    sparse = recorded.arrays["sparse_depth_mm.front"].copy()
    sparse[1] = 0
    blind = replace(recorded, arrays={**recorded.arrays, "sparse_depth_mm.front": sparse})
    found = AlignedDepth(("front",))(blind)["depth_mm.front"]
    assert not found[1].any()
    np.testing.assert_allclose(found[[0, 2]] / 1000, depth[[0, 2]], atol=2e-3)
    nothing = replace(recorded, arrays={**recorded.arrays, "sparse_depth_mm.front": np.zeros_like(sparse)})
    with pytest.raises(DataError, match=r"no frame could be aligned; the first: .* there are 0"):
        AlignedDepth(("front",))(nothing)


def test_a_missing_key_is_named() -> None:
    recorded, _ = episode()
    without = replace(recorded, arrays={"depth_estimate.front": recorded.arrays["depth_estimate.front"]})
    with pytest.raises(UnknownName, match=r"sparse_depth_mm.front"):
        AlignedDepth(("front",))(without)


def test_an_estimate_of_depth_itself_is_told_by_its_key() -> None:
    recorded, depth = episode()
    arrays = {
        "relative_depth.front": (0.4 * depth - 0.1).astype(np.float32),
        "sparse_depth_mm.front": recorded.arrays["sparse_depth_mm.front"],
    }
    found = AlignedDepth(("front",))(replace(recorded, arrays=arrays))["depth_mm.front"]
    np.testing.assert_allclose(found / 1000, depth, atol=2e-3)
    assert estimate_of(arrays, "front") == "relative_depth"
    assert estimate_of(arrays, "wrist") == ""
    assert estimate_of({"relative_depth.front"}, "front") == "", "no points are known"
