"""Do ground records teach? A small model trained on them, on questions of scenes that it never saw.

    python bench/pointing.py train --data data/ground --run runs/pointing-small
    python bench/pointing.py measure --data data/ground --run runs/pointing-small --out runs/bench-pointing

`train` goes on from the last checkpoint; `--steps` shortens it. `measure` asks the test questions and prints,
by kind of question, for the model, the best constant answer (chosen on the test questions themselves) and the
same model that is shown other scenes with the same questions:

    point   share of questions whose point lies on the thing (Wilson 95 %)
    paths   RMSE over eight points in thousandths of the sides (bootstrap 95 %)

and the paired difference to the shuffled control (bootstrap over questions). A picture of answers is drawn.
"""

import argparse
import json
import time
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from kinesight.data.ground_set import GroundSet
from kinesight.evaluation.bootstrap import bootstrap_interval
from kinesight.evaluation.spatial_questions import PathTruth, RegionTruth
from kinesight.evaluation.spatial_score import format_score, score, write_score
from kinesight.evaluation.statistics import wilson_interval
from kinesight.experiments.pointing import (
    DIALECT,
    SMALL,
    Examined,
    examined,
    load_pointing,
    other_pictures,
    replies,
    terms,
    train_pointing,
)
from kinesight.geometry.overlay import draw_marker, draw_path
from kinesight.language.dialects.catalogue import read

TILE = 256


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("what", choices=("train", "measure"))
    parser.add_argument("--data", required=True, help="ground sets, comma-separated")
    parser.add_argument("--run", type=Path, default=Path("runs/pointing-small"))
    parser.add_argument("--steps", type=int, default=SMALL.training.steps)
    parser.add_argument("--subset", default="test")
    parser.add_argument("--out", type=Path, default=Path("runs/bench-pointing"))
    options = parser.parse_args()
    folders = [Path(folder) for folder in options.data.split(",")]
    if options.what == "train":
        recipe = replace(SMALL, training=replace(SMALL.training, steps=options.steps))
        began, wall = time.process_time(), time.time()
        checkpoint = train_pointing(recipe, folders, options.run)
        print(f"{checkpoint}: {time.process_time() - began:.0f} s of one core, {time.time() - wall:.0f} s")
    else:
        measure(folders, options)


def measure(folders: list[Path], options: argparse.Namespace) -> None:
    options.out.mkdir(parents=True, exist_ok=True)
    model, exam = load_pointing(options.run), examined(folders, options.subset, SMALL)
    print(
        f"{len(exam.questions)} questions, {len(exam.data.images)} pictures, {len(set(exam.scenes))} scenes"
    )
    said, control = replies(model, exam), replies(model, exam, other_pictures(exam))
    result = score(said, exam.questions, DIALECT)
    write_score(options.out / "model.json", result)
    print(format_score(result))
    found = {}
    print("\nthe same questions with other pictures, and the model minus that, paired; 95 % intervals")
    for group in dict.fromkeys(question.group for question in exam.questions):
        asked = [question for question in exam.questions if question.group == group]
        metric = "hit_rate" if isinstance(asked[0].truth, RegionTruth) else "rmse"
        own, other = (terms(answers, asked, metric) for answers in (said, control))
        shares = metric == "hit_rate"
        around = wilson_interval(int(other.sum()), len(other)) if shares else bootstrap_interval(other)
        gain = bootstrap_interval(own - other)
        found[group] = {
            "questions": len(asked), "metric": metric, "model": own.mean(), "other": other.mean(),
            "other_95": [around.low, around.high], "difference": (own - other).mean(),
            "difference_95": [gain.low, gain.high],
        }  # fmt: skip
        print(
            f"{group:14s} {metric:9s} {other.mean():8.3f}  {around.low:.3f} … {around.high:.3f}"
            f"   {(own - other).mean():8.3f}  {gain.low:.3f} … {gain.high:.3f}"
        )
    (options.out / "control.json").write_text(json.dumps(found, indent=1))
    sheet = drawn(exam, said, folders, options.subset)
    cv2.imwrite(str(options.out / "pointing.png"), sheet[..., ::-1])


def drawn(exam: Examined, said: dict[str, str], folders: list[Path], subset: str) -> np.ndarray:
    """Questions of the first scenes, one each: answers in red, true paths in green, what is asked below."""
    grounds = [GroundSet(folder, subset, SMALL.types) for folder in folders]
    tiles, seen = [], set()
    wanted = ["point", "point", "next-path", "object-path", "gripper-path"]
    for question in exam.questions:
        number, _, name = question.name.partition("/")
        scene = f"{number}/{name.split('/')[0]}"
        if len(tiles) == 15:
            break
        if scene in seen or question.group != wanted[len(tiles) % len(wanted)]:
            continue
        seen.add(scene)
        ground = grounds[int(number)]
        index = next(i for i in range(len(ground)) if ground.record(i).name == name)
        picture = cv2.resize(
            ground.image(ground.frame_of(index)), (TILE, TILE), interpolation=cv2.INTER_CUBIC
        )
        kind = "path" if isinstance(question.truth, PathTruth) else "points"
        answer = read(said[question.name], kind, question.size, DIALECT)
        if isinstance(question.truth, PathTruth):
            picture = draw_path(picture, TILE * question.truth.path.points, (60, 200, 90))
            picture = draw_path(picture, TILE * answer.points, (230, 60, 60))
        else:
            picture = draw_marker(picture, TILE * np.array(answer[0].xy))
        tiles.append(captioned(picture, question.text))
    tiles += [np.full_like(tiles[0], 255)] * (-len(tiles) % 5)
    return np.vstack([np.hstack(tiles[i : i + 5]) for i in range(0, len(tiles), 5)])


def captioned(picture: np.ndarray, text: str) -> np.ndarray:
    strip = np.full((58, TILE, 3), 255, np.uint8)
    words, lines = text.split(), [""]
    for word in words:
        longer = f"{lines[-1]} {word}".strip()
        lines = [*lines[:-1], longer] if len(longer) <= 42 else [*lines, word]
    for number, line in enumerate(lines[:4]):
        place = (3, 12 + 14 * number)
        cv2.putText(strip, line, place, cv2.FONT_HERSHEY_SIMPLEX, 0.36, (30, 30, 30), 1, cv2.LINE_AA)
    return np.vstack([picture, strip])


if __name__ == "__main__":
    main()
