"""The first example is run once, as a user would; the documents' code runs on the run that it leaves."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Workplace:
    """A folder with `runs/quickstart` and `data/handle-press`, tiny ones, and what the example printed."""

    path: Path
    printed: str

    def python(self, *arguments: str) -> str:
        return _python(self.path, self.path, *arguments)


@pytest.fixture(scope="session")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Workplace:
    path = tmp_path_factory.mktemp("examples")
    printed = _python(path, path, str(ROOT / "examples" / "01_plan_and_imagine.py"))
    (trained,) = path.glob("kinesight-*")
    for link, target in (("runs/quickstart", trained / "run"), ("data/handle-press", trained / "data")):
        (path / link).parent.mkdir()
        (path / link).symlink_to(target)
    return Workplace(path, printed)


def _python(folder: Path, temporary: Path, *arguments: str) -> str:
    """What a fresh interpreter prints, on one thread."""
    settings = {"OMP_NUM_THREADS": "1", "TMPDIR": str(temporary)}
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=os.environ | settings,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
