"""Which OpenGL platform draws off screen, and what to install where there is none.

Loads no simulator: MuJoCo itself fails with an obscure message when MUJOCO_GL names a missing library, so
this is asked first.
"""

import ctypes
import importlib
import os
from typing import Any

from kinesight.types.errors import MissingDependency, UsageError

PLATFORMS = {"egl": ("libEGL.so.1",), "osmesa": ("libOSMesa.so.8", "libOSMesa.so.6"), "glfw": ()}
"""Name -> libraries, any of which will do; EGL comes first because it is faster. glfw needs a screen."""

MISSING = (
    "No OpenGL library for off-screen rendering was found. Install one with\n"
    "    apt-get install libegl1 libgl1-mesa-dri libosmesa6\n"
    f"MUJOCO_GL may be set to choose one: {', '.join(PLATFORMS)}."
)


UNUSED_SIZE = (64, 64)
"""Of the context's own buffer; pictures are drawn into MuJoCo's."""


def platform() -> str:
    """MUJOCO_GL if it is set, otherwise the first platform whose library loads."""
    chosen = os.environ.get("MUJOCO_GL", "").lower().strip()
    if chosen and chosen not in PLATFORMS:
        raise UsageError(f"MUJOCO_GL is {chosen!r}; expected one of {', '.join(PLATFORMS)}.")
    for name, libraries in PLATFORMS.items():
        if name == chosen and not libraries:
            return name
        if chosen in ("", name) and any(_loads(library) for library in libraries):
            return name
    raise MissingDependency(f"MUJOCO_GL is {chosen!r}.\n{MISSING}" if chosen else MISSING)


def make_context() -> Any:
    """A current off-screen context of MuJoCo's class for the platform, with `make_current` and `free`."""
    name = platform()
    # Mesa's rasteriser threads cost more than they bring at these sizes, and a crowd of workers stalls.
    os.environ.setdefault("LP_NUM_THREADS", "0")
    try:
        context = importlib.import_module(f"mujoco.{name}").GLContext(*UNUSED_SIZE)
        context.make_current()
    except Exception as error:  # whatever PyOpenGL and the driver raise: all mean the same to the user
        raise MissingDependency(f"The OpenGL platform {name!r} does not start: {error}\n{MISSING}") from error
    return context


def _loads(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True
