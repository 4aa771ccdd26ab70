"""Calls and generations during a swap."""

from __future__ import annotations

from collections.abc import Sequence

from hotswap.errors.base import HotswapError, says


class DrainTimeout(HotswapError):
    """Calls were still inside an old generation at its deadline. Those that led to a task were cancelled."""

    code = "PLUG-016"

    def __init__(self, provider: str, seconds: float, calls: Sequence[str], untraced: int = 0) -> None:
        self.provider = provider
        self.seconds = seconds
        self.calls = tuple(calls)
        self.untraced = untraced
        """How many more led to no task."""
        late, found = f"did not leave {provider!r} within {seconds:g} s and", []
        if calls or not untraced:
            lines = "".join(f"\n  - {call}" for call in self.calls)
            found.append(f"{len(self.calls)} call(s) {late} were cancelled:{lines}")
        if untraced:
            text = "They were not cancelled, and it is closed while they are inside."
            found.append(f"{untraced} call(s) {late} could not be traced to a task. {text}")
        super().__init__(
            "\n".join(found), "Give calls like these more time with `drain_timeout` under [plugins] in hotswap.toml."
        )


class CallEvicted(HotswapError):
    """A call was still inside a provider when the time for it to leave was over, and was cancelled."""

    code = "PLUG-032"

    def __init__(self, call: str, provider: str) -> None:
        self.call = call
        self.provider = provider
        super().__init__(
            f"{call} was cancelled: it was still inside {provider} at the deadline for it to be closed.",
            "Make the call again: it goes to the provider in use now. `drain_timeout` under [plugins] in hotswap.toml "
            "gives calls more time.",
        )


class HoldTimeout(HotswapError):
    """A call waited for a provider that is being closed and opened anew, and that took too long; or it cannot wait."""

    code = "PLUG-033"

    def __init__(self, call: str, provider: str, seconds: float) -> None:
        self.call = call
        self.provider = provider
        self.seconds = seconds
        waited = f"waited {seconds:g} s" if seconds else "cannot wait"
        longer = "`hold_timeout` under [plugins] in hotswap.toml lets calls wait longer."
        never = "A synchronous call on the event loop does not wait, nor does one that the replacement waits for."
        super().__init__(
            f"{call} {waited} for {provider}, which is being replaced and cannot be open twice.",
            f"Make the call again. {longer if seconds else never}",
        )


class RebuildFailed(HotswapError):
    """A consumer with ``rebind = "rebuild"`` was to be rebuilt after a swap, and could not be. The swap is in force."""

    code = "PLUG-043"

    def __init__(self, plugin: str, reason: str, *, goes_on: bool = True) -> None:
        self.plugin = plugin
        self.reason = reason
        self.goes_on = goes_on
        now = "goes on as it was" if goes_on else "is closed"
        super().__init__(
            f"Plugin {plugin!r} could not be rebuilt after the swap, and {now}: {reason}",
            f"The next selection of the port tries again, and so does `await kernel.reload({plugin!r})`.",
        )


class TeardownFailed(ExceptionGroup[Exception], HotswapError):
    """Something was closed, and parts of it failed to close; it is closed all the same. Iterate ``exceptions``.

    Of a swap that is in force, the consumers that could not be rebuilt after it are among them.
    """

    code = "PLUG-028"

    def __new__(cls, errors: Sequence[Exception]) -> TeardownFailed:
        lines = "".join(f"\n  - {type(each).__name__}: {says(each)}" for each in errors)
        rebuilding = any(isinstance(each, RebuildFailed) for each in errors)
        done = "The change is in force" if rebuilding else "Everything was closed"
        return super().__new__(cls, f"{done}, with {len(errors)} error(s) on the way:{lines}", errors)

    def __init__(self, errors: Sequence[Exception]) -> None:
        said = [each.hint for each in errors if isinstance(each, RebuildFailed | DrainTimeout)]
        hints = dict.fromkeys(said)
        if len(said) < len(errors):
            hints["These are defects of the plugins named: their stop or cleanup raised."] = None
        HotswapError.__init__(self, self.message, " ".join(hints))

    def __str__(self) -> str:
        return self.message

    def derive(self, excs: Sequence[Exception], /) -> TeardownFailed:  # type: ignore[override] # a group of the same kind
        return TeardownFailed(excs)


class TrialRefused(HotswapError):
    """A canary or a shadow cannot begin, or its candidate cannot be selected any more."""

    code = "PLUG-050"

    def __init__(self, port: str, candidate: str, reason: str, hint: str = "") -> None:
        self.port = port
        self.candidate = candidate
        self.reason = reason
        super().__init__(f"{candidate!r} cannot be tried for {port!r}: {reason}.", hint)
