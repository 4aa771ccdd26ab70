"""The proof before anything is written: everything is opened once, and closed again."""

from __future__ import annotations

import attrs

from hotswap.cli.invocation import Invocation
from hotswap.cli.opening import opened, run_async, troubled, waiting_facts
from hotswap.cli.solving import Solved
from hotswap.errors import PluginInitFailed
from hotswap.settings import Settings


def prove(invocation: Invocation, settings: Settings) -> None:
    """Open everything that the settings want, and close it again. What could not be opened is raised."""

    async def open_all() -> None:
        async with opened(invocation, settings, quiet=True, eager=True) as kernel:
            for status in troubled(kernel):
                raise status.error or PluginInitFailed(status.id, "opening", str(waiting_facts(status)["message"]))

    run_async(invocation, open_all)


def pinned(solved: Solved) -> Settings:
    """Return settings that want exactly what was solved: a kernel would go by the lock that lies in the folder."""
    versions = solved.solution.versions()
    return attrs.evolve(solved.settings, enabled=[f"{plugin}=={version}" for plugin, version in versions.items()])
