"""Helpers of these tests are importable by name, also in the processes that a test starts."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
