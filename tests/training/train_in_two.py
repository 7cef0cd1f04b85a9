"""Trains a toy in several processes; each leaves its weights and the first inputs it saw."""

import sys
from pathlib import Path

import torch
import toys
from accelerate import PartialState

from kinesight.training.config import TrainingConfig
from kinesight.training.loop import train

if __name__ == "__main__":
    folder = Path(sys.argv[1])
    rank = PartialState(cpu=True).process_index
    torch.manual_seed(rank)
    model = toys.Regression()  # other first weights in each process
    config = TrainingConfig(steps=4, warmup=1, log_every=2, save_every=4, accumulate=2, learning_rate=0.01)
    train(model, toys.SOURCES, config, folder / "run", {})
    torch.save({"weights": model.state_dict(), "seen": model.seen[0][1]}, folder / f"rank{rank}.pt")
    PartialState().destroy_process_group()
