"""Edits of ``hotswap.toml`` with its lock: both, or neither."""

from __future__ import annotations

from collections.abc import Callable

import attrs

from hotswap.cli.invocation import Invocation
from hotswap.cli.output import note
from hotswap.cli.solving import Solved, solve
from hotswap.project_files import LOCK_NAME
from hotswap.settings_text import SettingsText
from hotswap.transaction import Transaction


def write_down(
    invocation: Invocation, transaction: Transaction, command: str, edit: Callable[[SettingsText], None]
) -> Solved:
    """Edit ``hotswap.toml``, solve what it asks for then, and write it with the lock; return what was solved.

    The lock is left alone while a wanted plugin cannot be solved for: it would record the gap as if it were wanted.

    Raises:
        SettingsInvalid, SettingsConflict: something could not be written; both files are as they were.
    """
    text = SettingsText(transaction.before.settings, transaction.files.settings)
    edit(text)
    solved = solve(invocation, invocation.settings_as_if(text.content))
    after = attrs.evolve(transaction.before, settings=text.content)
    if not solved.left_out:
        after = attrs.evolve(after, lock=solved.new_lock())
    transaction.commit(after, command)
    note(invocation, f"Wrote {text.path}." if solved.left_out else f"Wrote {text.path} and {LOCK_NAME}.")
    return solved
