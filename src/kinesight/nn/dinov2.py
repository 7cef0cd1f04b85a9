"""Frozen DINOv2 features (Oquab et al., 2024; Farsighted-LAM's image encoder).

They come from a local folder with what transformers' `save_pretrained` writes for a DINOv2 model, with
registers or without, or from the model hub by name (facebook/dinov2-small). The encoder is no part of the
model that uses it: checkpoints name it and a hash of its files.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from kinesight.nn.hub import folder_digest, local_folder, read_local
from kinesight.nn.imagenet import normalised
from kinesight.nn.pictures import resized

EDGE = 224
"""Pictures are looked at in this size [px], as in the paper's code."""


class DinoV2:
    """Pictures -> one token a patch; class and register tokens are left out."""

    def __init__(self, folder: str) -> None:
        self.folder = local_folder(folder, "DINOv2")
        (self._model,) = read_local(self.folder, "DINOv2", "AutoModel", kind="dinov2")
        self._model.eval().requires_grad_(False)
        config = self._model.config
        self.features: int = config.hidden_size
        self.tokens: int = (EDGE // config.patch_size) ** 2
        self._others = 1 + getattr(config, "num_register_tokens", 0)

    @torch.no_grad()
    def __call__(self, pictures: Float[Tensor, "b 3 y x"]) -> Float[Tensor, "b n d"]:
        """Of pictures in [-1, 1]."""
        self._model.to(pictures.device)
        large = resized(pictures[:, None], (EDGE, EDGE))[:, 0]
        states = self._model(pixel_values=normalised((large + 1) / 2)).last_hidden_state
        return states[:, self._others :].float()

    def digest(self) -> str:
        """Start of the SHA-256 of the folder's files."""
        return folder_digest(self.folder)
