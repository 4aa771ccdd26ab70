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

TAG = "$"
"""The key of what JSON has no type for; a mapping that has it itself is written as pairs."""


class Plain:
    """Writes and reads the values of one port."""

    def __init__(self, port: type[Port]) -> None:
        self._module = port.__module__

    def write(self, value: Any) -> Any:
        """Return a value as JSON has it. Functions, such as a progress callback, become None.

        Raises:
            TypeError: it is of a type that no port uses.
        """
        if value is None or isinstance(value, str | bool | int | float):
            return value
        if isinstance(value, list):
            return [self.write(each) for each in value]
        if isinstance(value, bytes | bytearray | memoryview):
            return {TAG: "bytes", "base64": base64.b64encode(value).decode()}
        if isinstance(value, datetime):
            return {TAG: "datetime", "iso": value.isoformat()}
        if isinstance(value, Decimal):
            return {TAG: "decimal", "text": str(value)}
        if isinstance(value, tuple):
            return {TAG: "tuple", "items": [self.write(each) for each in value]}
        if isinstance(value, set | frozenset):
            return {TAG: "frozenset", "items": sorted((self.write(each) for each in value), key=str)}
        if isinstance(value, Mapping):
            return self._mapping(value)
        if isinstance(value, BaseException):
            return self._error(value)
        if attrs.has(type(value)):
            names = [each.name for each in attrs.fields(type(value)) if each.init]
            return {TAG: type(value).__qualname__, **{name: self.write(getattr(value, name)) for name in names}}
        if callable(value):
            return None
        raise TypeError(f"a {type(value).__name__} cannot be written")

    def _mapping(self, value: Mapping[Any, Any]) -> Any:
        if TAG not in value and all(isinstance(each, str) for each in value):
            return {key: self.write(each) for key, each in value.items()}
        return {TAG: "pairs", "items": [[self.write(key), self.write(each)] for key, each in value.items()]}

    def _error(self, error: BaseException) -> Any:
        if not isinstance(error, PortError):  # as it would leave a handle
            error = AdapterFailed("the adapter", "a call", error)
        facts = {key: self.write(each) for key, each in vars(error).items() if not key.startswith("_")}
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
