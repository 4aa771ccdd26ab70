"""The boundary of the command line: whatever ends a command becomes lines on stderr and an exit code."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import click

from hotswap.cli.interrupts import Interrupted
from hotswap.cli.invocation import Invocation
from hotswap.cli.output import TRACEBACK_HINT, facts_of, print_block, print_traceback, to_json

DONE, FAILED, USAGE, BROKEN_PIPE = 0, 1, 2, 141
"""Exit codes; an interrupt is 130, a termination 143, as shells have it."""
_NO_ARGUMENTS: Any = getattr(click.exceptions, "NoArgsIsHelpError", ())  # since click 8.2


def guarded(act: Callable[[], int | None], invocation: Invocation, arguments: Sequence[str]) -> int:
    """Run a command; return its exit code. Nothing but a code comes out, whatever went wrong."""
    try:
        with invocation.interrupts:
            code = act() or DONE
            for stream in (sys.stdout, sys.stderr):
                if stream is not None:
                    stream.flush()
            return code
    except BaseException as error:  # noqa: BLE001 - the boundary: all of it is reported, by line and code
        with suppress(BrokenPipeError):  # stderr itself may be gone
            return report(_innermost(error), invocation, arguments)
        silence_output()
        return BROKEN_PIPE


def _innermost(error: BaseException) -> BaseException:
    """Return the one error in a group of one (task groups wrap it); anything else as it is."""
    while isinstance(error, BaseExceptionGroup) and not hasattr(error, "code") and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error


def report(error: BaseException, invocation: Invocation, arguments: Sequence[str]) -> int:
    """Print what ended a command; return its exit code."""
    if isinstance(error, click.exceptions.Exit):
        return error.exit_code
    if isinstance(error, BrokenPipeError) or getattr(error, "errno", None) == errno.EPIPE:
        silence_output()
        return BROKEN_PIPE
    if isinstance(error, KeyboardInterrupt):
        ended = error if isinstance(error, Interrupted) else Interrupted(2)
        click.echo(ended.line, err=True)
        return ended.exit_code
    if isinstance(error, _NO_ARGUMENTS):
        click.echo(error.ctx.get_help(), err=True)
        return USAGE
    facts, code = _facts(error)
    as_json = invocation.json or (code == USAGE and "--json" in arguments)
    if invocation.debug and code != USAGE:
        print_traceback(invocation, error)
    if as_json:
        document: dict[str, Any] = {"schema": "hotswap.error/1", "error": facts}
        if invocation.warnings:
            document["warnings"] = invocation.warnings
        click.echo(to_json(document), err=True)
    else:
        print_block("error", "red", facts)
    return code


def _facts(error: BaseException) -> tuple[dict[str, Any], int]:
    facts = facts_of(error)
    if isinstance(error, click.UsageError):
        facts["message"] = error.format_message()
        if not facts["hint"] and error.ctx is not None:
            facts["hint"] = f"`{error.ctx.command_path} --help` shows what it takes."
        return facts, USAGE
    if isinstance(error, click.ClickException):
        facts["message"] = error.format_message()
        return facts, error.exit_code
    if facts["code"].startswith(("PLUG-", "PORT-")):
        return facts, FAILED
    if isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EIO, errno.EBADF} and error.filename is None:
        silence_output()
        facts["message"] = f"The output could not be written: {error.strerror}."
        return facts, FAILED
    text = f": {error}" if str(error) else ""
    facts["code"] = ""
    facts["message"] = f"unexpected {type(error).__name__}{text}"
    facts["hint"] = TRACEBACK_HINT
    return facts, FAILED


def silence_output() -> None:
    """Let what is still buffered go nowhere, so that the interpreter does not complain when it flushes at its end."""
    with suppress(OSError, ValueError, AttributeError):  # no real stream, or closed: then there is nothing to silence
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
