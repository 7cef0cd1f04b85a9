"""Attention on a CPU, forth and back: PyTorch's in bfloat16 and in float32, and ours, which takes the faster.

    python bench/attention.py --out runs/bench-attention

Sizes are those of the stages of `ssm-vla-small`, and a longer one; queries, keys and values lie in memory as
one linear layer gives them. One thread, the least CPU time of several repeats.
"""

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from einops import rearrange
from ssm_vla import cpu_s
from torch import Tensor
from torch.nn import functional as F

from kinesight.evaluation.provenance import hardware, versions
from kinesight.nn.attention import attend
from kinesight.types.files import write_atomic

SIZES = {
    "features": (64, 4, 16, 32),
    "lam": (96, 4, 64, 32),
    "policy": (32, 4, 170, 32),
    "long": (8, 4, 576, 32),
}
"""Batch, heads, tokens, features a head."""
WAYS: dict[str, tuple[Callable[..., Tensor], torch.dtype]] = {
    "bfloat16": (F.scaled_dot_product_attention, torch.bfloat16),
    "float32": (F.scaled_dot_product_attention, torch.float32),
    "ours, of bfloat16": (attend, torch.bfloat16),
}


def milliseconds(
    way: Callable[..., Tensor], dtype: torch.dtype, size: tuple[int, ...], repeats: int
) -> float:
    """Of one pass and its gradient."""
    generator = torch.Generator().manual_seed(0)
    batch, heads, count, features = size
    drawn = torch.randn(batch, count, 3 * heads * features, generator=generator).to(dtype).requires_grad_()

    def there_and_back() -> None:
        way(*rearrange(drawn, "b n (s h d) -> s b h n d", s=3, h=heads)).sum().backward()

    return 1000 * cpu_s(there_and_back, repeats)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--out", type=Path, default=Path("runs/bench-attention"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    found: dict[str, Any] = {"hardware": hardware(), "versions": versions(), "threads": 1}
    print(f"{found['hardware']['cpu']}, 1 thread, CPU ms")
    for name, size in SIZES.items():
        found[name] = {
            label: milliseconds(way, dtype, size, options.repeats) for label, (way, dtype) in WAYS.items()
        }
        told = ", ".join(f"{label} {taken:.1f}" for label, taken in found[name].items())
        print(f"{name:10s} {told}", flush=True)
    write_atomic(options.out / "attention.json", json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
