"""A small model that answers in places: point at a thing, or give the eight points of a path.

Not a language model and no method of a paper: it is as small as shows whether ground records teach
anything. A convolutional network looks once at the picture; every question then picks features by its words
(FiLM, Perez et al. 2018) and gives a heat map. A point is the heat map's peak. A path runs between the
peaks of two maps, start and end; how it bends on the way follows from these and from the words.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Float, Int, UInt8
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from kinesight.data.ground_windows import LONGEST_QUESTION, PATH, encoded
from kinesight.geometry.paths import PATH_POINTS
from kinesight.interfaces.model import Stream, Windows
from kinesight.language.words import Vocabulary
from kinesight.nn.conditions import TokenPool, WordEncoder
from kinesight.nn.layers import FiLM, group_norm, to_unit
from kinesight.types.errors import UsageError
from kinesight.types.windows import Offsets, Take, WindowSpec

ROLES = ("point", "start", "end")
"""What a heat map is for."""
STRIDE = 4
"""Pixels of a heat map's cell."""


@dataclass(frozen=True, slots=True)
class PointingFacts:
    """What the model was trained on and needs to meet again."""

    words: tuple[str, ...]
    """Vocabulary of the questions."""


@dataclass(frozen=True, slots=True)
class PointingConfig:
    """Sizes, and what is done to pictures in training."""

    source: str = "ground"
    batch_size: int = 16
    """Pictures."""
    per_image: int = 3
    """Questions a picture."""
    image: int = 96
    """Side of the square picture [px]."""
    width: int = 16
    """Channels after the first layer; twice as many in the map."""
    hidden: int = 24
    """Channels of a heat map's layers."""
    features: int = 96
    """Of the words."""
    shift: int = 8
    """Random shift of picture and answers in training [px]."""
    colour: float = 0.08
    """Random change of brightness and contrast in training."""
    spread: float = 0.8
    """Standard deviation of the target around the ends of a path [cells]."""

    def __post_init__(self) -> None:
        if self.image % STRIDE or self.image < 32:
            raise UsageError(f"image must be a multiple of {STRIDE} from 32 on, got {self.image}")
        if (
            min(self.batch_size, self.per_image, self.width, self.hidden, self.features) < 1
            or self.features % 4
        ):
            raise UsageError(f"sizes must be positive and features a multiple of 4, got {self}")

    @property
    def grid(self) -> int:
        """Cells of a heat map's side."""
        return self.image // STRIDE

    def build(self, facts: PointingFacts) -> "Pointing":
        return Pointing(self, facts)


@dataclass(frozen=True, slots=True)
class PointingBatch:
    """Network input; answers only in training."""

    images: UInt8[Tensor, "b y x 3"]
    words: Int[Tensor, "b q n"]
    kinds: Int[Tensor, "b q"]
    regions: UInt8[Tensor, "b q g g"] | None = None
    paths: Float[Tensor, "b q 8 2"] | None = None


class Pointing(nn.Module):
    """(picture, question) -> a point and a path."""

    loss_weights: Mapping[str, float] = {"point": 1.0, "ends": 0.5, "path": 4.0}

    def __init__(self, config: PointingConfig, facts: PointingFacts) -> None:
        super().__init__()
        self.config, self.facts = config, facts
        now = Offsets((0,))
        takes = {name: Take(name, now) for name in ("image", "words", "kind", "region", "path")}
        self.streams = {"questions": Stream(config.source, WindowSpec(takes), config.batch_size)}
        self.vocabulary = Vocabulary(facts.words)
        width, features = config.width, config.features
        self.trunk = nn.Sequential(
            nn.Conv2d(3, width, 5, stride=2, padding=2),
            group_norm(width),
            nn.SiLU(),
            nn.Conv2d(width, 2 * width, 3, stride=2, padding=1),
            group_norm(2 * width),
            nn.SiLU(),
            _Residual(2 * width),
            _Residual(2 * width),
        )
        self.words = WordEncoder(self.vocabulary.size, features)
        self.pools = nn.ModuleList(TokenPool(features, LONGEST_QUESTION) for _ in ROLES)
        self.heads = nn.ModuleList(_HeatMap(2 * width, config.hidden, features) for _ in ROLES)
        self.bend = nn.Sequential(
            nn.Linear(features + 4, features), nn.SiLU(), nn.Linear(features, 2 * PATH_POINTS)
        )
        last = self.bend[-1]
        assert isinstance(last, nn.Linear), "the bend ends in a linear layer"
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    # Training

    def parameter_groups(self) -> list[dict[str, Any]]:
        return [{"params": list(self.parameters())}]

    def collate(self, stream: str, windows: Windows) -> PointingBatch:
        values = windows.values
        return PointingBatch(
            images=values["image"][:, 0],
            words=values["words"][:, 0],
            kinds=values["kind"][:, 0],
            regions=values["region"][:, 0] if "region" in values else None,
            paths=values["path"][:, 0] if "path" in values else None,
        )

    def loss(self, stream: str, batch: PointingBatch, generator: Generator) -> dict[str, Float[Tensor, "b"]]:
        """Cross-entropy of the heat maps against what is right, distance of the path's points."""
        assert batch.regions is not None, "a training batch holds regions"
        assert batch.paths is not None, "a training batch holds paths"
        images, regions, paths = self._shifted(batch, generator)
        maps, texts = self._maps(self._coloured(images, generator), batch.words)
        is_path = (batch.kinds == PATH).float()
        right = _normalised(regions.float().flatten(2))
        log = {role: F.log_softmax(maps[role].float().flatten(2), dim=-1) for role in ROLES}
        point = -(right * log["point"]).sum(-1) * (1 - is_path)
        ends = [(self._around(paths[:, :, i]), log[role]) for i, role in ((0, "start"), (-1, "end"))]
        missed = -sum((wanted * found).sum(-1) for wanted, found in ends)
        assert isinstance(missed, Tensor), "two ends were summed"
        found = self._path(maps, texts)
        away = (found - paths).abs().sum(-1).mean(-1)
        return {
            "point": _mean_over(point, 1 - is_path),
            "ends": _mean_over(missed * is_path, is_path),
            "path": _mean_over(away * is_path, is_path),
        }

    def _shifted(
        self, batch: PointingBatch, generator: Generator
    ) -> tuple[Float[Tensor, "b 3 y x"], Tensor, Tensor]:
        """Picture and answers moved alike, by whole cells of the map; the picture's border is repeated."""
        assert batch.regions is not None, "a training batch holds regions"
        assert batch.paths is not None, "a training batch holds paths"
        images = to_unit(batch.images[:, None])[:, 0]
        most = self.config.shift // STRIDE
        if not most:
            return images, batch.regions, batch.paths
        size, device = self.config.image, images.device
        cells = torch.randint(-most, most + 1, (2, len(images)), generator=generator, device=generator.device)
        cells = cells.to(device)
        example = torch.arange(len(images), device=device)[:, None, None]

        def moved(length: int, step: Tensor) -> Tensor:
            return torch.arange(length, device=device)[None] - step[:, None]

        rows, columns = (moved(size, STRIDE * step).clamp(0, size - 1) for step in cells)
        images = rearrange(images, "b c y x -> b y x c")[example, rows[:, :, None], columns[:, None, :]]
        grid = self.config.grid
        rows, columns = (moved(grid, step) for step in cells)
        inside = ((rows >= 0) & (rows < grid))[:, :, None] & ((columns >= 0) & (columns < grid))[:, None, :]
        regions = rearrange(batch.regions, "b q y x -> b y x q")
        regions = regions[
            example, rows.clamp(0, grid - 1)[:, :, None], columns.clamp(0, grid - 1)[:, None, :]
        ]
        regions = rearrange(regions, "b y x q -> b q y x") * inside[:, None]
        paths = batch.paths + (cells.flip(0).T / grid)[:, None, None]
        return rearrange(images, "b y x c -> b c y x"), regions, paths

    def _coloured(self, images: Float[Tensor, "b 3 y x"], generator: Generator) -> Float[Tensor, "b 3 y x"]:
        if not self.config.colour:
            return images
        drawn = torch.randn((2, len(images), 1, 1, 1), generator=generator, device=generator.device)
        gain, offset = (self.config.colour * drawn).to(images.device)
        return images * (1 + gain) + offset

    def _around(self, ends: Float[Tensor, "b q 2"]) -> Float[Tensor, "b q n"]:
        """A round spot on the heat map's cells at each end."""
        centres = (torch.arange(self.config.grid, device=ends.device) + 0.5) / self.config.grid
        scale = 2 * (self.config.spread / self.config.grid) ** 2
        across = torch.exp(-((centres - ends[..., :1]) ** 2) / scale)
        down = torch.exp(-((centres - ends[..., 1:]) ** 2) / scale)
        spot = down[..., :, None] * across[..., None, :]
        return _normalised(spot.flatten(2))

    # Answering

    @torch.inference_mode()
    def answer(
        self, images: UInt8[np.ndarray, "b y x 3"], questions: Sequence[str]
    ) -> tuple[Float[np.ndarray, "b 2"], Float[np.ndarray, "b 8 2"]]:
        """Of one question a picture: the point, and the path; shares of width and height in [0, 1]."""
        device = next(self.parameters()).device
        words = torch.from_numpy(encoded(questions, self.vocabulary))[:, None].to(device)
        pictures = to_unit(torch.from_numpy(images)[:, None].to(device))[:, 0]
        maps, texts = self._maps(pictures, words)
        points = _peak(maps["point"])[:, 0]
        paths = self._path(maps, texts)[:, 0]
        return points.clamp(0, 1).float().cpu().numpy(), paths.clamp(0, 1).float().cpu().numpy()

    def _maps(
        self, images: Float[Tensor, "b 3 y x"], words: Int[Tensor, "b q n"]
    ) -> tuple[dict[str, Float[Tensor, "b q g g"]], dict[str, Float[Tensor, "b q d"]]]:
        """Heat map and words of every role."""
        features = self.trunk(images.contiguous(memory_format=torch.channels_last))
        count = words.shape[1]
        tokens, valid = self.words(words.flatten(0, 1))
        maps, texts = {}, {}
        for role, pool, head in zip(ROLES, self.pools, self.heads, strict=True):
            text = pool(tokens, valid)
            maps[role] = rearrange(head(features, text), "(b q) y x -> b q y x", q=count)
            texts[role] = rearrange(text, "(b q) d -> b q d", q=count)
        return maps, texts

    def _path(
        self, maps: Mapping[str, Float[Tensor, "b q g g"]], texts: Mapping[str, Float[Tensor, "b q d"]]
    ) -> Float[Tensor, "b q 8 2"]:
        """Between the peaks, and what the bend adds; the peaks are taught by the ends alone."""
        start, end = (_peak(maps[role].detach()) for role in ("start", "end"))
        ends = torch.cat([start, end], dim=-1)
        bend = self.bend(torch.cat([texts["end"], ends], dim=-1))
        share = torch.linspace(0, 1, PATH_POINTS, device=ends.device)[:, None]
        straight = start[..., None, :] * (1 - share) + end[..., None, :] * share
        return straight + rearrange(bend, "b q (n c) -> b q n c", c=2).float()


class _Residual(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            group_norm(channels),
            nn.SiLU(),
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            group_norm(channels),
        )

    def forward(self, x: Float[Tensor, "b c y x"]) -> Float[Tensor, "b c y x"]:
        return F.silu(self.body(x) + x)


class _HeatMap(nn.Module):
    """Features of pictures [b] and of several questions on each [b · q] -> one logit a cell and question."""

    def __init__(self, channels: int, hidden: int, text: int) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(channels, hidden, 1), nn.Conv2d(hidden, hidden, 1)
        self.films = nn.ModuleList(FiLM(text, hidden) for _ in range(2))
        self.out = nn.Conv2d(hidden, 1, 1)

    def forward(self, x: Float[Tensor, "b c y x"], text: Float[Tensor, "n d"]) -> Float[Tensor, "n y x"]:
        x = self.first(x).repeat_interleave(len(text) // len(x), 0)
        x = F.silu(self.films[0](x, text))
        x = F.silu(self.films[1](self.second(x), text))
        return self.out(x)[:, 0]


def _peak(maps: Float[Tensor, "b q g g"], reach: int = 2) -> Float[Tensor, "b q 2"]:
    """x, y of the highest cell in [0, 1], refined by the mean over its neighbourhood."""
    grid = maps.shape[-1]
    weights = maps.float().flatten(2).softmax(-1)
    best = weights.argmax(-1)
    row, column = best // grid, best % grid
    cells = torch.arange(grid, device=maps.device)
    near_row = (cells - row[..., None]).abs() <= reach
    near_column = (cells - column[..., None]).abs() <= reach
    local = weights.unflatten(-1, (grid, grid)) * near_row[..., :, None] * near_column[..., None, :]
    local = local / local.sum((-2, -1), keepdim=True)
    centres = (cells + 0.5) / grid
    return torch.stack([(local.sum(-2) * centres).sum(-1), (local.sum(-1) * centres).sum(-1)], dim=-1)


def _normalised(weights: Float[Tensor, "b q n"]) -> Float[Tensor, "b q n"]:
    """Rows that add up to 1; those of zeros stay zeros."""
    return weights / weights.sum(-1, keepdim=True).clamp_min(1e-9)


def _mean_over(values: Float[Tensor, "b q"], counted: Float[Tensor, "b q"]) -> Float[Tensor, "b"]:
    return values.sum(1) / counted.sum(1).clamp_min(1)
