"""Settings as files: written and read back without the loss of a single bit, so that a verdict can be replayed.

A setting is a frozen dataclass of numbers, strings, arrays, tuples, None and further such dataclasses, problems
included. As data it is a dictionary of its fields; arrays become nested lists. What is :class:`Storable` says itself
what its dictionary is.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Protocol, TypeVar, Union, get_args, get_origin, get_type_hints, runtime_checkable

import numpy as np

__all__ = ["load_setting", "save_setting", "setting_from_dict", "setting_to_dict"]

S = TypeVar("S")


@runtime_checkable
class Storable(Protocol):
    """A value whose fields are not what it is made from."""

    def to_data(self) -> dict[str, Any]:
        """Return plain data, exact to the last bit."""

    @staticmethod
    def from_data(data: Mapping[str, Any]) -> Any:
        """Build the value that `to_data` described."""


FORMAT = "rltheory setting 1"
PLAIN = (bool, int, float, str)
DTYPES = (np.float64, np.int64, np.bool_)  # told apart by their JSON


def setting_to_dict(setting: Any) -> dict[str, Any]:
    """Return the fields of a setting as plain data, exact to the last bit.

    Parameters
    ----------
    setting
        A dataclass of numbers, strings, arrays, tuples, None and such dataclasses.

    Returns
    -------
    dict
        Ready for JSON; :func:`setting_from_dict` undoes it.

    Raises
    ------
    ValueError
        If a field holds anything else. The message names the field.

    Examples
    --------
    >>> from rltheory import PreferenceGame
    >>> setting_to_dict(PreferenceGame.indifferent(1))
    {'prefer': [[0.5]], 'names': ['0'], 'title': 'indifferent, n = 1'}
    """
    return _encode_fields(setting, "")


def _encode_fields(value: Any, place: str) -> dict[str, Any]:
    if isinstance(value, type) or not is_dataclass(value):
        raise ValueError(f"{place or 'the setting'} is {value!r}; it must be a dataclass")
    if isinstance(value, Storable):
        return value.to_data()
    return {
        field.name: _encode(getattr(value, field.name), _inside(place, field.name))
        for field in fields(value)
        if field.init
    }


def _encode(value: Any, place: str) -> Any:
    if value is None or type(value) in PLAIN:
        return value
    if isinstance(value, np.ndarray):
        if value.dtype not in DTYPES or value.ndim == 0 or value.size == 0:
            rule = "it must hold float64, int64 or bool and have at least one entry and one dimension"
            raise ValueError(f"{place} is an array of {value.dtype}, shape {value.shape}; {rule}")
        return value.tolist()
    if isinstance(value, tuple):
        return [_encode(item, f"{place}[{index}]") for index, item in enumerate(value)]
    if is_dataclass(value):
        return _encode_fields(value, place)
    rule = "a stored setting holds None, Python numbers, strings, arrays, tuples and dataclasses of these"
    raise ValueError(f"{place} is {value!r} of type {type(value).__name__}; {rule}")


def setting_from_dict(setting_type: type[S], data: Mapping[str, Any]) -> S:
    """Build the setting that :func:`setting_to_dict` described.

    Parameters
    ----------
    setting_type
        Class of the setting. Its annotations say what each field may be.
    data
        A value for each field; those that have a default may be left out.

    Returns
    -------
    S
        The setting, checked by its own constructor.

    Raises
    ------
    ValueError
        If a field is unknown, missing, of a wrong type or refused by the constructor. The message names it.

    Examples
    --------
    >>> from rltheory import PreferenceGame
    >>> game = PreferenceGame([[0.5, 0.7], [0.3, 0.5]], names=("tea", "coffee"))
    >>> setting_from_dict(PreferenceGame, setting_to_dict(game)) == game
    True
    """
    return _decode_fields(setting_type, data, "")


def _decode_fields(wanted: type[S], data: Any, place: str) -> S:
    name = place or "the setting"
    if not isinstance(data, Mapping):
        raise ValueError(f"{name} is {_brief(data)}; it must be a table of the fields of {wanted.__name__}")
    if issubclass(wanted, Storable):
        restored: S = _made(wanted.from_data, {"data": data}, place)
        return restored
    hints = get_type_hints(wanted)
    known = [field.name for field in fields(wanted) if field.init]  # type: ignore[arg-type]
    for key in data:
        if key not in known:
            raise ValueError(f"{name} has no field {key!r}; the fields of {wanted.__name__} are {', '.join(known)}")
    for field in fields(wanted):  # type: ignore[arg-type]
        if field.name in known and field.name not in data and field.default is field.default_factory is MISSING:
            raise ValueError(f"{name} lacks the field {field.name!r}")
    decoded = {key: _decode(hints[key], value, _inside(place, key)) for key, value in data.items()}
    return _made(wanted, decoded, place)


def _made(make: Callable[..., S], arguments: Mapping[str, Any], place: str) -> S:
    try:
        return make(**arguments)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{place}: {error}" if place else str(error)) from None


def _decode(hint: Any, value: Any, place: str) -> Any:
    options = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    tables = [option for option in options if isinstance(option, type) and is_dataclass(option)]
    tuples = [option for option in options if get_origin(option) is tuple]
    arrays = [option for option in options if option not in (*PLAIN, NoneType, *tables, *tuples)]
    if isinstance(value, Mapping) and len(tables) == 1:
        return _decode_fields(tables[0], value, place)
    if isinstance(value, list) and tuples:
        return _decode_tuple(get_args(tuples[0]), value, place)
    if isinstance(value, list) and arrays:
        return _decode_array(value, place)
    if type(value) in options or Any in options or (type(value) is int and float in options):
        return value
    rule = " or ".join(sorted({_word(option) for option in options}))
    raise ValueError(f"{place} is {_brief(value)}; it must be of type {rule}")


def _decode_tuple(items: tuple[Any, ...], values: list[Any], place: str) -> tuple[Any, ...]:
    if items[-1] is Ellipsis:
        items = items[:1] * len(values)
    if len(items) != len(values):
        raise ValueError(f"{place} has {len(values)} entries; it must have {len(items)}")
    return tuple(_decode(*pair, f"{place}[{index}]") for index, pair in enumerate(zip(items, values, strict=True)))


def _decode_array(values: list[Any], place: str) -> Any:
    try:
        array = np.array(values)
    except ValueError:
        raise ValueError(f"{place} must be a rectangular array of numbers; its rows differ in length") from None
    if array.dtype not in DTYPES or array.size == 0:
        raise ValueError(f"{place} is {_brief(values)}; it must be an array of numbers, not empty")
    return array


def _inside(place: str, field: str) -> str:
    return f"{place}.{field}" if place else field


def _word(option: Any) -> str:
    if option is NoneType:
        return "null"
    return str(option.__name__) if option in PLAIN or is_dataclass(option) else "array"


def _brief(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def save_setting(path: str | Path, theorem: str, setting: Any) -> None:
    """Write a setting of the theorem called `theorem` to a file.

    Raises
    ------
    ValueError
        If the setting is no plain data, see :func:`setting_to_dict`.
    OSError
        If the file can't be written.
    """
    document = {"format": FORMAT, "theorem": theorem, "setting": setting_to_dict(setting)}
    Path(path).write_text(json.dumps(document) + "\n", encoding="utf-8")


def load_setting(path: str | Path) -> tuple[str, dict[str, Any]]:
    """Read the name of a theorem and the fields of a setting from a file, for :func:`setting_from_dict`.

    Raises
    ------
    ValueError
        If the file is not what :func:`save_setting` writes. The message names the file.
    OSError
        If the file can't be read.
    """
    try:
        document = json.loads(Path(path).read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: not a setting file, or a truncated one ({error})") from None
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise ValueError(f"{path}: not a setting file; expected the field 'format' to be {FORMAT!r}")
    for key, kind, word in (("theorem", str, "a name"), ("setting", dict, "a table")):
        if not isinstance(document.get(key), kind):
            raise ValueError(f"{path}: the field {key!r} is missing or not {word}")
    if unknown := document.keys() - {"format", "theorem", "setting"}:
        raise ValueError(f"{path}: unknown field {min(unknown)!r}; expected format, theorem and setting")
    return document["theorem"], document["setting"]
