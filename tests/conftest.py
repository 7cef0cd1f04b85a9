"""Tests run in parallel processes; each gets one thread, or they wait for each other."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
