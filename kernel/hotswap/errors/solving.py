"""Plans and solutions: what cannot be true together, and what was overtaken."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from hotswap.errors.base import HotswapError, nearest


class DependencyMissing(HotswapError):
    """A plugin, or something an enabled plugin needs, is in no catalog."""

    code = "PLUG-006"

    def __init__(self, requirement: str, chain: Sequence[str], known: Iterable[str] = (), hint: str = "") -> None:
        self.requirement = requirement
        self.chain = tuple(chain)
        path = " -> ".join((*self.chain, requirement))
        super().__init__(
            f"Nothing provides {requirement!r}: {path}.",
            hint
            or nearest(requirement.split(" ")[0], known)
            or "Install a plugin that does, or disable the one that asks.",
        )


class DependencyCycle(HotswapError):
    """Plugins require each other in a circle."""

    code = "PLUG-007"

    def __init__(self, cycle: Sequence[str]) -> None:
        self.cycle = tuple(cycle)
        super().__init__(
            f"Plugins require each other: {' -> '.join((*self.cycle, self.cycle[0]))}.",
            "Make one of these requirements optional, or move what they share into a third plugin.",
        )


class DependencyConflict(HotswapError):
    """What is asked for cannot be true together; the chains that meet are shown."""

    code = "PLUG-011"

    def __init__(self, subject: str, chains: Sequence[str], suggestion: str = "") -> None:
        self.subject = subject
        self.chains = tuple(chains)
        self.suggestion = suggestion
        lines = "".join(f"\n  {chain}" for chain in self.chains)
        super().__init__(
            f"No version of {subject!r} satisfies everything that is asked of it:{lines}",
            suggestion or "No single change was found that solves it: disable one of the plugins named above.",
        )


class LockInvalid(HotswapError):
    """``hotswap.lock`` cannot be read, or no longer fits what is installed."""

    code = "PLUG-023"

    def __init__(self, path: str, reason: str) -> None:
        self.path = path
        self.reason = reason
        super().__init__(f"{path} cannot be used: {reason}.", "Delete it: the next `hotswap apply` writes a new one.")


class PlanOutdated(HotswapError):
    """A plan was applied after something else had changed what it starts from."""

    code = "PLUG-022"

    def __init__(self, made_for: int, now: int) -> None:
        self.made_for = made_for
        self.now = now
        super().__init__(f"The plan was made for revision {made_for}; the kernel is at {now}.", "Make the plan again.")


class PluginInUse(HotswapError):
    """A plugin cannot go, because active plugins need it."""

    code = "PLUG-020"

    def __init__(self, plugin: str, dependants: Iterable[str]) -> None:
        self.plugin = plugin
        self.dependants = tuple(dependants)
        super().__init__(
            f"Plugin {plugin!r} is needed by {', '.join(self.dependants)}.",
            "Disable these as well with `--cascade` (cascade=True), or enable another provider first.",
        )


class NothingToRollBack(HotswapError):
    """There is no state of before to return to, or not the one that was named."""

    code = "PLUG-034"

    def __init__(self, revision: int | None, known: Iterable[int]) -> None:
        self.revision = revision
        self.known = tuple(known)
        what = "nothing was changed yet" if revision is None else f"revision {revision} is not kept"
        there = ", ".join(map(str, self.known)) or "none"
        super().__init__(f"There is nothing to go back to: {what}.", f"Revisions that are kept: {there}.")
