"""Is this machine fit? What `kinesight doctor` finds out."""

import os
import platform
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

from kinesight.types.errors import KinesightError


@dataclass(frozen=True, slots=True)
class Check:
    """One finding; `ok=None` is optional and absent."""

    name: str
    ok: bool | None
    finding: str
    mend: str = ""


EXTRAS = {
    "chat": ("openai", "planners and judges that ask a vision-language model"),
    "hub": ("transformers", "CLIP text and DINOv2 from local folders"),
    "viewer": ("rerun-sdk", "Rerun recordings of kinesight show"),
}
"""Extra -> its package, and what needs it."""


def checks() -> Iterator[Check]:
    for check in (_python, _renderer, _video, _accelerator):
        yield check()
    for extra in EXTRAS:
        yield _extra(extra)


def _extra(extra: str) -> Check:
    package, use = EXTRAS[extra]
    name = f"extra {extra}"
    try:
        return Check(name, True, f"{package} {version(package)}")
    except PackageNotFoundError:
        mend = f"pip install 'kinesight[{extra}]'"
        return Check(name, None, f"{package} is not there; {use} need it", mend)


def _python() -> Check:
    packages = ("torch", "mujoco", "metaworld", "numpy")
    try:
        found = ", ".join(f"{name} {version(name)}" for name in packages)
    except PackageNotFoundError as error:
        return Check("packages", False, f"{error} is missing", "make setup, or pip install kinesight")
    return Check("packages", True, f"Python {platform.python_version()}, {found}")


def _renderer() -> Check:
    from kinesight.envs import catalogue
    from kinesight.types.observation import ViewRequest

    request = ViewRequest(("corner",), 128, 128)
    try:
        environment = catalogue.make("metaworld", "door-open", 0)
        environment.reset()
        environment.observe(request)
        seconds = _median(lambda: environment.observe(request))
    except KinesightError as error:
        return Check("renderer", False, "no picture could be rendered", str(error))
    backend = os.environ.get("MUJOCO_GL", "the default")
    return Check(
        "renderer", True, f"{1000 * seconds:.1f} ms for a picture of 128 x 128 (MUJOCO_GL: {backend})"
    )


def _median(action: Callable[[], object], runs: int = 9) -> float:
    times = []
    for _ in range(runs):
        began = time.perf_counter()
        action()
        times.append(time.perf_counter() - began)
    return sorted(times)[runs // 2]


def _video() -> Check:
    import av

    if "libx264" not in av.codecs_available:
        return Check("video", False, f"PyAV {version('av')} has no H.264 encoder", "pip install --upgrade av")
    return Check("video", True, f"PyAV {version('av')} writes H.264")


def _accelerator() -> Check:
    import torch

    if torch.cuda.is_available():
        memory = torch.cuda.get_device_properties(0).total_memory / 2**30
        return Check("accelerator", True, f"{torch.cuda.get_device_name()}, {memory:.0f} GiB")
    threads = torch.get_num_threads()
    return Check("accelerator", None, f"none; {threads} CPU threads", "the small recipes are made for this")
