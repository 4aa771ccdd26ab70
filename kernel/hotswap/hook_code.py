"""Handlers written out one after the other: what a loop over them costs is paid once, when they change.

The text is the way on which no handler has anything to say. Where one answers, fails or has waited, or where the call
comes from within a handler, ``Chain.rest`` and ``Chain.walk`` go on with a loop.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextvars import ContextVar
from functools import lru_cache
from textwrap import indent
from types import coroutine
from typing import Any, Protocol, TypeAlias

from hotswap.handles import FAILURES
from hotswap.hook_deadline import DONE
from hotswap.hook_record import Tally
from hotswap_ports.hooks import Continue, Handler, new_event

MOST = 10
"""How many handlers are written out. A loop over more costs a tenth more than the text would, and compiles nothing."""

NOBODY: frozenset[object] = frozenset()
inside: ContextVar[frozenset[object]] = ContextVar("hotswap_inside_handlers", default=NOBODY)
"""The marks of the handlers that the current code runs in: what they call goes past them, or it would never end."""

Run: TypeAlias = Callable[[Any, Any], "Awaitable[None] | None"]
"""Takes a chain and a moment; returns what is to be awaited where a handler waits, and None where all have run."""


class Step(Protocol):
    """What is needed of a handler to write it out."""

    @property
    def point(self) -> str: ...
    @property
    def handler(self) -> Handler: ...
    @property
    def is_async(self) -> bool: ...
    @property
    def mark(self) -> frozenset[object]: ...


_RUN = """\
def bind(tally, {names}):
    {turn}
    def run(chain, moment):
        if get():
            return {walk}
        answer = failed = None
        try:
{handlers}
        except FAILURES as error:
            answer, failed = None, error
        finally:
            enter(NOBODY)
        return {rest}
"""

_HANDLER = """\
moment.at = {at}
enter(mark_{at})
answer = {wait}handler_{at}(event)
if (answer is None or type(answer) is Continue) and moment.deadline is None:
"""

_SYNC = """\
    return run
"""

_ASYNC = """\
    def begin(chain, moment):
        steps = run(chain, moment)
        awaited = next(steps, DONE)
        if awaited is not DONE:
            return chain.waits(steps, awaited, moment)
    return begin
"""

_NAMES = {
    "Continue": Continue,
    "DONE": DONE,
    "FAILURES": FAILURES,
    "NOBODY": NOBODY,
    "coroutine": coroutine,
    "enter": inside.set,
    "get": inside.get,
    "new_event": new_event,
}


def written_out(steps: Sequence[Step], tally: Tally) -> Run | None:
    """Return what runs these handlers; None where they are too many.

    ``tally`` counts the runs in which none of them had anything to say.
    """
    if len(steps) > MOST:
        return None
    shape, last = "", ""
    for each in steps:
        letter = "a" if each.is_async else "s"
        shape += letter if each.point == last else letter.upper()
        last = each.point
    return _compiled(shape)(tally, *(part for each in steps for part in (each.handler, each.mark, each.point)))


@lru_cache(maxsize=256)
def _compiled(shape: str) -> Callable[..., Run]:
    """Compile the text for a shape: a letter a handler, ``a`` where it is async, a capital where a new event begins."""
    text = "tally.runs += 1\nreturn\n"
    for at, letter in reversed(tuple(enumerate(shape))):
        event = f"event = new_event(point_{at}, moment.data, moment.context)\n" if letter.isupper() else ""
        wait = "yield from " if letter in "aA" else ""
        text = event + _HANDLER.format(at=at, wait=wait) + indent(text, "    ")
    walk, rest = "chain.walk(moment)", "chain.rest(moment, answer, failed)"
    names = ", ".join(f"handler_{at}, mark_{at}, point_{at}" for at in range(len(shape)))
    parts = {"names": names, "handlers": indent(text, " " * 12)}
    if "a" in shape.lower():
        # A generator: ``next`` steps it without the wrapper that a coroutine needs for that.
        source = _RUN.format(turn="@coroutine", walk=f"(yield from {walk})", rest=f"(yield from {rest})", **parts)
        source += _ASYNC
    else:
        walk, rest = f"chain.begin({walk}, moment)", f"chain.begin({rest}, moment)"
        source = _RUN.format(turn="", walk=walk, rest=rest, **parts) + _SYNC
    namespace: dict[str, Any] = dict(_NAMES)
    exec(compile(source, f"<hotswap hooks: {shape}>", "exec"), namespace)  # noqa: S102 - our own text
    bind: Callable[..., Run] = namespace["bind"]
    return bind
