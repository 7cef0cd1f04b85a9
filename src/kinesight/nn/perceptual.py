"""A perceptual distance of pictures: features of a frozen VGG-16 from a local weights file.

It is LPIPS (Zhang et al., 2018) without the weights that were learned on top of the features: every layer
counts alike. Unlike in the code published with Farsighted-LAM, gradients flow to the predicted picture.
"""

import pickle
from functools import cached_property
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from kinesight.nn.checkpoint import files_digest
from kinesight.nn.imagenet import normalised
from kinesight.types.errors import DataError

LAYERS = (3, 8, 15, 22, 29)
"""The last activation of each of the five stages."""


class Perceptual:
    """Distance of two pictures in [0, 1]; no part of the model that uses it.

    The file is read when something is measured: a trained model acts where it is not.
    """

    def __init__(self, weights: str) -> None:
        self.file = Path(weights)

    def __call__(
        self, predicted: Float[Tensor, "b 3 y x"], wanted: Float[Tensor, "b 3 y x"]
    ) -> Float[Tensor, "b"]:
        trunk = self._trunk.to(predicted.device)
        total = predicted.new_zeros(len(predicted))
        a, b = normalised(predicted), normalised(wanted)
        for place, layer in enumerate(trunk):
            a, b = layer(a), layer(b)
            if place in LAYERS:
                difference = F.normalize(a.float(), dim=1) - F.normalize(b.float(), dim=1)
                total = total + difference.square().sum(1).mean((1, 2))
        return total

    @cached_property
    def _trunk(self) -> nn.Sequential:
        return _load(self.file)

    def digest(self) -> str:
        """Start of the SHA-256 of the file, once it is read."""
        self._trunk.eval()  # a file that holds something else is refused
        return files_digest([self.file])


def _load(file: Path) -> nn.Sequential:
    from torchvision.models.vgg import cfgs, make_layers

    if not file.is_file():
        raise DataError(f"{file}: no such file; wanted are the weights of torchvision's VGG-16")
    # Not in place: the activations before are compared too.
    trunk = make_layers(cfgs["D"])
    for layer in trunk:
        if isinstance(layer, nn.ReLU):
            layer.inplace = False
    try:
        tensors = torch.load(file, map_location="cpu", weights_only=True)
        own = {
            name.removeprefix("features."): t for name, t in tensors.items() if name.startswith("features.")
        }
        trunk.load_state_dict(own)
    except (OSError, RuntimeError, AttributeError, EOFError, pickle.UnpicklingError) as error:
        raise DataError(f"{file}: not a weights file of torchvision's VGG-16 ({error})") from None
    return trunk.eval().requires_grad_(False)
