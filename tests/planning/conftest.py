import numpy as np
import pytest

from kinesight.types.camera import Camera


@pytest.fixture
def camera() -> Camera:
    """Looks along world y with x to the right, so that plan axes are (-x, z, -y)."""
    pose = np.eye(4)
    pose[:3, :3] = np.array([[1, 0, 0], [0, 0, 1], [0, -1, 0]])
    return Camera("front", np.array([[50.0, 0, 32], [0, 50, 32], [0, 0, 1]]), pose, 64, 64)
