"""Child processes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from hotswap.residue.finding import Finding, Kind
from hotswap.residue.owners import Owners
from hotswap.residue.records import Records

_TASKS = "/proc/self/task"


def children() -> frozenset[int]:
    """Return the processes that this one has started; none where the system does not list them."""
    found: set[int] = set()
    with suppress(OSError):
        for thread in os.listdir(_TASKS):
            with suppress(OSError):  # the thread has ended meanwhile
                found.update(map(int, Path(_TASKS, thread, "children").read_text("ascii").split()))
    return frozenset(found)


def left_running(
    before: Collection[int], owners: Owners, records: Records, nobodys: str | None
) -> Iterator[tuple[Finding, Any]]:
    """Yield the child processes that plugins left running, each with what stands for it.

    Args:
        before: those there were when the watch began.
        nobodys: the plugin of those that nobody was seen to start; None leaves them out.
    """
    known: set[int] = {*before, *_of_python()}
    for process, made in records.processes.items():
        pid = getattr(process, "pid", None)  # it may have failed to start
        if pid is None or pid in known:
            continue
        known.add(pid)
        load = owners.maker(made)
        if load is not None and is_running(pid, process):
            yield Finding(Kind.PROCESS, load.plugin, f"{_program(process)} ({pid})", owners.place(made, load)), process
    for pid in sorted(children() - known):
        if is_running(pid):
            finding = _forked(pid, owners, records, nobodys)
            if finding is not None:
                yield finding, None


def is_running(pid: int, process: subprocess.Popen[Any] | None = None) -> bool:
    """Return whether a child runs. One that has ended stays for whoever waits for it."""
    if hasattr(os, "waitid"):
        try:
            return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None
        except OSError:  # somebody has waited for it
            return False
    return process is not None and process.poll() is None


def _program(process: subprocess.Popen[Any]) -> str:
    """Return the name of what runs; its arguments may be secret."""
    arguments: Any = process.args
    first = arguments if isinstance(arguments, str | bytes | os.PathLike) else next(iter(arguments), "")
    return os.path.basename(os.fsdecode(first).split(" ")[0])


def _forked(pid: int, owners: Owners, records: Records, nobodys: str | None) -> Finding | None:
    """Return a child that was forked; a fork does not say which child it made, so only one who forked can be it."""
    made = list(records.forks)
    makers = {load.root: (load, each) for each in made if (load := owners.maker(each)) is not None}
    name = f"a fork ({pid})"
    if len(makers) == 1 and all(owners.maker(each) is not None for each in made):
        load, each = next(iter(makers.values()))
        return Finding(Kind.PROCESS, load.plugin, name, owners.place(each, load))
    return Finding(Kind.PROCESS, nobodys, name) if nobodys is not None and not made else None


def _of_python() -> Iterator[int]:
    """Yield the processes that Python keeps for everybody, once anybody has used ``multiprocessing``."""
    for module, keeper, attribute in (
        ("multiprocessing.resource_tracker", "_resource_tracker", "_pid"),
        ("multiprocessing.forkserver", "_forkserver", "_forkserver_pid"),
    ):
        pid = getattr(getattr(sys.modules.get(module), keeper, None), attribute, None)
        if pid is not None:
            yield pid
