"""Settings, files and the kernel itself."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from hotswap.errors.base import HotswapError


class SettingsInvalid(HotswapError):
    """``hotswap.toml``, the environment or the command line break the format; every problem is listed."""

    code = "PLUG-019"

    def __init__(self, source: str, problems: Sequence[str], hint: str = "") -> None:
        self.source = source
        self.problems = tuple(problems)
        lines = "".join(f"\n  - {problem}" for problem in self.problems)
        super().__init__(
            f"The settings in {source} are not valid:{lines}", hint or "docs/reference/settings.md lists every key."
        )


class SettingsConflict(HotswapError):
    """A file to be edited changed, or is not what the command expected."""

    code = "PLUG-027"

    def __init__(self, path: str, reason: str, hint: str = "") -> None:
        self.path = path
        self.reason = reason
        super().__init__(f"{path} was not changed: {reason}.", hint)


class KernelNotRunning(HotswapError):
    """The kernel was used before it was entered, or after it was left."""

    code = "PLUG-024"

    def __init__(self, what: str, hint: str = "") -> None:
        super().__init__(
            f"The kernel is not running: {what}.",
            hint or "Use it inside `async with Kernel(settings) as kernel:`, or `with BlockingKernel(settings)`.",
        )


class KernelInUse(HotswapError):
    """A kernel was entered a second time while it was running."""

    code = "PLUG-030"

    def __init__(self) -> None:
        super().__init__(
            "The kernel is running already.", "Enter it once, and hand it on; or make another Kernel(settings)."
        )


class NothingToWatch(HotswapError):
    """The kernel was asked to follow its settings, and they were not read from anywhere."""

    code = "PLUG-036"

    def __init__(self) -> None:
        super().__init__(
            "There is no file to follow: the settings of this kernel were made in code.",
            "Read them with `Settings.load(folder)`, or call `kernel.change(settings=...)` when they are others.",
        )


class SettingsGone(HotswapError):
    """A ``hotswap.toml`` that is followed was there, and is there no more. What it said last stays in force."""

    code = "PLUG-042"

    def __init__(self, path: str) -> None:
        self.path = path
        super().__init__(
            f"{path} is gone; what it said last stays in force.",
            "Put it back, and it is read again. An empty one says what none would: that the built-in defaults hold.",
        )


class ChangeUnfinished(HotswapError):
    """A change of ``hotswap.toml`` and ``hotswap.lock`` was interrupted, and cannot be finished as it was meant."""

    code = "PLUG-038"

    def __init__(self, path: str, reason: str, hint: str = "") -> None:
        self.path = path
        self.reason = reason
        super().__init__(
            f"A change of hotswap.toml and hotswap.lock was interrupted, and cannot be finished from {path}: {reason}.",
            hint or f"Delete {path} to leave both files as they are; `hotswap apply` then writes the lock that fits.",
        )


class StateNotFound(HotswapError):
    """There is no earlier state of ``hotswap.toml`` and ``hotswap.lock`` to go back to, or none of that number."""

    code = "PLUG-039"

    def __init__(self, number: int | None, reason: str = "", known: Iterable[int] = ()) -> None:
        self.number = number
        self.reason = reason
        self.known = tuple(known)
        which = "no earlier state" if number is None else f"no state {number}"
        hint = (
            f"`hotswap rollback --list` shows what is kept: {', '.join(map(str, self.known))}."
            if self.known
            else "`hotswap apply`, `plugin enable` and `plugin disable` each leave a state to go back to."
        )
        super().__init__(f"There is {which} to go back to{f': {reason}' if reason else ''}.", hint)


class CallCancelled(HotswapError):
    """A thread's call was cancelled on the kernel's event loop, and not by that thread."""

    code = "PLUG-040"

    def __init__(self, reason: str = "") -> None:
        self.reason = reason
        super().__init__(
            f"The call was cancelled on the kernel's event loop{f': {reason}' if reason else ''}.",
            "Something there cancelled its task: a timeout around it, or a swap whose `drain_timeout` had passed.",
        )


class WouldDeadlock(HotswapError):
    """What was asked for would wait for whoever asks, as a blocking call does on the loop that is to answer it."""

    code = "PLUG-041"

    def __init__(
        self,
        what: str = "A blocking call was made on the kernel's own event loop, which would wait for itself.",
        hint: str = "",
    ) -> None:
        self.what = what
        super().__init__(
            what,
            hint or "Await the live handle there, or call from a thread: `await asyncio.to_thread(function)`.",
        )


class CallInvalid(HotswapError, TypeError):
    """The kernel was called with what it cannot take."""

    code = "PLUG-044"

    def __init__(self, call: str, wanted: str, given: object, hint: str = "") -> None:
        self.call = call
        self.wanted = wanted
        self.given = type(given).__name__
        super().__init__(f"{call} takes {wanted}, and was given a value of type {self.given}.", hint)
