"""Checks of settings that many configurations share."""

from typing import Any

from kinesight.types.errors import UsageError


def check_at_least(config: Any, least: int, *names: str) -> None:
    """Raises `UsageError` for the first of the fields whose value is smaller."""
    for name in names:
        if not getattr(config, name) >= least:
            raise UsageError(f"{name} must be at least {least}, got {getattr(config, name)}")


def check_heads(config: Any, features: str = "features", heads: str = "heads") -> None:
    """Attention splits features among heads; raises `UsageError` where that leaves a rest."""
    check_at_least(config, 1, features, heads)
    if getattr(config, features) % getattr(config, heads):
        raise UsageError(
            f"{features} must be a multiple of {heads}, got {getattr(config, features)} and "
            f"{getattr(config, heads)}"
        )
