"""Messages with pictures: as OpenAI-compatible endpoints read them, and as a key that names them.

A picture travels inside the message as a data URL. The key is made from pixels, not from their PNG or JPEG
bytes, so that another version of the encoder finds the same answers again.
"""

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import cv2
import numpy as np
from jaxtyping import UInt8

from kinesight.types.arrays import Image
from kinesight.types.errors import UsageError

Role = Literal["system", "user", "assistant"]


@dataclass(frozen=True, slots=True, eq=False)
class Message:
    """One turn; its pictures come before its text."""

    role: Role
    text: str
    images: tuple[Image, ...] = ()


@dataclass(frozen=True, slots=True)
class PictureConfig:
    """How pictures are sent."""

    format: Literal["png", "jpeg"] = "png"
    quality: int = 90
    """Of JPEG, 1 to 100; PNG loses nothing."""
    least_side: int = 336
    """Smaller pictures are enlarged until their shorter side has so many pixels; 0 sends them as they are.
    Vision encoders see little of a picture that is smaller than a few of their patches."""

    def __post_init__(self) -> None:
        if not 1 <= self.quality <= 100 or self.least_side < 0:
            raise UsageError(f"pictures need a quality from 1 to 100 and least_side >= 0, got {self}")


def wire_message(message: Message, pictures: PictureConfig) -> dict[str, Any]:
    """The message in the protocol's form; without pictures the content is plain text."""
    if not message.images:
        return {"role": message.role, "content": message.text}
    parts: list[dict[str, Any]] = [
        {"type": "image_url", "image_url": {"url": data_url(image, pictures)}} for image in message.images
    ]
    return {"role": message.role, "content": [*parts, {"type": "text", "text": message.text}]}


def data_url(image: Image, pictures: PictureConfig) -> str:
    """A picture [y x 3] as data:image/png;base64,… or data:image/jpeg;base64,…"""
    data = _encoded(enlarged(image, pictures.least_side), pictures)
    return f"data:image/{pictures.format};base64,{base64.b64encode(data).decode()}"


def enlarged(image: Image, least_side: int) -> UInt8[np.ndarray, "height width 3"]:
    """The picture itself if its shorter side is long enough, otherwise interpolated up to it."""
    height, width = image.shape[:2]
    scale = least_side / min(height, width)
    if scale <= 1:
        return image
    size = (round(scale * width), round(scale * height))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_CUBIC), np.uint8)


def digest(messages: Sequence[Message], settings: Mapping[str, Any]) -> str:
    """64 hexadecimal digits of what is asked: roles, texts, pixels, settings that shape the answer."""
    content = {
        "messages": [[m.role, m.text, [_pixels(image) for image in m.images]] for m in messages],
        "settings": dict(settings),
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True, allow_nan=False).encode()).hexdigest()


def _pixels(image: Image) -> str:
    return hashlib.sha256(f"{image.shape}".encode() + np.ascontiguousarray(image).tobytes()).hexdigest()


def _encoded(image: Image, pictures: PictureConfig) -> bytes:
    options = [cv2.IMWRITE_JPEG_QUALITY, pictures.quality] if pictures.format == "jpeg" else []
    done, data = cv2.imencode(f".{pictures.format}", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), options)
    assert done, "OpenCV encodes every 8-bit RGB picture"
    return data.tobytes()
