"""Settings of a model that say how it is used, not what it has learned.

A configuration's field has `metadata=SAMPLING` when a trained model may be used with another value of it.
"""

from dataclasses import fields, replace
from typing import Any, TypeVar

SAMPLING = {"sampling": True}

C = TypeVar("C")


def sampling_settings(config: Any) -> dict[str, Any]:
    """Name and value of every such field."""
    return {f.name: getattr(config, f.name) for f in fields(config) if f.metadata.get("sampling")}


def sampled_as(config: C, other: Any) -> C:
    """`config` with the sampling settings of another configuration of the same class."""
    return replace(config, **sampling_settings(other)) if type(other) is type(config) else config  # type: ignore[type-var]
