"""What the small set of these tests is made with."""

from pathlib import Path

from kinesight.collection.grounding.make import GroundConfig

CONFIG = GroundConfig(
    env="tabletop",
    tasks=("pick-place",),
    episodes=2,
    cameras=("front", "free"),
    looks=("own",),
    height=112,
    width=128,
    moments=4,
    codec="png",
    modalities=("rgb", "depth", "segmentation"),
)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}
