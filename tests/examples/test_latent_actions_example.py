"""The example of latent actions runs at tiny size and shows what it says."""

import os
import re
import subprocess
import sys
from pathlib import Path

import cv2
import pytest

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.slow


def test_latent_actions_are_read_drawn_and_measured(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "examples" / "03_latent_actions.py")],
        cwd=tmp_path,
        env=os.environ | {"OMP_NUM_THREADS": "1", "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    codes = re.findall(r"^ +(\d+) steps later: codes +(\d) +(\d)$", done.stdout, re.MULTILINE)
    assert [steps for steps, *_ in codes] == ["2", "4"]
    table = re.findall(r"^ +(\d+)" + 4 * r" +(\d\.\d{3})" + r" +(\d+) +([\d.]+)$", done.stdout, re.MULTILINE)
    assert [row[0] for row in table] == ["2", "4"]
    for _, own, other, still, present, used, perplexity in table:
        assert min(float(own), float(other), float(still)) > 0
        assert 1 <= float(perplexity) <= int(used) + 0.05
        assert float(present) > 0.01, "something moves in a demonstration"
    picture = cv2.imread(str(tmp_path / "latent.png"))
    assert picture.shape == (3 * 160 + 2 * 4, 3 * 160, 3)
    top, middle, bottom = picture[:160], picture[164:324], picture[328:]
    assert (top[:, :160] == middle[:, :160]).all()
    assert (top[:, :160] == bottom[:, :160]).all()
    assert (top[:, 160:] != middle[:, 160:]).any()
