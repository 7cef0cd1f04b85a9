"""Image encoders without BatchNorm: a small CNN with spatial softmax and torchvision's ResNets.

The ResNets begin from chance; `imagenet.load_imagenet` lets them begin from a weights file of torchvision.
"""

from collections.abc import Callable
from functools import partial

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from kinesight.nn.layers import group_norm
from kinesight.types.errors import lookup


class SpatialSoftmax(nn.Module):
    """Every channel's expected pixel position in [-1, 1]² (x, y), and its peak: where things are."""

    def __init__(self) -> None:
        super().__init__()
        self.temperature = nn.Parameter(torch.ones(()))

    def forward(self, x: Float[Tensor, "b c y x"]) -> Float[Tensor, "b d"]:
        height, width = x.shape[-2:]
        weights = F.softmax(rearrange(x, "b c y x -> b c (y x)").float() * self.temperature, dim=-1)
        weights = weights.view(*x.shape[:2], height, width)
        rows = torch.linspace(-1, 1, height, device=x.device)
        columns = torch.linspace(-1, 1, width, device=x.device)
        along_x = (weights.sum(2) * columns).sum(-1)
        along_y = (weights.sum(3) * rows).sum(-1)
        return torch.cat([along_x, along_y], dim=-1)


class _Residual(nn.Module):
    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False),
            group_norm(outputs),
            nn.SiLU(),
            nn.Conv2d(outputs, outputs, 3, padding=1, bias=False),
            group_norm(outputs),
        )
        self.skip = nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return F.silu(self.body(x) + self.skip(x))


def stages(channels: int, width: int) -> tuple[nn.Module, ...]:
    """Stem of stride 2 and three residual stages: an eighth of the edge, four times the width."""
    return (
        nn.Conv2d(channels, width, 5, stride=2, padding=2),
        group_norm(width),
        nn.SiLU(),
        _Residual(width, width, 1),
        _Residual(width, 2 * width, 2),
        _Residual(2 * width, 4 * width, 2),
    )


class SmallCNN(nn.Module):
    """Stem of stride 2, three residual stages, spatial softmax beside a coarse map of what is there."""

    def __init__(self, channels: int, features: int, width: int = 32) -> None:
        super().__init__()
        self.body = nn.Sequential(*stages(channels, width))
        self.keypoints = nn.Sequential(nn.Conv2d(4 * width, 2 * width, 1), SpatialSoftmax())
        self.map = nn.Sequential(nn.Conv2d(4 * width, width // 2, 1), nn.SiLU(), nn.AdaptiveAvgPool2d(6))
        flat = 4 * width + (width // 2) * 36
        self.out = nn.Sequential(nn.Linear(flat, features), nn.LayerNorm(features), nn.SiLU())

    def forward(self, image: Float[Tensor, "b c y x"]) -> Float[Tensor, "b d"]:
        x = self.body(image.contiguous(memory_format=torch.channels_last))
        return self.out(torch.cat([self.keypoints(x).to(x.dtype), self.map(x).flatten(1)], dim=-1))


class ResNet(nn.Module):
    """torchvision's ResNet with GroupNorm, any number of input channels, average-pooled."""

    def __init__(self, channels: int, features: int, depth: str) -> None:
        super().__init__()
        from torchvision import models

        self.depth = depth
        make: Callable[..., nn.Module] = getattr(models, depth)
        trunk = make(weights=None, norm_layer=group_norm)
        trunk.conv1 = nn.Conv2d(channels, 64, 7, stride=2, padding=3, bias=False)
        trunk.fc = nn.Linear(trunk.fc.in_features, features)  # type: ignore[union-attr]
        self.trunk = trunk

    def forward(self, image: Float[Tensor, "b c y x"]) -> Float[Tensor, "b d"]:
        return self.trunk(image.contiguous(memory_format=torch.channels_last))


ENCODERS: dict[str, Callable[[int, int], nn.Module]] = {
    "small-cnn": SmallCNN,
    "tiny-cnn": partial(SmallCNN, width=8),
    "resnet18": partial(ResNet, depth="resnet18"),
    "resnet50": partial(ResNet, depth="resnet50"),
}


def image_encoder(name: str, channels: int, features: int) -> nn.Module:
    """An encoder [b c y x] -> [b d] by name."""
    return lookup("image encoder", name, ENCODERS)(channels, features)


class CnnTokens(nn.Module):
    """The small CNN's stages, pooled to a grid of tokens: convolutions help a small transformer to see."""

    def __init__(self, channels: int, features: int, grid: int, width: int = 32) -> None:
        super().__init__()
        self.body = nn.Sequential(*stages(channels, width), nn.AdaptiveAvgPool2d(grid))
        self.out = nn.Sequential(nn.LayerNorm(4 * width), nn.Linear(4 * width, features))

    def forward(self, image: Float[Tensor, "b c y x"]) -> Float[Tensor, "b n d"]:
        x = self.body(image.contiguous(memory_format=torch.channels_last))
        return self.out(rearrange(x, "b c y x -> b (y x) c"))
