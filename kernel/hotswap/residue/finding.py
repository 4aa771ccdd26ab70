"""What a plugin left: one entry for each thing, and all of them together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from enum import Enum

from attrs import frozen


class Kind(Enum):
    """What sort of thing was left. A member carries what it is called in a sentence, and what would undo it."""

    MODULE = "module", "a module", "Take what was put into sys.modules out again in stop()."
    TASK = "task", "a task", "Cancel it and await it in stop(), or start it in a task group on context.exit_stack."
    TIMER = "timer", "a timer", "Cancel it in stop(): context.exit_stack.callback(timer.cancel)."
    THREAD = "thread", "a thread", "Let it end, and join it, in stop(); shut down an executor."
    FILE = "file", "an open file", "Close it in stop(), or enter it on context.exit_stack."
    SOCKET = "socket", "an open socket", "Close it in stop(), or enter it on context.exit_stack."
    PROCESS = "child process", "a child process", "End it, and wait for it, in stop()."
    HOOK = "hook", "a hook", "Register it with context.events.on: then it leaves with the plugin."
    ATTRIBUTE = "patched attribute", "a patched attribute", "Put back in stop() what was there before."
    OBJECT = "object", "an object", "Take it out of what holds it in stop()."
    LOG_HANDLER = "log handler", "a log handler", "Remove it in stop()."
    SIGNAL_HANDLER = "signal handler", "a signal handler", "Put back in stop() what was there before."
    EXIT_CALLBACK = "exit callback", "an exit callback", "Call atexit.unregister in stop()."
    LOOP_SETTING = "loop setting", "a setting of the event loop", "Put back in stop() what was there before."
    IMPORT_PATH = "import path", "an entry of an import path", "Take it out again in stop()."
    ENVIRONMENT = "environment", "a change of the environment", "Put back in stop() what was there before."

    def __init__(self, label: str, noun: str, hint: str) -> None:
        self.label = label
        self.noun = noun
        self.hint = hint


@frozen
class Place:
    """A line of code."""

    file: str
    line: int
    function: str = ""

    def __str__(self) -> str:
        inside = f" in {self.function}" if self.function and not self.function.startswith("<") else ""
        return f"{self.file}:{self.line}{inside}"


@frozen
class Finding:
    """One thing that was there after a plugin had gone, and had not been there before it came."""

    kind: Kind
    plugin: str
    """The plugin's id; empty where nobody can tell which plugin it was."""
    name: str
    made: Place | None = None
    """Where it was made: the innermost line of the plugin's own code. For an object, where its class is defined."""
    held_by: tuple[str, ...] = ()
    """For an object: what keeps it alive, the nearest holder first."""

    def __str__(self) -> str:
        made = f", made at {self.made}" if self.made is not None else ""
        held = f", held by {' <- '.join(self.held_by)}" if self.held_by else ""
        return f"{self.plugin or 'Somebody'} left {self.kind.noun}: {self.name}{made}{held}."

    @property
    def hint(self) -> str:
        """Return what would undo it."""
        return self.kind.hint


@frozen
class Residue:
    """What was left; false when that is nothing. As text it is a sentence a line."""

    findings: tuple[Finding, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.findings)

    def __len__(self) -> int:
        return len(self.findings)

    def __iter__(self) -> Iterator[Finding]:
        return iter(self.findings)

    def __str__(self) -> str:
        """Return a sentence a line; the same one said of several things says of how many."""
        counts = Counter(map(str, self.findings))
        return "\n".join(text if times == 1 else f"{text} ({times} times)" for text, times in counts.items())

    def of(self, plugin: str) -> Residue:
        """Return what one plugin left."""
        return Residue(tuple(each for each in self.findings if each.plugin == plugin))
