"""Edits of ``hotswap.toml`` with its lock: both, or neither."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from hotswap.cli.invocation import Invocation
from hotswap.cli.output import note
from hotswap.cli.solving import Solved, solve
from hotswap.lock import write
from hotswap.planner import LOCK_NAME
from hotswap.settings import Settings
from hotswap.settings_file import SettingsFile, replace_file


def write_down(invocation: Invocation, settings: Settings, edit: Callable[[SettingsFile], None]) -> Solved:
    """Edit ``hotswap.toml``, solve what it asks for now, and write the lock; return what was solved.

    The lock is left alone while a wanted plugin cannot be solved for: it would record the gap as if it were wanted.

    Raises:
        SettingsInvalid, SettingsConflict: something could not be written; both files are as they were.
    """
    path = invocation.settings_path(settings)
    before = path.read_bytes() if path.is_file() else None
    try:
        edit(SettingsFile(path))
        solved = solve(invocation, invocation.settings())
        if not solved.left_out:
            write(solved.settings.folder / LOCK_NAME, solved.new_lock())
    except BaseException:
        _put_back(path, before)
        raise
    note(invocation, f"Wrote {path}." if solved.left_out else f"Wrote {path} and {LOCK_NAME}.")
    return solved


def _put_back(path: Path, before: bytes | None) -> None:
    if before is None:
        if path.exists():  # where it is not, a read-only folder would refuse even to look
            path.unlink()
    elif path.read_bytes() != before:
        replace_file(Path(os.path.realpath(path)), before)
