"""How good a LAM's codes are, by key frame: use of the codebook, and what its decoder draws from them."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from kinesight.models.latent_actions import LatentActions, LatentBatch
from kinesight.nn.quantiser import perplexity
from kinesight.nn.rgbd import moving, moving_error


@dataclass(frozen=True, slots=True)
class Horizon:
    """How good the codes of one key frame are, over a batch."""

    steps: int
    """From the present frame."""
    perplexity: float
    used: int
    """Codes that occur at all."""
    error: float
    """Mean absolute error of the drawn frame where something moves, of the full range."""
    copy_error: float
    """The same for the present frame, repeated."""
    other_error: float
    """The same for the codes of another example."""
    still_error: float
    """The same for the codes of the present frame, repeated: what is no better than this, the codes do not
    say of the future. Codes that name the scene have a small error, a larger `other_error`, and this one."""
    still_share: float
    """Codes that are those of the present frame, repeated."""


@torch.inference_mode()
def measure_horizons(model: LatentActions, batch: LatentBatch) -> tuple[Horizon, ...]:
    """Of every key frame, over those of the batch that lie inside their episodes."""
    seen = model.seen(batch.rgb)
    codes, still = model.codes(seen), model.codes(seen[:, :1].expand_as(seen))
    depth_mm = None if batch.depth_mm is None else batch.depth_mm[:, 0]
    predicted, others, unmoved = (
        model.decode(batch.rgb[:, 0], depth_mm, some).rgb.unflatten(0, codes.shape[:2])
        for some in (codes, _of_others(codes, batch.valid[:, 1:]), still)
    )
    rgb = model.pictures(batch.rgb, None)[0]
    found = []
    for k, steps in enumerate(model.steps):
        inside = batch.valid[:, k + 1]
        now, later = rgb[inside, 0], rgb[inside, k + 1]
        region, used = moving(now, later), codes[inside, k]
        same = used == still[inside, k]
        found.append(
            Horizon(
                steps=steps,
                perplexity=perplexity(used, model.config.codes) if len(used) else 0.0,
                used=len(used.unique()),
                error=moving_error(predicted[inside, k], later, region),
                copy_error=moving_error(now, later, region),
                other_error=moving_error(others[inside, k], later, region),
                still_error=moving_error(unmoved[inside, k], later, region),
                still_share=float(same.float().mean()) if len(used) else 0.0,
            )
        )
    return tuple(found)


def _of_others(codes: Int[Tensor, "b k m"], inside: Bool[Tensor, "b k"]) -> Int[Tensor, "b k m"]:
    """Each example's key frames with the codes of another example, whose key frame lies inside too."""
    others = codes.clone()
    for k, there in enumerate(inside.unbind(1)):
        others[there, k] = codes[there, k].roll(1, 0)
    return others
