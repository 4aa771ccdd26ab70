"""The values of a port as JSON and back: attrs classes, tuples, bytes, times, decimals, and what these contain.

What is read is checked: a class is looked up among the attrs classes and the errors of the port's own module and of
``hotswap_ports``, and nothing else is ever constructed.
"""

from __future__ import annotations

import base64
import sys
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

import attrs

from hotswap_ports.errors import AdapterFailed, InvalidContent, PortError
from hotswap_ports.port import Port
from hotswap_ports.testing.masking import MASK, Masking

TAG = "$"
"""The key of what JSON has no type for; a mapping that has it itself is written as pairs."""


class Plain:
    """Writes and reads the values of one port.

    Args:
        masking: takes out of every text, and of bytes, what must not be written.
    """

    def __init__(self, port: type[Port], masking: Masking | None = None) -> None:
        self._module = port.__module__
        self._masking = masking

    def write(self, value: Any, name: object = None) -> Any:
        """Return a value as JSON has it. Functions, such as a progress callback, become None.

        Args:
            name: of the value; texts and bytes under the name of a secret become ``***``, however deep they lie.

        Raises:
            TypeError: it is of a type that no port uses.
        """
        return self._write(value, self._hides(name))

    def _hides(self, name: object) -> bool:
        return self._masking is not None and self._masking.hides(name)

    def _write(self, value: Any, hidden: bool = False) -> Any:
        if value is None or isinstance(value, bool | int | float):
            return value
        if isinstance(value, str):
            return self._text(value, hidden)
        if isinstance(value, list):
            return [self._item(each, hidden) for each in value]
        if isinstance(value, tuple):
            return {TAG: "tuple", "items": [self._item(each, hidden) for each in value]}
        if isinstance(value, bytes | bytearray | memoryview):
            return {TAG: "bytes", "base64": base64.b64encode(self._data(bytes(value), hidden)).decode()}
        if isinstance(value, datetime):
            return {TAG: "datetime", "iso": value.isoformat()}
        if isinstance(value, Decimal):
            return {TAG: "decimal", "text": str(value)}
        if isinstance(value, set | frozenset):
            return {TAG: "frozenset", "items": sorted((self._write(each, hidden) for each in value), key=str)}
        return self._named(value, hidden)

    def _named(self, value: Any, hidden: bool) -> Any:
        """Write what has names: a mapping, an error, a value of the port."""
        if isinstance(value, Mapping):
            return self._mapping(value, hidden)
        if isinstance(value, BaseException):
            return self._error(value)
        if attrs.has(type(value)):
            names = [each.name for each in attrs.fields(type(value)) if each.init]
            written = {each: self._write(getattr(value, each), hidden or self._hides(each)) for each in names}
            return {TAG: type(value).__qualname__, **written}
        if callable(value):
            return None
        raise TypeError(f"a {type(value).__name__} cannot be written")

    def _text(self, text: str, hidden: bool = False) -> str:
        if self._masking is None or not text:
            return text
        return MASK if hidden else self._masking.text(text)

    def _data(self, data: bytes, hidden: bool) -> bytes:
        if self._masking is None or not data:
            return data
        return MASK.encode() if hidden else self._masking.data(data)

    def _item(self, value: Any, hidden: bool) -> Any:
        """Write an item of a sequence; one of two with a name is written as a header is."""
        if isinstance(value, list | tuple) and len(value) == 2 and self._hides(value[0]):
            pair = [self._write(value[0]), self._write(value[1], hidden=True)]
            return pair if isinstance(value, list) else {TAG: "tuple", "items": pair}
        return self._write(value, hidden)

    def _mapping(self, value: Mapping[Any, Any], hidden: bool) -> Any:
        pairs = [[self._write(key), self._write(each, hidden or self._hides(key))] for key, each in value.items()]
        if all(isinstance(key, str) and key != TAG for key, _ in pairs):
            return dict(pairs)
        return {TAG: "pairs", "items": pairs}

    def _error(self, error: BaseException) -> Any:
        if not isinstance(error, PortError):  # as it would leave a handle
            error = AdapterFailed("the adapter", "a call", error)
        facts = {key: self.write(each, key) for key, each in vars(error).items() if not key.startswith("_")}
        return {TAG: f"!{type(error).__qualname__}", "facts": facts}

    def read(self, value: Any) -> Any:
        """Return what ``write`` was given.

        Raises:
            InvalidContent: it is nothing that ``write`` returns.
        """
        try:
            return self._read(value)
        except (TypeError, ValueError, KeyError, ArithmeticError) as error:
            raise InvalidContent(f"It was not written by this kind of recorder: {error}") from error

    def _read(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self._read(each) for each in value]
        if not isinstance(value, dict):
            return value
        tag = value.get(TAG)
        if tag is None:
            return {key: self._read(each) for key, each in value.items()}
        given = {key: each for key, each in value.items() if key != TAG}
        if tag == "bytes":
            return base64.b64decode(given["base64"], validate=True)
        if tag == "datetime":
            return datetime.fromisoformat(given["iso"])
        if tag == "decimal":
            return Decimal(given["text"])
        if tag in ("tuple", "frozenset"):
            return (tuple if tag == "tuple" else frozenset)(self._read(each) for each in given["items"])
        if tag == "pairs":
            return {self._read(key): self._read(each) for key, each in given["items"]}
        return self._object(str(tag), given)

    def _object(self, tag: str, given: dict[str, Any]) -> Any:
        found = self._class(tag.removeprefix("!"))
        if tag.startswith("!"):
            if found is None or not issubclass(found, PortError):
                raise ValueError(f"{tag!r} is no error of a port")
            error = found.__new__(found)
            error.__dict__.update({key: self._read(each) for key, each in given["facts"].items()})
            error.args = (error.__dict__.get("message", ""),)
            return error
        if found is None or not attrs.has(found):
            raise ValueError(f"{tag!r} is no value of a port")
        return found(**{key.lstrip("_"): self._read(each) for key, each in given.items()})

    def _class(self, name: str) -> type | None:
        for module in (self._module, "hotswap_ports", "hotswap_ports.errors"):
            found = getattr(sys.modules.get(module), name, None)
            if isinstance(found, type):
                return found
        return None
