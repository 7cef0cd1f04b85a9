"""The page: its numbers are the results', it stands alone, and its folder is all it needs."""

import json
import re
import shutil
from collections.abc import Sequence
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from evaluation_samples import imagined, picture, results

from kinesight.evaluation.gallery import (
    GalleryItem,
    case_name,
    encode_strip,
    goal_ends,
    read_items,
    write_item,
)
from kinesight.evaluation.page import duration
from kinesight.evaluation.recording import arrange, write_video
from kinesight.evaluation.report import read_curves, rebuild_report, write_report
from kinesight.evaluation.results import read_results, to_record
from kinesight.types.decision import Event
from kinesight.types.errors import DataError, UsageError

VOID = {"meta", "img", "br"}


class Checker(HTMLParser):
    """Every element is closed in order; collects addresses and text."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.addresses: list[str] = []
        self.words: list[str] = []
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.addresses += [value for name, value in attrs if name in ("src", "href") and value]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"</{tag}> closes nothing; open: {self.open}"

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def check(page: Path) -> tuple[Checker, str]:
    checker = Checker()
    checker.feed(page.read_text())
    checker.close()
    assert not checker.open, f"never closed: {checker.open}"
    return checker, re.sub(r"\s+", " ", " ".join(checker.words))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An evaluation's folder with a gallery, a video and training metrics."""
    frames = {step: picture(40 + step) for step in range(0, 44, 4)}
    events = [
        Event(0, "imagine", "first", imagined()), Event(0, "reject", "gripper <leaves> the picture"),
        Event(0, "imagine", "second", imagined()), Event(0, "accept", "score 0.9"),
        Event(12, "goal", ""), Event(20, "goal", ""),
    ]  # fmt: skip
    out = tmp_path / "eval"
    for episode in results().episodes[2:4]:
        shown = replace(episode, steps=40, events=tuple(events))
        segments, strips = arrange(frames, events, 40, 32)
        item = GalleryItem(shown.case, shown.success, 40, "open the door", segments, to_record(shown).events)
        write_item(out, item, strips)
        write_video(out / "videos" / f"{case_name(shown.case)}.mp4", np.stack(list(frames.values())), 10)
    lines = [{"step": 10 * n, "loss/noise": 2.0**-n, "learning_rate": 1e-4} for n in range(1, 400)]
    (tmp_path / "metrics.jsonl").write_text("\n".join(map(json.dumps, lines)))
    return out


def write(folder: Path) -> Path:
    rows = {"blind replay": results("blind", 0.2), "oracle goals": results("oracle", 0.9)}
    curves = {"Video model": folder.parent / "metrics.jsonl"}
    return write_report(folder, results(), rows, phases={"collect": 83.0, "train": 3720.0}, curves=curves)


def test_the_page_says_what_the_results_say(folder: Path) -> None:
    page = write(folder)
    summary = json.loads((folder / "results.json").read_text())["summary"]
    _, text = check(page)
    assert f"{100 * summary['success_rate']:.1f} % success" in text
    low, high = (f"{100 * limit:.1f}" for limit in summary["wilson_95"])
    assert f"95 % interval {low} to {high} %" in text
    assert "6 of 12 episodes" in text
    assert "steps plans videos seconds" in text
    for expected in (
        "spatial policy", "shifted", "door-open", "hammer", "blind replay", "oracle goals", "1 min 23 s",
        "1 h 2 min", "abc123", "Example 9000", "2030-01-02", "kinesight evaluate runs/x", "3f9a21c08be1",
        "imagine 0.8 s", "gripper <leaves> the picture", "1. reach [1, -1, 0] [0.11]", "privileged: scene",
    ):  # fmt: skip
        assert expected in text, expected
    assert ".031" in text.replace("&lt;", "<") or "−33.3" in text, (
        "the blind row differs by four cases of twelve"
    )


def test_every_row_is_told_by_group_in_the_file_and_on_the_page(tmp_path: Path) -> None:
    weak = results("control", 0.0)
    write_report(tmp_path, results(solved=1.0), {"control": weak})
    assert read_results(tmp_path) == results(solved=1.0)
    agent, control = json.loads((tmp_path / "results.json").read_text())["rows"]
    assert (agent["agent"], control["agent"]) == ("spatial policy", "control")
    assert {name: group["success_rate"] for name, group in agent["per_group"].items()} == {
        "easy": 1.0,
        "medium": 1.0,
    }
    easy = control["per_group"]["easy"]
    assert (easy["successes"], easy["episodes"], easy["difference"]) == (0, 6, -1.0)
    assert easy["mcnemar_p"] == pytest.approx(2 * 0.5**6)
    assert control["mcnemar_p"] == pytest.approx(2 * 0.5**12)
    _, text = check(tmp_path / "report.html")
    (told,) = re.findall(r"By task and agent.*?How this was made", text)
    assert re.search(r"easy 100 61–100 0 0–39, p .031 door-open 100 0 medium", told), told


def test_the_page_stands_alone(folder: Path) -> None:
    checker, _ = check(write(folder))
    assert checker.addresses, "the gallery has pictures"
    assert all(address.startswith("data:") for address in checker.addresses)
    assert {"img", "video", "svg", "script"} <= set(checker.tags)
    page = (folder / "report.html").read_text()
    assert "default-src 'none'" in page
    assert not re.search(r"url\(|@import|https?://", page)


def test_the_folder_is_enough_to_make_it_again(folder: Path, tmp_path: Path) -> None:
    first = write(folder).read_text()
    moved = tmp_path / "elsewhere"
    shutil.move(folder, moved)
    (tmp_path / "metrics.jsonl").unlink()
    (moved / "report.html").unlink()
    assert rebuild_report(moved).read_text() == first


def test_results_alone_make_a_page(tmp_path: Path) -> None:
    bare = replace(results(solved=0.0), versions={}, hardware={}, command="", checkpoints={}, privileged=())
    stripped = tuple(replace(e, counts={}, timings_s={}, events=()) for e in bare.episodes)
    _, text = check(write_report(tmp_path, replace(bare, episodes=stripped)))
    assert "0.0 % success" in text
    assert "Imagined and real" not in text
    assert "Against the controls" not in text
    assert "nothing a real robot would not have" in text
    assert "steps seconds slowest stage" in text, "no column that no row fills"


def test_failures_come_first_and_foreign_items_stay_out(folder: Path) -> None:
    items = read_items(folder)
    assert [item.success for item in items] == [False, True]
    other = replace(items[0], case=replace(items[0].case, seed=99))
    write_item(folder, replace(other, segments=()), {})
    page = write(folder).read_text()
    assert page.index('data-outcome="failure"') < page.index('data-outcome="success"')
    assert "seed 99" not in page


def test_rows_must_be_paired_and_named(folder: Path) -> None:
    with pytest.raises(UsageError, match="cases differ"):
        write_report(folder, results(), [results("other", seeds=3)])
    with pytest.raises(UsageError, match="same agent name"):
        write_report(folder, results(), [results("other"), results("other")])


def test_bad_files_are_named(folder: Path) -> None:
    write(folder)
    metrics = folder.parent / "metrics.jsonl"
    metrics.write_text('{"step": 1, "loss": 0.5}\n{"step": 2, "lo')
    with pytest.raises(DataError, match=r"metrics.jsonl, line 2: not JSON"):
        read_curves(metrics)
    metrics.write_text('{"loss": 0.5}')
    with pytest.raises(DataError, match=r'line 1: expected an object with a number "step"'):
        read_curves(metrics)
    with pytest.raises(DataError, match="cannot be read"):
        read_curves(folder / "absent.jsonl")
    next(folder.glob("gallery/*/seen-01.jpg")).unlink()
    with pytest.raises(DataError, match=r"seen-01.jpg: missing"):
        rebuild_report(folder)
    (folder / "results.json").unlink()
    with pytest.raises(DataError, match="kinesight evaluate"):
        rebuild_report(folder)


def test_curves_are_thinned_and_skip_what_is_not_finite(folder: Path) -> None:
    (curve,) = read_curves(folder.parent / "metrics.jsonl")
    assert curve.name == "loss/noise"
    assert len(curve.steps) == len(curve.values) == 240
    assert np.all(np.diff(curve.values) <= 0)
    file = folder.parent / "other.jsonl"
    file.write_text('{"step": 1, "loss": NaN}\n{"step": 2, "loss": 3}\n{"step": 3, "lr": 1}')
    assert read_curves(file)[0].values == (3.0,)


def test_goals_end_where_the_agent_went_on() -> None:
    assert goal_ends(0, 40, 4, [12, 20]) == (12, 20, 40)
    assert goal_ends(0, 40, 4, None) == (10, 20, 30, 40)
    assert goal_ends(0, 40, 4, []) == (40,)
    assert goal_ends(0, 40, 2, [5, 9, 15]) == (5, 40)
    assert goal_ends(8, 8, 4, []) == ()


def test_frames_of_a_strip_stand_side_by_side() -> None:
    import cv2

    frames = np.stack([np.full((24, 24, 3), level, np.uint8) for level in (0, 120, 240)])
    strip = cv2.imdecode(np.frombuffer(encode_strip(frames, 32), np.uint8), cv2.IMREAD_COLOR)
    assert strip is not None
    assert strip.shape == (32, 96, 3)
    assert [int(strip[16, x].mean()) for x in (8, 48, 88)] == pytest.approx([0, 120, 240], abs=4)


def test_an_agent_that_imagines_nothing_shows_what_it_saw() -> None:
    segments, strips = arrange({step: picture(step) for step in range(0, 41, 4)}, [], 40, 32)
    assert segments[0].imagined == ""
    assert (segments[0].seen_steps[0], segments[0].seen_steps[-1]) == (0, 40)
    assert list(strips) == ["seen-00.jpg"]


def test_durations_read_well() -> None:
    assert [duration(s) for s in (0.44, 42.0, 83.2, 3720.0)] == ["0.4 s", "42 s", "1 min 23 s", "1 h 2 min"]
