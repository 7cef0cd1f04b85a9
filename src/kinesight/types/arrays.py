"""The one legend of axis letters, used in every signature and in every einops pattern.

====  ======================  ====  ======================
b     batch                   y x   pixel rows, columns
t     time (frames)           c     channels
h     horizon (actions)       n     tokens or points
a     action dimensions       d     features
v     views                   k     plan rows
====  ======================  ====  ======================

Arrays are NumPy here; learned code uses the same letters on torch tensors.
"""

from typing import TypeAlias

import numpy as np
from jaxtyping import Float, Int, UInt8

Image: TypeAlias = UInt8[np.ndarray, "y x 3"]
"""RGB, upright and not mirrored."""
Video: TypeAlias = UInt8[np.ndarray, "t y x 3"]
Depth: TypeAlias = Float[np.ndarray, "y x"]
"""z-depth in metres; 0 marks an invalid pixel."""
Segmentation: TypeAlias = Int[np.ndarray, "y x"]
"""Object ids with a name table beside them."""
Point: TypeAlias = Float[np.ndarray, "3"]
Points: TypeAlias = Float[np.ndarray, "n 3"]
Pixels: TypeAlias = Float[np.ndarray, "n 2"]
"""x to the right, y down; the centre of the first pixel is (0.5, 0.5)."""
Matrix3: TypeAlias = Float[np.ndarray, "3 3"]
Matrix4: TypeAlias = Float[np.ndarray, "4 4"]
