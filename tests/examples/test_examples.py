"""The numbered examples run at tiny size and show what they say."""

import cv2
import pytest

from kinesight.language.plan_text import parse_plan

pytestmark = pytest.mark.slow


def test_plan_and_imagine_goes_through_every_stage(workplace):
    lines = workplace.printed.splitlines()
    assert "Instruction: press the handle down" in lines
    first = lines.index("Plan:")
    plan = parse_plan("\n".join(lines[first : first + 3]))
    assert [row.verb for row in plan.rows] == ["move", "push"]
    kinds = [line.split()[2] for line in lines if line.startswith("step ")]
    assert kinds[:2] == ["plan", "imagine"]
    assert lines[-1].endswith("privileged: scene")


def test_plan_and_imagine_draws_imagined_frames_above_the_experts(workplace):
    picture = cv2.imread(str(workplace.path / "imagined.png"))
    height, width, _ = picture.shape
    frames = 4  # the tiny recipe imagines three after the first
    assert (height - 4) // 2 == width // frames  # two rows of square frames with a white line between them
    assert (picture[(height - 4) // 2 : (height + 4) // 2] == 255).all()
    above, below = picture[: (height - 4) // 2], picture[(height + 4) // 2 :]
    first = width // frames
    assert (above[:, :first] == below[:, :first]).all()
    assert (above[:, first:] != below[:, first:]).any()
