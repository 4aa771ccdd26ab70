"""Cassettes: what a real adapter answered once, for tests that run without it."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar, cast

from hotswap_ports.errors import InvalidContent
from hotswap_ports.port import Port
from hotswap_ports.testing.mock import mock_of
from hotswap_ports.testing.plain import TAG, Plain
from hotswap_ports.testing.rules import Call

P = TypeVar("P", bound=Port)

FORMAT = 1
MOST_BYTES = 64 * 1024 * 1024


class NotRecorded(AssertionError):
    """A cassette is asked for a call that is not on it. No error of a port, which the code under test may catch."""


def _same(text: str) -> str:
    return text


@asynccontextmanager
async def record(
    port: Callable[..., P], adapter: P, path: Path, *, scrub: Callable[[str], str] = _same
) -> AsyncIterator[P]:
    """Lend a stand-in for ``adapter``, and write what was asked of it and answered to ``path`` at the end.

    What ends with an error is written too, in order to be replayed as that error. A call that has not ended is not.
    Where the block itself fails, nothing is written.

    Args:
        port: the port, as a class.
        adapter: open already, and left open.
        scrub: told every text before it is written: takes out what must not be kept.
    """
    asked = cast("type[Port]", port)
    tape = mock_of(asked, adapter)
    yield cast("P", tape)
    plain = Plain(asked)
    calls = [_written(plain, each) for each in tape.calls() if each.ended]
    document = {
        "format": FORMAT,
        "port": asked.PORT,
        "version": asked.VERSION,
        "features": plain.write(getattr(adapter, "features", None)),
        "calls": calls,
    }
    text = json.dumps(_scrubbed(document, scrub), indent=1, ensure_ascii=False, sort_keys=True) + "\n"
    beside = path.with_name(f"{path.name}.{os.getpid()}")
    beside.write_text(text, "utf-8")
    beside.replace(path)


def replay(port: Callable[..., P], path: Path, *, scrub: Callable[[str], str] = _same) -> P:
    """Return an adapter that answers as it stands on a cassette: the same call, the same answer, in the same order.

    A call that was made more than once is answered in turn, and the last answer stays. ``scrub`` has to be the one
    that it was recorded with. It is a mock too: ``replay(...).on("complete").fail(...)``.

    Raises:
        InvalidContent: it is no cassette, or one of another port or of another major version of it.
        NotRecorded: later, for a call that is not on it.
    """
    asked = cast("type[Port]", port)
    plain, document = Plain(asked), _document(path, asked)
    answers: dict[str, list[Any]] = {}
    for each in document["calls"]:
        answers.setdefault(_key(each["method"], each["arguments"]), []).append(each)

    def answer(call: Call) -> Any:
        arguments = {name: plain.write(value) for name, value in call.arguments.items()}
        found = answers.get(_key(call.method, _scrubbed(arguments, scrub)))
        if not found:
            known = ", ".join(sorted({each["method"] for each in document["calls"]})) or "nothing"
            text = f"{path.name} has no call {call.method}({call.arguments}). It has calls of {known}."
            raise NotRecorded(f"{text} Delete it and record it anew.")
        taken = found.pop(0) if len(found) > 1 else found[0]
        return _played(plain, taken)

    tape = mock_of(asked, _Features(plain.read(document["features"])))
    tape.on("*").answer(answer)
    return cast("P", tape)


class _Features:
    """The twin of a replayed adapter: every call is answered before it gets here."""

    def __init__(self, features: Any) -> None:
        self.features = features

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(name)


def _written(plain: Plain, call: Call) -> dict[str, Any]:
    return {
        "method": call.method,
        "arguments": {name: plain.write(value) for name, value in call.arguments.items()},
        "stream": call.stream,
        "result": plain.write(call.result),
        "error": None if call.error is None else plain.write(call.error),
    }


def _played(plain: Plain, call: dict[str, Any]) -> Any:
    result, error = plain.read(call["result"]), plain.read(call["error"])
    if call["stream"]:
        return _items(result, error)
    if error is not None:
        raise error
    return result


async def _items(items: list[Any], error: BaseException | None) -> AsyncGenerator[Any, None]:
    for each in items:
        yield each
    if error is not None:
        raise error


def _key(method: str, arguments: Any) -> str:
    return json.dumps([method, arguments], sort_keys=True)


def _scrubbed(value: Any, scrub: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return scrub(value)
    if isinstance(value, list):
        return [_scrubbed(each, scrub) for each in value]
    if isinstance(value, dict):
        return {key: each if key == TAG else _scrubbed(each, scrub) for key, each in value.items()}
    return value


def _document(path: Path, port: type[Port]) -> dict[str, Any]:
    """Return what a file says, after checking that it is a cassette of this port."""
    hint = "Delete it and record it anew."
    try:
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
        document: Any = json.loads(data) if len(data) <= MOST_BYTES else None
    except (ValueError, RecursionError) as error:
        raise InvalidContent(f"{path} is no cassette: {error}.", hint) from error
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
