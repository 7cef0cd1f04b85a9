"""The README's picture: imagined strips of a quickstart's gallery above what the camera really showed.

python scripts/readme_picture.py runs/quickstart docs/images/imagined_vs_real.png door-open door-close
"""

from pathlib import Path
from typing import Annotated

import cv2
import numpy as np
import tyro

from kinesight.evaluation.gallery import GalleryItem, read_items, read_strip

GAP, LABEL = 6, 84


def main(
    run: Annotated[Path, tyro.conf.Positional],
    out: Annotated[Path, tyro.conf.Positional],
    tasks: Annotated[tuple[str, ...], tyro.conf.Positional],
) -> None:
    """Take the first video of each task's first recorded success.

    Args:
        run: folder of a finished quickstart
        out: PNG to write
        tasks: tasks to show
    """
    items = [item for item in read_items(run) if item.success]
    chosen = [next(item for item in items if item.case.task == task) for task in tasks]
    rows = [row for item in chosen for row in (*_pair(run, item), None)][:-1]
    width = max(row.shape[1] for row in rows if row is not None)
    padded = [_pad(row, width) for row in rows]
    out.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(out), np.concatenate(padded))


def _pair(run: Path, item: GalleryItem) -> tuple[np.ndarray, np.ndarray]:
    segment = item.segments[0]
    strips = (_decode(read_strip(run, item, name)) for name in (segment.imagined, segment.seen))
    imagined, seen = (_labelled(s, text) for s, text in zip(strips, ("imagined", "real"), strict=True))
    return imagined, seen


def _decode(data: bytes) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)


def _labelled(strip: np.ndarray, text: str) -> np.ndarray:
    margin = np.full((strip.shape[0], LABEL, 3), 255, np.uint8)
    cv2.putText(
        margin, text, (4, strip.shape[0] // 2), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (90, 90, 90), 1, cv2.LINE_AA
    )
    return np.concatenate([margin, strip], axis=1)


def _pad(row: np.ndarray | None, width: int) -> np.ndarray:
    if row is None:
        return np.full((GAP, width, 3), 255, np.uint8)
    return np.pad(row, ((0, 2), (0, width - row.shape[1]), (0, 0)), constant_values=255)


if __name__ == "__main__":
    tyro.cli(main)
