"""One safetensors file of named arrays with a JSON text beside them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from kinesight.types.errors import DataError, UnknownName
from kinesight.types.files import write_atomic

SCHEMA = 1
_TEXT = "kinesight"
_DTYPES = {
    "BOOL": np.bool_,
    "U8": np.uint8,
    "U16": np.uint16,
    "U32": np.uint32,
    "U64": np.uint64,
    "I8": np.int8,
    "I16": np.int16,
    "I32": np.int32,
    "I64": np.int64,
    "F16": np.float16,
    "F32": np.float32,
    "F64": np.float64,
}


@dataclass(frozen=True, slots=True)
class Layout:
    """Shape and type of a stored array, known without reading it."""

    shape: tuple[int, ...]
    dtype: np.dtype

    @property
    def row_bytes(self) -> int:
        return int(np.prod(self.shape[1:])) * self.dtype.itemsize


def write_arrays(path: Path, arrays: Mapping[str, np.ndarray], text: Mapping[str, Any]) -> None:
    """Write the file whole or not at all; equal input gives equal bytes."""
    for key, array in arrays.items():
        if array.dtype.type not in _DTYPES.values():
            raise DataError(
                f"{path}: array {key!r} of {array.dtype} cannot be stored; numbers and booleans can"
            )
    contiguous = {key: np.ascontiguousarray(arrays[key]) for key in sorted(arrays)}
    document = json.dumps({"schema": SCHEMA, **text}, sort_keys=True, ensure_ascii=False, allow_nan=False)
    write_atomic(path, save(contiguous, metadata={_TEXT: document}))


class ArrayFile:
    """A file opened for reading; slices are read from disk on demand."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._file = safe_open(path, framework="np")
        except (SafetensorError, OSError) as error:
            raise DataError(f"{path}: damaged or not a safetensors file ({error}).") from error
        self.text = self._read_text()
        self.layout = {key: self._layout_of(key) for key in sorted(self._file.keys())}

    def _read_text(self) -> dict[str, Any]:
        metadata = self._file.metadata() or {}
        if _TEXT not in metadata:
            raise DataError(
                f"{self.path}: no Kinesight file; its header should hold {_TEXT!r} "
                f"and holds {', '.join(sorted(metadata)) or 'nothing'}."
            )
        text = json.loads(metadata[_TEXT])
        if text.get("schema") != SCHEMA:
            raise DataError(f"{self.path}: schema {text.get('schema')!r}, this version reads {SCHEMA}.")
        return text

    def _layout_of(self, key: str) -> Layout:
        part = self._file.get_slice(key)
        if part.get_dtype() not in _DTYPES:
            raise DataError(
                f"{self.path}: array {key!r} has type {part.get_dtype()}, known are {', '.join(_DTYPES)}."
            )
        return Layout(tuple(part.get_shape()), np.dtype(_DTYPES[part.get_dtype()]))

    def _check(self, key: str) -> None:
        if key not in self.layout:
            raise DataError(f"{self.path}: {UnknownName('key', key, self.layout)}")

    def read(self, key: str) -> np.ndarray:
        self._check(key)
        return self._file.get_tensor(key)

    def rows(self, key: str, start: int, stop: int) -> np.ndarray:
        """Rows start … stop - 1, fewer where the array ends."""
        self._check(key)
        layout = self.layout[key]
        stop = min(stop, layout.shape[0])
        if start >= stop:  # the library refuses empty slices
            return np.empty((0, *layout.shape[1:]), layout.dtype)
        return self._file.get_slice(key)[start:stop]
