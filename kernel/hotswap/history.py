"""The states that the two files of a project were in: the last 50, a file each in ``.hotswap/history/``.

========================  =============================================================================================
file in ``.hotswap/``     what
========================  =============================================================================================
``history/000007.state``  the seventh state: see :mod:`hotswap.record`
``history/turn``          locked by whoever makes a change
``unfinished``            the record of a change that is being made: while it lies there, the change is decided;
                          outside the folder, so that those who may not look into that see that it is there
========================  =============================================================================================

A record may hold secrets that stand in ``hotswap.toml``: the folder and the files are their owner's alone, and a
repository does not take the folder in.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from attrs import frozen

from hotswap.errors import StateNotFound
from hotswap.project_files import Contents, ProjectFiles
from hotswap.record import FOUND, Record, read_bytes
from hotswap.replacement import Replacement, discarding, sync_folder

KEPT = 50
"""How many states are kept."""
_NAME = re.compile(r"([0-9]{6,12})\.state")


@frozen
class Entry:
    """One state in the history."""

    number: int
    record: Record


class History:
    """The folder of states of one project. Methods that write raise OSError, and want the turn to be held."""

    def __init__(self, files: ProjectFiles) -> None:
        self._settings_id = files.settings_id
        self.folder = files.own_folder / "history"
        self.unfinished = files.unfinished
        self.turn = self.folder / "turn"

    def prepare(self) -> None:
        """Make the folder where it is not there, down to the disk."""
        ignored = self.folder / ".gitignore"  # comes last: with it, all is there
        if ignored.exists():
            return
        self.folder.parent.mkdir(exist_ok=True)
        self.folder.mkdir(mode=0o700, exist_ok=True)
        for each in (self.folder.parent, self.folder.parent.parent):
            sync_folder(each)
        with suppress(FileExistsError), open(ignored, "xb") as file:  # another process may be at it
            file.write(b"*\n")

    def home(self) -> int:
        """Return the folder's inode."""
        return self.folder.stat().st_ino

    def numbers(self) -> list[int]:
        """Return the numbers of the states, the oldest first."""
        try:
            names = os.listdir(self.folder)
        except (FileNotFoundError, NotADirectoryError):
            return []
        return sorted(int(found[1]) for each in names if (found := _NAME.fullmatch(each)))

    def entries(self) -> tuple[list[Entry], list[StateNotFound]]:
        """Return the states of this ``hotswap.toml``, the newest first, and an error for each that is damaged."""
        entries: list[Entry] = []
        damaged: list[StateNotFound] = []
        for number in reversed(self.numbers()):
            try:
                record = self._read(number)
            except StateNotFound as error:
                damaged.append(error)
                continue
            if record.settings_id == self._settings_id:
                entries.append(Entry(number, record))
        return entries, damaged

    def newest(self) -> Entry | None:
        """Return the newest state of this ``hotswap.toml`` that can be read."""
        for number in reversed(self.numbers()):
            with suppress(StateNotFound):  # `entries` tells of it
                record = self._read(number)
                if record.settings_id == self._settings_id:
                    return Entry(number, record)
        return None

    def announce(self, record: Record) -> None:
        """Put a record in the place of the unfinished one: from here on, what it says is decided."""
        try:
            self._write(self.unfinished, record)
        except OSError:  # it may lie there, and not be on the disk: what is reported as failed must not happen later
            with suppress(FileNotFoundError):
                os.unlink(self.unfinished)
            raise

    def take_in(self) -> int:
        """Make the unfinished record the newest state, in one step; return its number."""
        number = self._next()
        os.replace(self.unfinished, self._path(number))
        for each in (self.folder, self.folder.parent):
            sync_folder(each)
        self._prune()
        return number

    def add(self, record: Record) -> int:
        """Put a record among the states; return its number."""
        number = self._next()
        self._write(self._path(number), record)
        self._prune()
        return number

    def _next(self) -> int:
        numbers = self.numbers()
        return numbers[-1] + 1 if numbers else 1

    def _prune(self) -> None:
        for each in self.numbers()[:-KEPT]:
            with suppress(OSError):  # the next change tries again
                os.unlink(self._path(each))

    def _write(self, path: Path, record: Record) -> None:
        replacement = Replacement(path, record.encode(), mode=0o600)
        with discarding(replacement):
            replacement.stage()
            replacement.finish()

    def _read(self, number: int) -> Record:
        path = self._path(number)
        try:
            return Record.decode(read_bytes(path))
        except ValueError as error:
            reason = str(error)
        except OSError as error:
            reason = f"it cannot be read: {error.strerror}"
        raise StateNotFound(number, f"{path} cannot be used: {reason}")

    def _path(self, number: int) -> Path:
        return self.folder / f"{number:06}.state"


def state_before(entries: Iterable[Entry], now: Contents) -> Entry | None:
    """Return the state before the last change; None when there is none. ``entries`` has the newest first.

    It is the newest that is another one than ``now``. An edit of ``hotswap.toml`` and the ``hotswap apply`` after it
    are one change: the state between them, the new file with the old lock, is passed over.
    """
    for each in entries:
        contents = each.record.contents
        between = each.record.command == FOUND and contents.settings == now.settings
        if contents != now and not between:
            return each
    return None
