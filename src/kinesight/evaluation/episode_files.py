"""The files that a shown episode can be written to."""

from collections.abc import Callable
from pathlib import Path

import cv2

from kinesight.evaluation.episode_page import episode_page
from kinesight.evaluation.episode_sheet import episode_sheet
from kinesight.evaluation.episode_viewer import require_rerun, write_recording
from kinesight.evaluation.shown_episode import ShownEpisode
from kinesight.types.errors import UsageError
from kinesight.types.files import write_atomic

Writer = Callable[[Path, ShownEpisode], None]


def writer(out: Path) -> Writer:
    """By the ending of the file's name; what cannot be written is answered before an episode is played."""
    if out.suffix not in WRITERS:
        raise UsageError(f"an episode is shown in a file that ends in {', '.join(WRITERS)}, got {out}")
    if out.suffix == ".rrd":
        require_rerun()
    return WRITERS[out.suffix]


def _write_png(out: Path, episode: ShownEpisode) -> None:
    _, data = cv2.imencode(".png", cv2.cvtColor(episode_sheet(episode), cv2.COLOR_RGB2BGR))
    write_atomic(out, data.tobytes())


def _write_page(out: Path, episode: ShownEpisode) -> None:
    write_atomic(out, episode_page(episode))


WRITERS: dict[str, Writer] = {".png": _write_png, ".html": _write_page, ".rrd": write_recording}
