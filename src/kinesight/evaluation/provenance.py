"""What a number depends on besides the agent: software, commit and machine."""

import os
import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

import kinesight

PACKAGES = ("torch", "numpy", "mujoco", "metaworld")


def versions() -> dict[str, str]:
    """Of the interpreter and the libraries that decide an episode, with the commit (if any) and the date."""
    found = {"kinesight": kinesight.__version__, "python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    commit = git_commit(Path(kinesight.__file__).parent)
    if commit:
        found["commit"] = commit
    return found | {"date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")}


def hardware(device: str = "cpu") -> dict[str, str]:
    """Processor, cores, memory and accelerator, and the device that the models computed on."""
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    found = {
        "system": f"{platform.system()} {platform.machine()}",
        "cpu": _cpu_name(),
        "cores": str(os.cpu_count()),
        "memory": f"{pages / 2**30:.0f} GiB",
        "device": device,
    }
    if torch.cuda.is_available():
        found["gpu"] = torch.cuda.get_device_name(device if device.startswith("cuda") else None)
    return found


def git_commit(folder: Path) -> str:
    """Short hash of the commit that tracks `folder`, "+changes" if files differ from it; or nothing."""
    # An installed package may lie in a folder of somebody else's repository, untracked.
    if not _git(folder, "ls-files", "--error-unmatch", "--", "."):
        return ""
    commit = _git(folder, "rev-parse", "--short=10", "HEAD")
    return commit + ("+changes" if _git(folder, "status", "--porcelain", "--untracked-files=no") else "")


def _git(folder: Path, *arguments: str) -> str:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, text=True, timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""  # no git here: a result without a commit is still a result
    return done.stdout.strip() if done.returncode == 0 else ""


def _cpu_name() -> str:
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or "unknown"
