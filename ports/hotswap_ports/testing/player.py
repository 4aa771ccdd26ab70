"""Answers from a cassette."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

from hotswap_ports.errors import InvalidContent, WrongTest
from hotswap_ports.methods import PortMethod
from hotswap_ports.port import Port
from hotswap_ports.testing.mock import arguments_of
from hotswap_ports.testing.plain import Plain
from hotswap_ports.testing.recorder import FORMAT, Twin

MOST_SHOWN = 200
"""Characters of an argument, in the error of a call that is not on a cassette."""
MOST_BYTES = 64 * 1024 * 1024


class NotRecorded(WrongTest):
    """A cassette is asked for a call that is not on it, or is not there at all."""


class Player(Twin):
    """Answers from a cassette."""

    def __init__(self, port: type[Port], path: Path, plain: Plain) -> None:
        super().__init__(port)
        self._plain = plain
        self._path = path
        document = _document(path, port)
        self.features = plain.read(document["features"])
        self._answers: dict[str, list[Any]] = {}
        for each in document["calls"]:
            self._answers.setdefault(_key(each["method"], each["arguments"]), []).append(each)
        self._known = ", ".join(sorted({each["method"] for each in document["calls"]})) or "nothing"

    async def _call(self, method: PortMethod, *args: Any, **kwargs: Any) -> Any:
        return self._sync(method, *args, **kwargs)

    def _sync(self, method: PortMethod, *args: Any, **kwargs: Any) -> Any:
        result, error = self._played(method, args, kwargs)
        if error is not None:
            raise error
        return result

    async def _stream(self, method: PortMethod, *args: Any, **kwargs: Any) -> AsyncGenerator[Any, None]:
        items, error = self._played(method, args, kwargs)
        for each in items:
            yield each
        if error is not None:
            raise error

    def _played(self, method: PortMethod, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, Any]:
        """Return what a call came to, and with which error."""
        given = arguments_of(method, args, kwargs)
        try:
            arguments = {name: self._plain.write(value, name) for name, value in given.items()}
        except (RecursionError, TypeError, ValueError) as error:
            raise NotRecorded(f"{self._path.name} cannot have this call of {method.name}: {error}.") from error
        found = self._answers.get(_key(method.name, arguments))
        if not found:
            call = f"{method.name}({', '.join(f'{name}={_shown(value)}' for name, value in arguments.items())})"
            text = f"{self._path.name} has no call {call}. It has calls of {self._known}."
            raise NotRecorded(f"{text} Delete it and record it anew.")
        taken = found.pop(0) if len(found) > 1 else found[0]
        return self._plain.read(taken["result"]), self._plain.read(taken["error"])


def _shown(written: Any) -> str:
    text = json.dumps(written, ensure_ascii=False)
    return text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]}…"


def _key(method: str, arguments: Any) -> str:
    return json.dumps([method, arguments], sort_keys=True)


def _document(path: Path, port: type[Port]) -> dict[str, Any]:
    """Return what a file says, after checking that it is a cassette of this port."""
    hint = "Delete it and record it anew."
    try:
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
        document: Any = json.loads(data) if len(data) <= MOST_BYTES else None
    except FileNotFoundError as error:
        real = f"async with record({port.__name__}, adapter, {str(path)!r})"
        raise NotRecorded(f"There is no cassette {path}. Record it first, from a real adapter: {real}.") from error
    except (OSError, ValueError, RecursionError) as error:
        raise InvalidContent(f"{path} is no cassette: {error}.", hint) from error
    if isinstance(document, dict) and document.get("format", FORMAT) != FORMAT:
        found = document["format"]
        raise InvalidContent(f"{path} is no cassette of format {FORMAT}, which is read here: it is of {found!r}.", hint)
    if not _is_cassette(document):
        raise InvalidContent(f"{path} is no cassette.", hint)
    checked: dict[str, Any] = document
    of, version = checked["port"], checked["version"]
    if of != port.PORT:
        raise InvalidContent(f"{path} is a cassette of the port {of}, and not of {port.PORT}.")
    if version.partition(".")[0] != port.VERSION.partition(".")[0]:
        raise InvalidContent(
            f"{path} was recorded from version {version} of the port {of}; this is {port.VERSION}.", hint
        )
    return checked


def _is_cassette(document: Any) -> bool:
    if not isinstance(document, dict) or document.get("format") != FORMAT or "features" not in document:
        return False
    if not isinstance(document.get("port"), str) or not isinstance(document.get("version"), str):
        return False
    calls = document.get("calls")
    return isinstance(calls, list) and all(
        isinstance(each, dict)
        and isinstance(each.get("method"), str)
        and isinstance(each.get("arguments"), dict)
        and isinstance(each.get("stream"), bool)
        and {"result", "error"} <= each.keys()
        for each in calls
    )
