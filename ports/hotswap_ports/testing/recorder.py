"""What is asked of a real adapter and what it answers, noted for a cassette."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import aclosing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from attrs import asdict, define, field

from hotswap_ports.errors import WrongTest
from hotswap_ports.methods import PortMethod, port_methods
from hotswap_ports.port import Port
from hotswap_ports.testing.answers import each_of
from hotswap_ports.testing.mock import arguments_of
from hotswap_ports.testing.plain import Plain

FORMAT = 1


class NotRecordable(WrongTest):
    """A call has an argument or a result that cannot be written to a cassette."""


@define(eq=False)
class Noted:
    """A call as it will stand on a cassette."""

    method: str
    arguments: Mapping[str, Any]
    stream: bool
    result: Any = None
    error: Any = None
    ended: bool = field(default=False, metadata={"written": False})


class Tape:
    """The calls of an adapter, in the order in which they began."""

    def __init__(self, port: type[Port], plain: Plain) -> None:
        self._port = port
        self._plain = plain
        self._notes: list[Noted] = []
        self.stopped = False
        """Whether something could not be recorded."""

    @contextmanager
    def noted(self, method: PortMethod, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Iterator[Noted]:
        """Note a call: its arguments at once, as they are then, and how it ends."""
        given = arguments_of(method, args, kwargs)
        arguments = {name: self.written(method, f"its parameter {name}", value, name) for name, value in given.items()}
        note = Noted(method.name, arguments, method.kind == "stream")
        self._notes.append(note)
        try:
            yield note
        except WrongTest:
            raise
        except GeneratorExit:  # a reader that stops early is no failure
            note.ended = True
            raise
        except BaseException as error:
            note.error, note.ended = self.written(method, "its error", error), True
            raise
        note.ended = True

    def written(self, method: PortMethod, what: str, value: Any, name: str = "") -> Any:
        """Return a value as it will stand there.

        Raises:
            NotRecordable: it cannot stand there.
        """
        try:
            return self._plain.write(value, name)
        except (RecursionError, TypeError, ValueError) as error:
            self.stopped = True
            call = f"{self._port.PORT}.{method.name}"
            raise NotRecordable(f"A call of {call} cannot be recorded, because of {what}: {error}.") from error

    def save(self, path: Path, features: Any) -> None:
        """Write all calls that have ended."""
        document = {
            "format": FORMAT,
            "port": self._port.PORT,
            "version": self._port.VERSION,
            "features": self._plain.write(features),
            "calls": [
                asdict(each, recurse=False, filter=lambda one, _: one.metadata.get("written", True))
                for each in self._notes
                if each.ended
            ],
        }
        text = json.dumps(document, indent=1, ensure_ascii=False, sort_keys=True) + "\n"
        beside = path.with_name(f"{path.name}.{os.getpid()}")
        beside.write_bytes(text.encode("utf-8", "surrogatepass"))  # as JSON is read
        beside.replace(path)


class Twin:
    """What stands behind a mock with the methods of a port, each of its kind; its own names begin with ``_``."""

    def __init__(self, port: type[Port]) -> None:
        self._methods = {each.name: each for each in port_methods(port)}

    def __getattr__(self, name: str) -> Any:
        method = self.__dict__.get("_methods", {}).get(name)
        if method is None:
            raise AttributeError(name)
        return partial({"async": self._call, "stream": self._stream, "sync": self._sync}[method.kind], method)

    async def _call(self, method: PortMethod, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError

    def _stream(self, method: PortMethod, *args: Any, **kwargs: Any) -> AsyncGenerator[Any, None]:
        raise NotImplementedError

    def _sync(self, method: PortMethod, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError


class Recorder(Twin):
    """Asks an adapter, and notes that on a tape."""

    def __init__(self, port: type[Port], adapter: Any, tape: Tape) -> None:
        super().__init__(port)
        self._adapter = adapter
        self._tape = tape

    @property
    def features(self) -> Any:
        return self._adapter.features

    async def _call(self, method: PortMethod, *args: Any, **kwargs: Any) -> Any:
        with self._tape.noted(method, args, kwargs) as note:
            result = await getattr(self._adapter, method.name)(*args, **kwargs)
            note.result = self._tape.written(method, "what it returned", result)
            return result

    def _sync(self, method: PortMethod, *args: Any, **kwargs: Any) -> Any:
        with self._tape.noted(method, args, kwargs) as note:
            result = getattr(self._adapter, method.name)(*args, **kwargs)
            note.result = self._tape.written(method, "what it returned", result)
            return result

    async def _stream(self, method: PortMethod, *args: Any, **kwargs: Any) -> AsyncGenerator[Any, None]:
        with self._tape.noted(method, args, kwargs) as note:
            note.result = []
            async with aclosing(each_of(getattr(self._adapter, method.name)(*args, **kwargs))) as items:
                async for item in items:
                    note.result.append(self._tape.written(method, "an item of its stream", item))
                    yield item
