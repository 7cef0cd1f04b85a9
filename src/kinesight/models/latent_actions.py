"""Farsighted-LAM (SSM-VLA, section III-A, Eq. 1-6): what happens in a video, as a few codes a key frame.

Frozen features of the present frame and of N later ones, or how they differ from the present ones, pass a
transformer over space and, causally, over time, with learned queries beside every frame: the codes of frame k
know frames 0 ... k (Eq. 1) and are looked up in a codebook (Eq. 2). A decoder that sees nothing but the
present RGB-D frame and the codes of one later frame draws that frame (Eq. 3). No action is read: video alone
trains it.

Where paper and published code disagree, this follows the paper: see docs/methods/ssm_vla.md.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from einops import rearrange, repeat
from jaxtyping import Bool, Float, Int, UInt8, UInt16
from torch import Generator, Tensor, nn

from kinesight.data.observed import millimetres
from kinesight.data.windows import from_observations
from kinesight.interfaces.model import Stream, Windows
from kinesight.models.masked_autoencoder import MaskedAutoencoder
from kinesight.nn.dinov2 import DinoV2
from kinesight.nn.layers import to_unit
from kinesight.nn.perceptual import Perceptual
from kinesight.nn.pictures import draw_shifts, metres, resized, shifted
from kinesight.nn.quantiser import Quantiser
from kinesight.nn.rgbd import FrameHead, Frames, colour_error, depth_error, pasted
from kinesight.nn.standardise import Standardise
from kinesight.nn.transformer import Block, SpaceTimeBlock, learned
from kinesight.nn.vit import VitConfig, as_patches, patch_grid
from kinesight.types.arrays import Depth, Image, Video
from kinesight.types.checks import check_at_least, check_heads
from kinesight.types.errors import DataError, UsageError
from kinesight.types.facts import DataFacts
from kinesight.types.observation import Observation, ViewRequest
from kinesight.types.windows import Offsets, Take, WindowSpec


@dataclass(frozen=True, slots=True)
class LatentActionsConfig:
    """Sizes, data and loss weights."""

    source: str = "demos"
    batch_size: int = 16
    frames: int = 3
    """N, later key frames."""
    gap: int = 4
    """Steps from one key frame to the next."""
    tokens: int = 4
    """Codes a key frame."""
    codes: int = 32
    """Size of the codebook."""
    code_features: int = 8
    size: int = 64
    """Edge at which frames are looked at, but by DINOv2, and drawn [px]; 0 for the data's own."""
    vit: VitConfig = field(default_factory=VitConfig)
    """Of the stage that taught the frozen features."""
    dinov2: str = ""
    """Folder, or name on the model hub, of a frozen DINOv2 (extra "hub") in place of `vit` and its stage."""
    differences: bool = False
    """Whether the encoder is shown how features differ from the present frame's, in place of the features
    themselves (Eq. 1), of which nearly all that varies is the scene: then codes say little else."""
    features: int = 128
    heads: int = 4
    encoder_blocks: int = 3
    decoder_blocks: int = 3
    patch: int = 8
    """Edge of the decoder's patches [px]."""
    depth: bool = True
    """Whether depth is seen and predicted; needs recorded or aligned depth."""
    depth_weight: float = 0.01
    """λ_d of Eq. 6."""
    commitment: float = 0.0
    """Weight of the commitment, which the paper does not give; 0 leaves it out. The codebook follows the
    encodings by itself, and the error of colours is a mean over pixels, most of which do not move: beside its
    gradient even 1e-4 of commitment draws all encodings to one code before they say anything."""
    perceptual: str = ""
    """Weights file of torchvision's VGG-16 for the perceptual term of Eq. 4; "" leaves the term out."""
    shift: int = 4
    """Random shift of all frames of an example in training [px]."""

    def __post_init__(self) -> None:
        check_at_least(self, 1, "frames", "gap", "tokens", "code_features", "patch")
        check_at_least(self, 1, "batch_size", "encoder_blocks", "decoder_blocks")
        check_at_least(self, 0, "size", "shift", "depth_weight", "commitment")
        check_heads(self)
        if self.codes < 2:
            raise UsageError(f"a codebook needs at least 2 codes, got {self.codes}")

    @property
    def taught(self) -> tuple[str, ...]:
        """Settings that the stage which teaches it has alike; empty where it learns from none."""
        return () if self.dinov2 else ("vit",)

    def build(self, facts: DataFacts) -> "LatentActions":
        return LatentActions(self, facts)


@dataclass(frozen=True, slots=True)
class LatentBatch:
    """The present frame and N later ones."""

    rgb: UInt8[Tensor, "b t y x 3"]
    valid: Bool[Tensor, "b t"]
    """Whether a frame lies inside the episode."""
    depth_mm: UInt16[Tensor, "b t y x"] | None = None


class LatentActions(nn.Module):
    """Video -> codes, and back."""

    def __init__(self, config: LatentActionsConfig, facts: DataFacts) -> None:
        super().__init__()
        self.config, self.facts = config, facts
        self.size = (config.size, config.size) if config.size else facts.image_size
        rule = Offsets(tuple(k * config.gap for k in range(config.frames + 1)))
        takes = {"rgb": Take("rgb.{camera}", rule)}
        if config.depth:
            takes["depth_mm"] = Take("depth_mm.{camera}", rule)
        self.spec = WindowSpec(takes)
        self.streams = {"latent": Stream(config.source, self.spec, config.batch_size)}
        self.loss_weights: Mapping[str, float] = {
            "rgb": 1.0,
            **({"commitment": config.commitment} if config.commitment else {}),
            **({"depth": config.depth_weight} if config.depth else {}),
            **({"perceptual": 1.0} if config.perceptual else {}),
        }
        self.perceptual = Perceptual(config.perceptual) if config.perceptual else None
        self.dino = DinoV2(config.dinov2) if config.dinov2 else None
        self.vit = None if self.dino else config.vit.build(self.size).requires_grad_(False)
        seen = self.dino or self.vit
        assert seen is not None, "one of the two is there"

        d = config.features
        self.inputs = nn.Sequential(nn.LayerNorm(seen.features), nn.Linear(seen.features, d))
        self.place = learned(seen.tokens, d)
        self.time = learned(config.frames + 1, 1, d)
        # As large as features: small ones stay alike, and all codes of a frame say the same.
        self.queries = nn.Parameter(torch.randn(config.frames + 1, config.tokens, d))
        self.encoder = nn.ModuleList(SpaceTimeBlock(d, config.heads) for _ in range(config.encoder_blocks))
        self.down = nn.Sequential(nn.LayerNorm(d), nn.Linear(d, config.code_features))
        self.spread = Standardise(config.frames, config.tokens, config.code_features)
        self.quantiser = Quantiser(config.codes, config.code_features)

        grid = patch_grid(self.size, config.patch)
        self.patches = nn.Linear((4 if config.depth else 3) * config.patch**2, d)
        self.position = learned(grid[0] * grid[1], d)
        # Which key frame is drawn need not be said by its codes.
        self.later = learned(config.frames, d)
        self.decoder = nn.ModuleList(Block(d, config.heads) for _ in range(config.decoder_blocks))
        # Codes scale and shift what every block looks at, from the first step on. As tokens or behind layers
        # that begin at zero they go unheard, and the encoder learns nothing.
        self.told = nn.ModuleList(
            nn.Linear(config.tokens * config.code_features, 2 * d) for _ in range(config.decoder_blocks)
        )
        for layer in self.told:
            assert isinstance(layer, nn.Linear), "made above"
            nn.init.normal_(layer.weight, std=0.05)
        self.head = FrameHead(d, config.patch, grid, config.depth)

    # Training

    @property
    def wants_teacher(self) -> bool:
        return self.vit is not None

    def adopt(self, teacher: nn.Module) -> None:
        """Take over the frozen features of a masked autoencoder."""
        assert self.vit is not None, "asked only if a teacher is wanted"
        if not isinstance(teacher, MaskedAutoencoder):
            raise UsageError(f"the features come from a MaskedAutoencoder, got a {type(teacher).__name__}")
        if (teacher.config.vit, teacher.size) != (self.config.vit, self.size):
            raise DataError(
                f"the features were trained as {teacher.config.vit} on "
                f"{teacher.size[0]} x {teacher.size[1]} px, the latent actions expect {self.config.vit} on "
                f"{self.size[0]} x {self.size[1]} px"
            )
        self.vit.load_state_dict(teacher.vit.state_dict())

    def parameter_groups(self) -> list[dict[str, Any]]:
        return [{"params": [p for p in self.parameters() if p.requires_grad]}]

    def load_pretrained(self) -> Mapping[str, str]:
        """Nothing begins from files; what measures the pictures is wanted in training, and nowhere else."""
        return {self.config.perceptual: self.perceptual.digest()} if self.perceptual else {}

    def frozen(self) -> Mapping[str, str]:
        return {self.config.dinov2: self.dino.digest()} if self.dino else {}

    def collate(self, stream: str, windows: Windows) -> LatentBatch:
        return LatentBatch(windows.values["rgb"], windows.valid["rgb"], windows.values.get("depth_mm"))

    def loss(self, stream: str, batch: LatentBatch, generator: Generator) -> dict[str, Float[Tensor, "b"]]:
        """Eq. 4-6: sums over the later frames that lie inside the episode."""
        moves = draw_shifts(len(batch.rgb), self.config.shift, generator, batch.rgb.device)
        depth_mm = None if batch.depth_mm is None else shifted(batch.depth_mm.to(torch.int32), moves)
        recorded = shifted(batch.rgb, moves)
        rgb, depth_m = self.pictures(recorded, depth_mm)
        inside = batch.valid[:, 1:]
        vectors = self.spread(self._encode(self._features(recorded, rgb)).float(), inside)
        quantised = self.quantiser(
            rearrange(vectors, "b t n e -> (b t) n e"),
            repeat(inside, "b t -> (b t) n", n=self.config.tokens),
            generator,
        )
        drawn = self._decode(rgb[:, 0], None if depth_m is None else depth_m[:, 0], quantised.vectors)
        later = rgb[:, 1:].flatten(0, 1)
        terms = {"rgb": colour_error(drawn.rgb, later)}
        if self.config.commitment:
            terms["commitment"] = quantised.commitment.mean(-1)
        if depth_m is not None:
            assert drawn.depth_m is not None, "the head was built with depth"
            terms["depth"] = depth_error(drawn.depth_m, depth_m[:, 1:].flatten(0, 1), later)
        if self.perceptual is not None:
            terms["perceptual"] = self.perceptual(drawn.rgb, later)
        shape = inside.shape
        return {name: (value.float().view(shape) * inside).sum(1) for name, value in terms.items()}

    def pictures(
        self, rgb: UInt8[Tensor, "b t y x 3"], depth_mm: Tensor | None
    ) -> tuple[Float[Tensor, "b t 3 h w"], Float[Tensor, "b t 1 h w"] | None]:
        """Colours in [0, 1] and depth in metres, at the size that the network works at."""
        colours = (resized(to_unit(rgb), self.size) + 1) / 2
        return colours, metres(depth_mm, self.size) if self.config.depth and depth_mm is not None else None

    def _encode(self, features: Float[Tensor, "b t n d"]) -> Float[Tensor, "b k m e"]:
        """Eq. 1: vectors of the later frames' codes, before they are spread out and looked up."""
        frames = features.shape[1]
        if self.config.differences:
            features = features - features[:, :1]
        x = self.inputs(features) + self.place
        queries = self.queries[:frames].to(x.dtype).expand(len(x), -1, -1, -1)
        x = torch.cat([queries, x], dim=2) + self.time[:frames]
        for block in self.encoder:
            x = block(x)
        return self.down(x[:, 1:, : self.config.tokens])

    @torch.no_grad()
    def _features(
        self, recorded: UInt8[Tensor, "b t y x 3"], rgb: Float[Tensor, "b t 3 h w"]
    ) -> Float[Tensor, "b t n d"]:
        """DINOv2 has a size of its own, larger than that of `rgb`: it looks at the frames as they came."""
        pictures, see = (to_unit(recorded), self.dino) if self.dino else (2 * rgb - 1, self.vit)
        assert see is not None, "one of the two is there"
        return see(pictures.flatten(0, 1)).unflatten(0, rgb.shape[:2])

    def _decode(
        self,
        rgb: Float[Tensor, "b 3 h w"],
        depth_m: Float[Tensor, "b 1 h w"] | None,
        vectors: Float[Tensor, "m n e"],
    ) -> Frames:
        """Eq. 3: the next m / b key frames for each known one, every one from its own codes alone."""
        each = len(vectors) // len(rgb)
        rgb = rgb.repeat_interleave(each, 0)
        if depth_m is not None:
            depth_m = depth_m.repeat_interleave(each, 0)
        known = 2 * rgb - 1 if depth_m is None else torch.cat([2 * rgb - 1, depth_m / 2], dim=1)
        later = self.later[:each].repeat(len(rgb) // each, 1)
        x = self.patches(as_patches(known, self.config.patch)) + self.position + later[:, None]
        for block, told in zip(self.decoder, self.told, strict=True):
            scale, shift = told(vectors.flatten(1))[:, None].chunk(2, dim=-1)
            x = block(x * (1 + scale) + shift)
        return self.head(x, rgb, depth_m)

    # Use

    @property
    def request(self) -> ViewRequest:
        return replace(self.facts.request, depth=self.config.depth)

    @torch.inference_mode()
    def seen(self, rgb: UInt8[Tensor, "b t y x 3"]) -> Float[Tensor, "b t n d"]:
        """Frozen features of every frame."""
        with torch.autocast(rgb.device.type, enabled=False):
            return self._features(rgb, self.pictures(rgb, None)[0])

    @torch.inference_mode()
    def codes(self, seen: Float[Tensor, "b t n d"]) -> Int[Tensor, "b k m"]:
        """Codes of the later frames, from the features of the present frame and up to N later ones."""
        with torch.autocast(seen.device.type, enabled=False):
            vectors = self.spread(self._encode(seen).float())
            return self.quantiser.nearest(nn.functional.normalize(vectors, dim=-1))

    @torch.inference_mode()
    def decode(
        self,
        rgb: UInt8[Tensor, "b y x 3"],
        depth_mm: UInt16[Tensor, "b y x"] | None,
        codes: Int[Tensor, "b k n"],
    ) -> Frames:
        """The k frames that follow on each known one, at the network's size."""
        colours, depth_m = self.pictures(rgb[:, None], None if depth_mm is None else depth_mm[:, None])
        if self.config.depth and depth_m is None:
            raise UsageError("these latent actions were trained on RGB-D; decoding needs the present depth")
        vectors = self.quantiser.embed(codes).flatten(0, 1)
        return self._decode(colours[:, 0], None if depth_m is None else depth_m[:, 0], vectors)

    def batch_from(
        self, observations: Sequence[Observation], valid: Sequence[bool] | None = None
    ) -> LatentBatch:
        """The same batch as from the store, of the present frame and N later ones."""
        (camera,) = observations[0].views
        marks = {} if valid is None else dict.fromkeys(self.spec.takes, valid)
        frames = dict.fromkeys(self.spec.takes, observations)
        windows = from_observations(frames, self.spec, camera, marks, self.place.device)
        return self.collate("latent", windows)

    @property
    def steps(self) -> tuple[int, ...]:
        return tuple((k + 1) * self.config.gap for k in range(self.config.frames))

    @property
    def depth(self) -> bool:
        return self.config.depth

    def codes_of(self, clip: Video) -> Int[np.ndarray, "k n"]:
        """What really happened, in codes: of the present frame and up to N later ones."""
        if not 1 <= len(clip) <= self.config.frames + 1:
            raise UsageError(
                f"codes are those of the present frame and at most {self.config.frames} later ones, got "
                f"{len(clip)} frames"
            )
        rgb = torch.from_numpy(clip.copy())[None].to(self.place.device)
        return self.codes(self.seen(rgb))[0].cpu().numpy()

    def draw(self, now: Image, depth_m: Depth | None, codes: Int[np.ndarray, "k n"]) -> Video:
        """What codes say will happen, at the size of the picture that is known."""
        frames, tokens, size = self.config.frames, self.config.tokens, self.config.codes
        if not 1 <= len(codes) <= frames or codes.shape[1] != tokens:
            raise UsageError(
                f"a plan has up to {frames} key frames of {tokens} codes, got {len(codes)} of "
                f"{codes.shape[1]}"
            )
        if codes.min() < 0 or codes.max() >= size:
            raise UsageError(
                f"codes lie in 0 … {size - 1}, got {codes.min()} … {codes.max()}; recorded ones below 0 "
                "stand for key frames after the end of the episode"
            )
        device = self.place.device
        rgb = torch.from_numpy(now.copy())[None].to(device)
        depth_mm = None
        if depth_m is not None:
            depth_mm = torch.from_numpy(millimetres(depth_m))[None].to(device)
        frames = self.decode(rgb, depth_mm, torch.from_numpy(codes)[None].to(device))
        return pasted(now, frames)
