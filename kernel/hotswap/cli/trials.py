"""``--canary`` and ``--shadow``: trials for the length of one run, and what came of them."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import attrs
import click
from attrs import frozen

from hotswap.cli.invocation import Invocation
from hotswap.cli.output import note

if TYPE_CHECKING:
    from hotswap.kernel import Kernel
    from hotswap.trials import Trial, Verdict

SHARE = 0.05
"""The share of the calls that a canary gets where nothing is said."""
_TRIAL = re.compile(r"(?P<port>[^=:\s]+)=(?P<provider>[^=:\s]+)(?::(?P<share>[^=:\s]+))?")


@frozen
class Wanted:
    """One ``--canary`` or ``--shadow``."""

    port: str
    provider: str
    share: float | None = None
    """None: it is a shadow."""

    async def begin(self, kernel: Kernel) -> Trial:
        """Begin the trial."""
        if self.share is None:
            return await kernel.select(self.port, self.provider, shadow=True)
        return await kernel.select(self.port, self.provider, canary=self.share)


class TrialType(click.ParamType[Wanted]):
    """``PORT=PROVIDER``, for a canary also ``PORT=PROVIDER:SHARE``."""

    name = "trial"

    def __init__(self, *, canary: bool) -> None:
        self._canary = canary

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Wanted:
        """Read one value; a mistake is a usage error that shows how it is written."""
        found = _TRIAL.fullmatch(value)
        if found is None or (found["share"] and not self._canary):
            form = "PORT=PROVIDER or PORT=PROVIDER:SHARE, like ai=ollama:0.1" if self._canary else "PORT=PROVIDER"
            self.fail(f"{value!r} is not {form}.", param, ctx)
        return Wanted(found["port"], found["provider"], self._share(found["share"], param, ctx))

    def _share(self, text: str | None, param: click.Parameter | None, ctx: click.Context | None) -> float | None:
        if not self._canary:
            return None
        try:
            share = float(text or SHARE)
        except ValueError:
            share = 0.0
        if not 0 < share < 1:
            self.fail(f"{text!r} is not a share between 0 and 1.", param, ctx)
        return share


@asynccontextmanager
async def on_trial(invocation: Invocation, kernel: Kernel, wanted: Sequence[Wanted]) -> AsyncIterator[list[Verdict]]:
    """Keep candidates on trial; the list is filled at the end, and what came of them is said on stderr.

    A run that is interrupted ends its trials with the kernel: a shadow's last answers are not waited for.
    """
    trials = [await each.begin(kernel) for each in wanted]
    verdicts: list[Verdict] = []
    try:
        yield verdicts
    except Exception:
        await _end(invocation, trials)
        raise
    verdicts += await _end(invocation, trials)


async def _end(invocation: Invocation, trials: Sequence[Trial]) -> list[Verdict]:
    verdicts = [await each.stop("the run is over") for each in trials]
    for each in verdicts:
        note(invocation, invocation.redact(str(each)))
    return verdicts


def document(verdict: Verdict) -> dict[str, Any]:
    """Return a verdict as data for a JSON document."""
    return attrs.asdict(verdict)
