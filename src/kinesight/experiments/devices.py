"""Where models compute: an agent's, by names that are checked against the machine; those that are trained."""

import torch

from kinesight.types.errors import lookup

CPU = "cpu"


def known_device(name: str) -> str:
    """The device that a name means on this machine; "auto" is the first GPU, or the CPU without one."""
    gpus = [f"cuda:{index}" for index in range(torch.cuda.device_count() if torch.cuda.is_available() else 0)]
    there = {"auto": [*gpus, CPU][0], CPU: CPU, **dict(zip(gpus, gpus, strict=True))}
    if gpus:
        there["cuda"] = gpus[0]
    return lookup("device", name, there)


def training_device() -> torch.device:
    """This process's own: of several that train together each has another GPU."""
    from kinesight.training.loop import make_accelerator

    return make_accelerator().device
