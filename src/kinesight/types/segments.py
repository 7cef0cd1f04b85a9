"""The parts that a picture falls into."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from kinesight.types.arrays import Segmentation


@dataclass(frozen=True, slots=True)
class Segments:
    """Instances of one view. Without `names` they are only numbered, and rules have to tell them apart."""

    ids: Segmentation
    """Instance of each pixel [y x]; 0 belongs to none."""
    names: Mapping[int, str] = field(default_factory=dict)
    """Id -> "object/part"."""
