"""Marks lie where the camera sees the points."""

import numpy as np
import torch

from kinesight.geometry.camera import project
from kinesight.nn.point_maps import BEHIND, point_maps, projected
from kinesight.types.camera import Camera


def camera(seed: int) -> Camera:
    generator = np.random.default_rng(seed)
    rotation, _ = np.linalg.qr(generator.normal(size=(3, 3)))
    pose = np.eye(4)
    pose[:3, :3] = rotation * np.sign(np.linalg.det(rotation))
    pose[:3, 3] = generator.normal(size=3)
    K = np.array([[80.0, 0, 30 + seed], [0, 90.0, 20], [0, 0, 1]])
    return Camera("front", K, pose, 40, 60)


def test_points_are_projected_as_by_their_own_camera() -> None:
    cameras = [camera(seed) for seed in range(3)]
    points = np.random.default_rng(9).normal(size=(3, 40, 3))
    pixels = projected(
        torch.from_numpy(points),
        torch.from_numpy(np.stack([each.T_world_camera for each in cameras])),
        torch.from_numpy(np.stack([each.K for each in cameras])),
    ).numpy()
    for ours, world, each in zip(pixels, points, cameras, strict=True):
        theirs = project(world, each)
        before = np.isfinite(theirs).all(1)
        assert 0 < before.sum() < len(before), "both kinds are there"
        assert np.allclose(ours[before], theirs[before])
        assert (ours[~before] == BEHIND).all()


def test_a_mark_is_brightest_at_its_pixel_whatever_the_size_of_the_picture() -> None:
    pixels = torch.tensor([[[45.0, 10.0], [1e9, 10.0], [BEHIND, BEHIND]]])
    maps = point_maps(pixels, seen=(40, 60), drawn=(20, 20))
    assert maps.shape == (1, 3, 20, 20)
    # 45 of 60 is the edge between the columns 14 and 15, 10 of 40 that between the rows 4 and 5.
    peak = maps[0, 0]
    brightest = {tuple(place) for place in (peak > 0.99 * peak.max()).nonzero().tolist()}
    assert brightest == {(4, 14), (4, 15), (5, 14), (5, 15)}
    assert not maps[0, 1:].any(), "what is not in the picture leaves no mark"
    centred = point_maps(torch.tensor([[[46.5, 11.0]]]), (40, 60), (20, 20))
    assert torch.isclose(centred.max(), torch.tensor(1.0))
    assert int(centred.flatten().argmax()) == 5 * 20 + 15
