"""The proof before anything is written: everything is opened once, and closed again."""

from __future__ import annotations

from itertools import chain

import attrs

from hotswap.cli.invocation import Invocation
from hotswap.cli.opening import opened, run_async, troubled, waiting_facts
from hotswap.cli.solving import Solved
from hotswap.errors import PluginInitFailed
from hotswap.kernel import Kernel
from hotswap.settings import Settings
from hotswap_ports import NotReady


def prove(invocation: Invocation, settings: Settings) -> None:
    """Open everything that the settings want, and close it again. What could not be opened is raised."""

    async def open_all() -> None:
        async with opened(invocation, settings, quiet=True, eager=True) as kernel:
            for status in troubled(kernel):
                error = status.error or PluginInitFailed(status.id, "opening", str(waiting_facts(status)["message"]))
                say_if_exclusive(error, kernel, status.id)
                raise error

    run_async(invocation, open_all)


def say_if_exclusive(error: Exception, kernel: Kernel, plugin: str) -> None:
    """Say in the hint of an error how to go on where a plugin cannot be open twice: an application may have it open."""
    if not isinstance(error, PluginInitFailed | NotReady):
        return
    provides = chain.from_iterable(each.manifest.provides for each in kernel.catalog.versions(plugin)[:1])
    if any(each.exclusive for each in provides):
        more = f"{plugin} cannot be open twice: while an application has it open, `--no-check` leaves this proof out."
        error.hint = f"{error.hint} {more}".lstrip()


def pinned(solved: Solved) -> Settings:
    """Return settings that want exactly what was solved: a kernel would go by the lock that lies in the folder."""
    versions = solved.solution.versions()
    return attrs.evolve(solved.settings, enabled=[f"{plugin}=={version}" for plugin, version in versions.items()])
