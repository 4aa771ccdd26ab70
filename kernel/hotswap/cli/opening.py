"""A kernel for the length of one command: logs go where the user wants them, signals close it in order."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any, TextIO, TypeVar, cast

import attrs

from hotswap.cli.invocation import Invocation
from hotswap.cli.output import note, plugins_print_to, warn, warn_of
from hotswap.cli.visible import visible
from hotswap.errors import TeardownFailed
from hotswap.states import STUCK, PluginStatus

if TYPE_CHECKING:
    from hotswap.kernel import Kernel
    from hotswap.plan import Plan
    from hotswap.settings import Settings

T = TypeVar("T")


def run_async(invocation: Invocation, main: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run ``main()`` on a new event loop; the first signal cancels it, and Interrupted is raised when all is closed."""
    interrupts = invocation.interrupts

    async def watched() -> T:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None
        interrupts.attach(lambda: loop.call_soon_threadsafe(task.cancel))
        try:
            return await main()
        finally:
            interrupts.hold()

    try:
        with _logging(invocation), plugins_print_to(cast("TextIO", _Stderr())), asyncio.Runner() as runner:
            result = runner.run(watched())
    except BaseException:
        interrupts.check()  # whatever the work made of being cancelled
        raise
    finally:
        interrupts.detach()
    interrupts.check()
    return result


@asynccontextmanager
async def opened(
    invocation: Invocation, settings: Settings, *, quiet: bool = False, eager: bool = False
) -> AsyncIterator[Kernel]:
    """Boot a kernel, warn of what did not come up (unless ``quiet``), and close it in the end.

    ``eager`` opens every plugin, to see whether it can be; else that is left to the first call that needs it.
    """
    kernel = new_kernel(invocation, settings, eager=eager)
    async with running(invocation, kernel):
        if not quiet:
            warn_of_troubles(invocation, kernel)
        yield kernel


def new_kernel(invocation: Invocation, settings: Settings, *, eager: bool = False) -> Kernel:
    """Return a kernel that is not up yet; from now on errors are shown without its plugins' secrets."""
    from hotswap.kernel import Kernel

    kernel = Kernel(attrs.evolve(settings, activation="eager") if eager else settings)
    invocation.redact = kernel.redact
    return kernel


@asynccontextmanager
async def running(invocation: Invocation, kernel: Kernel) -> AsyncIterator[None]:
    """Boot a kernel, and close it in the end.

    What fails to close is a warning: what was asked for has been done by then.
    """
    await kernel.__aenter__()
    try:
        yield
    finally:
        invocation.interrupts.hold()
        try:
            await kernel.__aexit__(None, None, None)
        except TeardownFailed as error:
            warn(invocation, error)


def follow(invocation: Invocation, kernel: Kernel) -> None:
    """Put edits of ``hotswap.toml`` in force while a command is at work; what came of one goes to stderr."""

    def changed(plan: Plan) -> None:
        steps = "; ".join(str(each) for each in plan.steps) or "settings"
        note(invocation, f"hotswap.toml has changed, and is in force: {steps}")

    kernel.watch(on_change=changed, on_problem=lambda error: warn(invocation, error))


def warn_of_troubles(invocation: Invocation, kernel: Kernel) -> None:
    """Warn of everything that was found wrong and did not stop the kernel, once each."""
    for problem in kernel.problems:
        warn(invocation, problem)
    for status in troubled(kernel):
        if status.error is not None:
            warn(invocation, status.error)
        else:
            warn_of(invocation, waiting_facts(status))


def troubled(kernel: Kernel) -> list[PluginStatus]:
    """Return the plugins that are wanted and do not serve; those with a reason of their own come first."""
    found = [each for each in kernel.plugins().values() if each.state in STUCK]
    return sorted(found, key=lambda each: each.error is None)


def waiting_facts(status: PluginStatus) -> dict[str, Any]:
    """Return, as `facts_of` does of errors, why a plugin waits for others."""
    return {
        "code": "",
        "type": "Waiting",
        "message": f"Plugin {status.id!r} is {status.state.value}: {status.reason}.",
        "hint": f"`hotswap why {status.id}` follows it to its cause.",
        "notes": [],
    }


@contextmanager
def _logging(invocation: Invocation) -> Iterator[None]:
    """Send logs to stderr with ``--verbose`` and ``--debug``, and nowhere otherwise."""
    from loguru import logger

    logger.remove()
    level = "DEBUG" if invocation.debug else "INFO" if invocation.verbose else ""
    standard = logging.getLogger()
    handler: logging.Handler = logging.NullHandler()  # without any, Python prints errors of libraries by itself
    if level:
        # no values of variables in tracebacks: they may be secrets
        logger.add(_to_stderr, level=level, format=_line, diagnose=False, backtrace=False, colorize=False)
        handler = logging.StreamHandler(_Stderr())
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)-7s %(name)s: %(message)s", "%H:%M:%S"))
    standard.addHandler(handler)
    own, before = logging.getLogger("hotswap"), logging.getLogger("hotswap").level
    own.setLevel(level or logging.NOTSET)
    try:
        yield
    finally:
        own.setLevel(before)
        standard.removeHandler(handler)
        logger.remove()


def _line(record: Mapping[str, Any]) -> str:
    """Return loguru's template for one line: who says it, when a plugin does."""
    who = "{extra[plugin]}: " if "plugin" in record["extra"] else ""
    return f"{{time:HH:mm:ss}} {{level: <7}} {who}{{message}}\n{{exception}}"


def _to_stderr(message: str) -> None:
    if sys.stderr is not None:
        sys.stderr.write(visible(message))


class _Stderr:
    """The stderr of the moment (while bars are drawn, rich puts another in its place), for logs and plugins' prints."""

    encoding = "utf-8"
    closed = False

    def write(self, text: str) -> int:
        _to_stderr(text)
        return len(text)

    def flush(self) -> None:
        """Do nothing: stderr is not buffered for long."""

    def close(self) -> None:
        """Do nothing: a plugin that closes its stdout closes nobody else's."""

    def isatty(self) -> bool:
        return False
