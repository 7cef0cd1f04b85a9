"""Trains a toy and says after each batch how far it is; run by a test that kills it."""

import sys
import time
from pathlib import Path

import toys

from kinesight.training.config import TrainingConfig
from kinesight.training.loop import Interrupted, train


def tell(number: int) -> None:
    print(number, flush=True)
    time.sleep(0.03)


if __name__ == "__main__":
    config = TrainingConfig(steps=int(sys.argv[2]), warmup=3, log_every=5, save_every=10)
    try:
        train(toys.make(), {"first": toys.random_batches(tell)}, config, Path(sys.argv[1]), {})
    except Interrupted as interrupted:
        print(interrupted, flush=True)
        sys.exit(interrupted.status)
