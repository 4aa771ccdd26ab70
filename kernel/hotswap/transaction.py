"""A change of ``hotswap.toml`` and ``hotswap.lock``: both, or neither, also when the process is killed half-way.

1. The new contents are written beside the files, down to the disk.
2. A record of what both are to become is moved to ``.hotswap/unfinished``: the change is decided.
3. The new contents are moved into place, one after the other.
4. The record is moved on: it is the newest state of the history.

Whoever reads the project next finds no record, and both files as they were or as they were to be; or it finds one, and
does steps 3 and 4 first (``settle``).
"""

from __future__ import annotations

import errno
import time
from collections.abc import Callable
from datetime import UTC, datetime

import attrs

from hotswap.errors import ChangeUnfinished, SettingsConflict
from hotswap.history import History
from hotswap.project_files import Contents, ProjectFiles, digest
from hotswap.record import FOUND, Record, read_bytes
from hotswap.replacement import Replacement, discarding
from hotswap.turn import turn

WAIT = 10.0
"""Seconds to wait for others: a change takes some milliseconds, on a bad disk a second or two."""
_BYSTANDER = 1.0
"""Seconds that somebody who may not write waits for the one who makes the change."""
_REFUSED = {errno.EACCES, errno.EPERM, errno.EROFS}


class Transaction:
    """One change of a project's files: begun before anything is decided by them, committed when all is proven.

    Raises ChangeUnfinished as ``settle`` does, and what ``ProjectFiles.read`` raises.
    """

    def __init__(
        self, files: ProjectFiles, *, now: Callable[[], datetime] = lambda: datetime.now(UTC), wait: float = WAIT
    ) -> None:
        settle(files, wait=wait)
        self.files = files
        self.before = files.read()
        """What the files held at the beginning: what is decided has to be decided by this."""
        self._history = History(files)
        self._now = now
        self._wait = wait

    def check(self) -> None:
        """Look whether the files may be replaced. Raises SettingsConflict where they may not."""
        try:
            for each in _replacements(self.files):
                each.check()
        except OSError as error:
            raise self._not_written(error) from error

    def commit(self, after: Contents, command: str) -> int:
        """Make both files what ``after`` says; return the number of that state in the history.

        What no command left becomes a state of its own first. Where nothing differs no file is touched.

        Raises:
            SettingsConflict: the files changed since the beginning, another process is at work, or something cannot
                be written. Nothing was changed then.
            ChangeUnfinished: it is decided, and could not be finished; the next start tries again.
        """
        try:
            self._history.prepare()
            with turn(self._history.turn, self._wait), discarding(*_replacements(self.files)):
                _settle(self.files, self._history, to_write=True)
                return self._commit(after, command)
        except BlockingIOError as error:
            reason = "another process is changing it"
            raise SettingsConflict(str(self.files.settings), reason, "Run the command again.") from error
        except OSError as error:
            raise self._not_written(error) from error

    def _commit(self, after: Contents, command: str) -> int:
        self._check_unchanged()
        before, history, stamp = self.before, self._history, f"{self._now():%Y-%m-%dT%H:%M:%SZ}"
        if before.settings is not None:
            after = attrs.evolve(after, mode=before.mode)
        record = Record(stamp, command, after, self.files.settings_id, _digest(before.settings), self._history.home())
        newest = history.newest()
        is_known = newest is not None and newest.record.contents == before
        if before == after:
            return newest.number if newest is not None and is_known else history.add(record)
        replacements = _replacements(self.files, before, after)
        for each in replacements:
            each.check()
        if not is_known:
            history.add(attrs.evolve(record, command=FOUND, contents=before))
        for each in replacements:
            each.stage()
        self._check_unchanged()
        history.announce(record)
        try:
            return _finish(self.files, history, record, replacements)
        except OSError as error:
            raise _cannot_go_on(history, error) from error

    def _check_unchanged(self) -> None:
        now = self.files.read()
        if now != self.before:
            path = self.files.lock if now.settings == self.before.settings else self.files.settings
            raise SettingsConflict(str(path), "something else changed it at the same time", "Run the command again.")

    def _not_written(self, error: OSError) -> SettingsConflict:
        hint = "Check who owns it, its mode and the disk, then run the command again."
        return SettingsConflict(
            str(error.filename or self._history.folder), f"it cannot be written: {error.strerror}", hint
        )


def settle(files: ProjectFiles, *, wait: float = WAIT) -> None:
    """Finish a change that was interrupted. Where there is none this is one look, and writes nothing.

    A change of another ``hotswap.toml`` in the same project is left to those who use that one.

    Raises:
        ChangeUnfinished: it cannot be finished: its record is damaged, ``hotswap.toml`` was edited since, or nothing
            may be written here. Nothing was changed then.
    """
    if not files.is_unfinished:
        return
    history = History(files)
    try:
        record = _unfinished(history)
        if record is not None and record.settings_id == files.settings_id:
            history.prepare()
            with turn(history.turn, wait), discarding(*_replacements(files)):
                _settle(files, history)
    except OSError as error:
        if error.errno in _REFUSED and _is_gone(files, min(wait, _BYSTANDER)):
            return
        raise _cannot_go_on(history, error) from error


def _settle(files: ProjectFiles, history: History, *, to_write: bool = False) -> None:
    """Do what is left to do; the turn is held. Who is about to write cannot leave it to others."""
    record = _unfinished(history)
    if record is None:
        return
    path = str(history.unfinished)
    if record.settings_id != files.settings_id:
        if to_write:
            hint = f"Run `hotswap plan` with the HOTSWAP_CONFIG_FILE that it was made with, or delete {path}."
            raise ChangeUnfinished(path, "it is about another hotswap.toml", hint)
        return
    if record.home != history.home() and not files.inside:
        # A folder from somebody else must not bring a record that writes where its links lead to.
        raise ChangeUnfinished(path, "it was not written here, and a file that it is about lies outside the project")
    now = files.read()
    _check_unedited(files, history, record, now)
    replacements = _replacements(files, now, record.contents)
    for each in replacements:
        each.check()
    for each in replacements:
        each.stage()
    _finish(files, history, record, replacements)


def _finish(files: ProjectFiles, history: History, record: Record, replacements: list[Replacement]) -> int:
    """Move what is staged into place, and the record into the history."""
    _check_unedited(files, history, record, files.read())
    for each in replacements:
        each.finish()
    return history.take_in()


def _check_unedited(files: ProjectFiles, history: History, record: Record, now: Contents) -> None:
    """Refuse to write over an edit. The lock is generated: whatever became of it, nobody's work is lost."""
    if now.settings != record.contents.settings and _digest(now.settings) != record.was:
        raise ChangeUnfinished(str(history.unfinished), f"{files.settings} was edited before it was finished")


def _unfinished(history: History) -> Record | None:
    try:
        return Record.decode(read_bytes(history.unfinished))
    except FileNotFoundError:  # finished by somebody else
        return None
    except ValueError as error:
        raise ChangeUnfinished(str(history.unfinished), str(error)) from error


def _replacements(
    files: ProjectFiles, before: Contents | None = None, after: Contents | None = None
) -> list[Replacement]:
    """Return what has to be replaced, without ``before`` and ``after`` both files. The lock comes first.

    So whoever watches ``hotswap.toml`` finds the lock in place when it changes.
    """
    after = after or Contents()
    owner = str(files.folder)
    both = [
        (Replacement(files.lock, after.lock, owner=owner), before is None or before.lock != after.lock),
        (
            Replacement(files.settings, after.settings, mode=after.mode, owner=owner),
            before is None or before.settings != after.settings,
        ),
    ]
    return [each for each, differs in both if differs]


def _digest(content: bytes | None) -> str:
    return "" if content is None else digest(content)


def _is_gone(files: ProjectFiles, seconds: float) -> bool:
    """Wait for whoever may write here: the change may be under way at this moment. Return whether it was finished."""
    until = time.monotonic() + seconds
    while files.is_unfinished:
        if time.monotonic() >= until:
            return False
        time.sleep(0.02)
    return True


def _cannot_go_on(history: History, error: OSError) -> ChangeUnfinished:
    path = str(history.unfinished)
    if isinstance(error, BlockingIOError):
        return ChangeUnfinished(path, "another process is at it", "Wait until it has ended, and try again.")
    hint = "Make room or give write access: the next start and the next command try again."
    return ChangeUnfinished(path, f"{error.filename or path} cannot be used: {error.strerror}", hint)
