"""A ResNet that begins from torchvision's ImageNet weights, in a local file.

Three things differ from the network that the weights are of, so it is a beginning and needs training:

* **GroupNorm for BatchNorm** (EMA breaks with BatchNorm). Convolutions are taken over; a BatchNorm's scale
  and shift become the GroupNorm's; its running means and variances have no counterpart and are left out.
* **Several pictures side by side.** The first layer's weights are repeated for every three channels and
  divided by the number of pictures: equal pictures give what one gives in the original.
* **Pictures in [-1, 1].** ImageNet's scale, 1 / (2 deviation) by colour, is folded into the first layer. Its
  shift is not: the layer has no bias, and with zero padding there is none that would be right at the border.
  The shift is at most 0.42 deviations, a tint.

The last layer is not taken over: its outputs are classes.
"""

import hashlib
import pickle
from collections.abc import Mapping
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from kinesight.nn.checkpoint import load_tensors
from kinesight.nn.encoders import ResNet
from kinesight.types.errors import DataError

MEAN = (0.485, 0.456, 0.406)
DEVIATION = (0.229, 0.224, 0.225)
"""Of ImageNet's colours, for pictures in [0, 1]."""
LEFT_OUT = ("running_mean", "running_var", "num_batches_tracked")


def load_imagenet(encoder: ResNet, file: Path) -> str:
    """Copy the weights into all layers but the last; the start of the file's SHA-256."""
    theirs = {n: v for n, v in _read(file).items() if not n.startswith("fc.") and not n.endswith(LEFT_OUT)}
    ours = {n: v for n, v in encoder.trunk.state_dict().items() if not n.startswith("fc.")}
    if "conv1.weight" in theirs:
        theirs["conv1.weight"] = _first_layer(theirs["conv1.weight"], ours["conv1.weight"].shape[1])
    if missing := sorted(ours.keys() - theirs.keys()):
        raise DataError(f"{file}: not the weights of torchvision's {encoder.depth}, lacks {missing[:3]}")
    if left := sorted(theirs.keys() - ours.keys()):
        raise DataError(f"{file}: not the weights of torchvision's {encoder.depth}, has {left[:3]} besides")
    for name, value in ours.items():
        if theirs[name].shape != value.shape:
            came, expected = tuple(theirs[name].shape), tuple(value.shape)
            raise DataError(f"{file}: {name} has shape {came}, {encoder.depth} expects {expected}")
    with torch.no_grad():
        for name, value in ours.items():
            value.copy_(theirs[name])
    return hashlib.sha256(file.read_bytes()).hexdigest()[:12]


def normalised(pictures: Float[Tensor, "b 3 y x"]) -> Float[Tensor, "b 3 y x"]:
    """Pictures in [0, 1] as networks that were trained on ImageNet want them."""
    mean, deviation = (pictures.new_tensor(each).view(3, 1, 1) for each in (MEAN, DEVIATION))
    return (pictures - mean) / deviation


def _first_layer(weight: Tensor, channels: int) -> Tensor:
    """Weights [out 3 y x] for `channels` = 3 n channels in [-1, 1]."""
    if weight.shape[1] != 3 or channels % 3:
        return weight  # its shape is refused with the others'
    scale = 1 / (2 * torch.tensor(DEVIATION, dtype=weight.dtype))
    pictures = channels // 3
    return (weight * scale.view(1, 3, 1, 1)).repeat(1, pictures, 1, 1) / pictures


def _read(file: Path) -> Mapping[str, Tensor]:
    if file.suffix == ".safetensors":
        return load_tensors(file)
    try:
        found = torch.load(file, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise DataError(f"{file}: no such file") from None
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise DataError(f"{file}: not a file of weights ({error})") from None
    if not isinstance(found, Mapping) or not all(isinstance(value, Tensor) for value in found.values()):
        raise DataError(f"{file}: expected tensors by name, as torchvision's weights files hold them")
    return found
