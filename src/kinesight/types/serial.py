"""Dataclasses to JSON values and back, strictly.

Arrays become {"dtype", "shape", "values"}; a member of a union of dataclasses carries its class name under
"type"; what is not a finite number becomes "nan", "inf" or "-inf". Reading accepts no unknown field, no
missing one and no value of another type, and says where in the document the difference is.
"""

import json
import math
import types
import typing
from collections import abc
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

import cattrs
import jaxtyping
import numpy as np
from cattrs.gen import make_dict_structure_fn

from kinesight.types.errors import DataError, UnknownName

T = TypeVar("T")
NOT_FINITE = ("nan", "inf", "-inf")
TAG = "type"


def to_jsonable(obj: Any) -> Any:
    """`obj` as dicts with string keys, lists, strings, finite numbers, booleans and None."""
    return _plain(_CONVERTER.unstructure(obj))


def from_jsonable(cls: type[T], data: Any, source: str = "") -> T:
    """The `cls` that `to_jsonable` wrote; `source` (a file's name) opens the error message."""
    try:
        return _CONVERTER.structure(data, cls)
    except (cattrs.BaseValidationError, cattrs.StructureHandlerNotFoundError, ValueError, TypeError) as error:
        problems = cattrs.transform_error(error, _name(cls), _describe)
        raise DataError(f"{source or _name(cls)}: {'; '.join(problems)}") from error


def to_json(obj: Any) -> str:
    """The same bytes for the same object, readable by eye."""
    return json.dumps(to_jsonable(obj), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def from_json(cls: type[T], text: str, source: str = "") -> T:
    return from_jsonable(cls, parse_json(text, source), source)


def parse_json(text: str, source: str = "") -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise DataError(f"{source or 'text'}: no valid JSON, {error}") from error


def differences(there: Any, here: Any) -> list[str]:
    """Where two JSON documents differ, as sentences."""
    found = []
    for path, a, b in differing(there, here):
        if _named(a) and _named(b):
            a, b = (", ".join(member["name"] for member in members) for members in (a, b))
            found.append(f"{path} are {a} there and {b} here")
        else:
            found.append(f"{path} is {a!r} there and {b!r} here")
    return found


def differing(there: Any, here: Any, path: str = "") -> list[tuple[str, Any, Any]]:
    """Dotted path and both values of every place where two JSON documents differ; a list of values is one.

    Members of a list that have names are told by them, as the command line sets them.
    """
    if isinstance(there, dict) and isinstance(here, dict):
        names = dict.fromkeys([*there, *here])
        pairs = [(f"{path}.{name}".strip("."), there.get(name), here.get(name)) for name in names]
    elif _named(there) and _named(here) and len(there) == len(here):
        members = enumerate(zip(there, here, strict=True))
        pairs = [
            (f"{path}.{a['name']}" if a["name"] == b["name"] else f"{path}[{i}]", a, b)
            for i, (a, b) in members
        ]
    else:
        return [] if there == here else [(path, there, here)]
    return [place for name, a, b in pairs for place in differing(a, b, name)]


def _named(members: Any) -> bool:
    """Whether it is a list of things with names, such as stages, which tell enough of how lists differ."""
    return isinstance(members, list) and all(isinstance(m, dict) and "name" in m for m in members)


def _plain(value: Any) -> Any:
    match value:
        case np.ndarray():
            if value.dtype.kind not in "biuf":
                raise TypeError(f"an array of {value.dtype} has no JSON form; numbers and booleans have")
            flat = [_plain(number) for number in value.ravel().tolist()]
            return {"dtype": value.dtype.name, "shape": list(value.shape), "values": flat}
        case np.generic():
            return _plain(value.item())
        case float() if not math.isfinite(value):
            return str(value)
        case None | bool() | int() | float() | str():
            return value
        case Path():
            return str(value)
        case abc.Mapping():
            return {str(key): _plain(item) for key, item in value.items()}
        case list() | tuple():
            return [_plain(item) for item in value]
    raise TypeError(f"{type(value).__name__} has no JSON form: {value!r}")


def _name(cls: Any) -> str:
    return getattr(cls, "__name__", str(cls))


def _describe(error: BaseException, cls: Any) -> str:
    if isinstance(error, cattrs.ForbiddenExtraKeysError):
        known = [field.name for field in fields(error.cl)]
        return " ".join(
            str(UnknownName(f"field of {_name(error.cl)}", name, known))
            for name in sorted(error.extra_fields)
        )
    if isinstance(error, KeyError):
        return f"field {error.args[0]!r} is missing"
    return str(error)


def _strictly(accepted: tuple[type, ...], expected: str) -> abc.Callable[[Any, Any], Any]:
    def structure(value: Any, cls: Any) -> Any:
        if not isinstance(value, accepted) or (isinstance(value, bool) and bool not in accepted):
            raise ValueError(f"expected {expected}, got {value!r}")
        return cls(value)

    return structure


_structure_number = _strictly((int, float), "a number")


def _structure_float(value: Any, cls: Any) -> float:
    return float(value) if value in NOT_FINITE else _structure_number(value, float)


def _structure_array(value: Any, cls: Any) -> np.ndarray:
    if not isinstance(value, dict) or set(value) != {"dtype", "shape", "values"}:
        raise ValueError(f"expected an array as {{dtype, shape, values}}, got {value!r:.80}")
    array = np.array([float(v) if v in NOT_FINITE else v for v in value["values"]], dtype=value["dtype"])
    array = array.reshape(value["shape"])
    if cls is not np.ndarray and not isinstance(array, cls):
        raise ValueError(f"expected {_name(cls)}, got {array.dtype}{list(array.shape)}")
    return array


def _is_array(cls: Any) -> bool:
    if cls is np.ndarray or typing.get_origin(cls) is np.ndarray:
        return True
    return isinstance(cls, type) and issubclass(cls, jaxtyping.AbstractArray)


def _is_tagged_union(cls: Any) -> bool:
    if typing.get_origin(cls) not in (typing.Union, types.UnionType):
        return False
    members = [member for member in typing.get_args(cls) if member is not types.NoneType]
    return len(members) > 1 and all(is_dataclass(member) for member in members)


def _tagged_structure(cls: Any) -> abc.Callable[[Any, Any], Any]:
    members = {m.__name__: m for m in typing.get_args(cls) if m is not types.NoneType}

    def structure(value: Any, _: Any) -> Any:
        if value is None and types.NoneType in typing.get_args(cls):
            return None
        if not isinstance(value, dict) or TAG not in value:
            raise ValueError(
                f"expected one of {', '.join(members)} with its name under {TAG!r}, got {value!r}"
            )
        if value[TAG] not in members:
            raise ValueError(str(UnknownName(TAG, str(value[TAG]), members)))
        return _CONVERTER.structure({k: v for k, v in value.items() if k != TAG}, members[value[TAG]])

    return structure


def _tagged_unstructure(value: Any) -> Any:
    return None if value is None else {TAG: type(value).__name__, **_CONVERTER.unstructure(value)}


def _structure_literal(value: Any, cls: Any) -> Any:
    options = typing.get_args(cls)
    if value not in options:
        raise ValueError(str(UnknownName("value", str(value), map(str, options))))
    return options[options.index(value)]


def _is_list(cls: Any) -> bool:
    return (typing.get_origin(cls) or cls) in (tuple, list, abc.Sequence)


def _list_structure(cls: Any) -> abc.Callable[[Any, Any], Any]:
    """Lists only: a string would fall apart into its letters."""
    members = typing.get_args(cls) or (Any, ...)
    origin = typing.get_origin(cls) or cls
    fixed = origin is tuple and not (len(members) == 2 and members[1] is ...)

    def structure(value: Any, _: Any) -> Any:
        if not isinstance(value, list | tuple):
            raise ValueError(f"expected a list, got {value!r}")
        if fixed and len(value) != len(members):
            raise ValueError(f"expected {len(members)} values, got {len(value)}: {value!r}")
        kinds = members if fixed else (members[0],) * len(value)
        items = [
            _structure_item(item, kind, i) for i, (item, kind) in enumerate(zip(value, kinds, strict=True))
        ]
        return items if origin is list else tuple(items)

    return structure


def _structure_item(item: Any, kind: Any, index: Any) -> Any:
    try:
        return _CONVERTER.structure(item, kind)
    except Exception as error:
        note = cattrs.IterableValidationNote(f"at {index!r}", index, kind)
        error.__notes__ = [*getattr(error, "__notes__", []), note]
        group = cattrs.IterableValidationError("in a list", [error], kind)  # pyright: ignore[reportCallIssue]
        raise group from None


def _structure_key(key: Any, kind: Any) -> Any:
    """JSON knows only strings as keys."""
    if kind is int and isinstance(key, str) and key.removeprefix("-").isdecimal():
        return int(key)
    return _CONVERTER.structure(key, kind)


def _is_mapping(cls: Any) -> bool:
    return (typing.get_origin(cls) or cls) in (dict, abc.Mapping)


def _mapping_structure(cls: Any) -> abc.Callable[[Any, Any], Any]:
    key_kind, value_kind = typing.get_args(cls) or (str, Any)

    def structure(value: Any, _: Any) -> Any:
        if not isinstance(value, abc.Mapping):
            raise ValueError(f"expected an object with named values, got {value!r}")
        return {
            _structure_key(key, key_kind): _structure_item(item, value_kind, key)
            for key, item in value.items()
        }

    return structure


def _is_dataclass(cls: Any) -> bool:
    return isinstance(cls, type) and is_dataclass(cls)


def _dataclass_structure(cls: Any, converter: cattrs.Converter) -> abc.Callable[[Any, Any], Any]:
    inner = make_dict_structure_fn(cls, converter, _cattrs_forbid_extra_keys=True)

    def structure(value: Any, _: Any) -> Any:
        if not isinstance(value, abc.Mapping):
            raise ValueError(f"expected an object with the fields of {_name(cls)}, got {value!r}")
        return inner(dict(value), cls)

    return structure


def _make_converter() -> cattrs.Converter:
    converter = cattrs.Converter(forbid_extra_keys=True)
    converter.register_structure_hook(str, _strictly((str,), "a string"))
    converter.register_structure_hook(int, _strictly((int,), "a whole number"))
    converter.register_structure_hook(bool, _strictly((bool,), "true or false"))
    converter.register_structure_hook(float, _structure_float)
    converter.register_structure_hook_func(lambda t: typing.get_origin(t) is Literal, _structure_literal)
    converter.register_structure_hook(Path, _strictly((str, Path), "a path"))
    converter.register_unstructure_hook(Path, str)
    converter.register_structure_hook_factory(_is_dataclass, _dataclass_structure)
    converter.register_structure_hook_func(_is_array, _structure_array)
    converter.register_unstructure_hook_func(_is_array, lambda array: array)
    converter.register_structure_hook_factory(_is_list, _list_structure)
    converter.register_structure_hook_factory(_is_mapping, _mapping_structure)
    converter.register_structure_hook_factory(_is_tagged_union, _tagged_structure)
    converter.register_unstructure_hook_func(_is_tagged_union, _tagged_unstructure)
    return converter


_CONVERTER = _make_converter()
