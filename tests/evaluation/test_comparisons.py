"""What an agent foresaw stands under what happened, in the gallery and on the page."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from evaluation_samples import picture, results

from kinesight.evaluation import page
from kinesight.evaluation.gallery import GalleryItem, read_items, write_item
from kinesight.evaluation.recording import arrange
from kinesight.evaluation.report import write_report
from kinesight.evaluation.results import from_record, to_record
from kinesight.types.decision import Comparison, Event


def video(*levels: int) -> np.ndarray:
    return np.stack([picture(level) for level in levels])


COMPARISON = Comparison(
    steps=(8, 12, 16),
    rows={"real": video(10, 60, 110), "imagined": video(10, 90), "true codes": video(10, 60, 120)},
)
FORESEEN = Event(16, "foresight", "predicted at step 8, 3 of 4 codes right", comparison=COMPARISON)
FRAMES = {step: picture(40 + step) for step in range(0, 44, 4)}


def test_every_row_is_a_strip_of_its_own_length() -> None:
    segments, strips = arrange(FRAMES, [FORESEEN], 40, 32)
    (segment,) = segments
    assert (segment.step, segment.until, segment.seen_steps) == (8, 16, (8, 12, 16))
    assert (segment.verdict, segment.reason) == ("foresight", FORESEEN.reason)
    assert [(row.caption, row.frames) for row in segment.rows] == [("imagined", 2), ("true codes", 3)]
    names = [segment.seen, *(row.strip for row in segment.rows)]
    assert set(names) == set(strips)
    for name, frames in zip(names, COMPARISON.rows.values(), strict=True):
        decoded = cv2.imdecode(np.frombuffer(strips[name], np.uint8), cv2.IMREAD_COLOR)
        assert decoded.shape == (32, 32 * len(frames), 3)
        bright = decoded[24, 16::32, 0].astype(int)
        assert np.abs(bright - [int(frame[24, 16, 0]) for frame in frames]).max() <= 6


def test_the_page_names_every_row(tmp_path: Path) -> None:
    made = results()
    failed = next(episode for episode in made.episodes if not episode.success)
    segments, strips = arrange(FRAMES, [FORESEEN], 40, 32)
    item = GalleryItem(failed.case, False, failed.steps, "open the door", segments)
    write_item(tmp_path, item, strips)
    assert read_items(tmp_path) == [item]
    page = write_report(tmp_path, made).read_text()
    for text in (
        "<span>imagined</span>",
        "<span>true codes</span>",
        "3 of 4 codes right",
        "The first picture of a row is the frame seen when the prediction was made",
    ):
        assert text in page
    assert page.count("data:image/jpeg") == 3


def test_a_page_that_cannot_show_all_shows_failures_and_successes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = results()
    outcomes = [episode.success for episode in made.episodes]
    segments, strips = arrange(FRAMES, [FORESEEN], 40, 32)
    for episode in made.episodes:
        item = GalleryItem(episode.case, episode.success, episode.steps, "open the door", segments)
        write_item(tmp_path, item, strips)
    size = sum(map(len, strips.values()))
    monkeypatch.setattr(page, "INLINE_BYTES", 4 * size)
    found = page.gallery(tmp_path, made)
    assert found is not None
    assert (found.kept_failures, found.kept_successes) == (outcomes.count(False), outcomes.count(True))
    assert (found.failures, found.successes) == (2, 2)
    assert [card.item.success for card in found.cards] == [False, False, True, True]


def test_results_hold_no_pictures() -> None:
    (episode, *_) = results().episodes
    told = to_record(replace(episode, events=(FORESEEN,)))
    (event,) = from_record(told).events
    assert event.comparison is None
    assert (event.step, event.kind, event.reason) == (16, "foresight", FORESEEN.reason)


def test_a_row_longer_than_the_steps_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="1 columns has rows of"):
        Comparison((0,), {"real": video(1, 2)})
