"""``hotswap rollback``: an earlier ``hotswap.toml`` and ``hotswap.lock``, to the byte, once everything opens."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hotswap.cli.invocation import Invocation
from hotswap.cli.root import Command

if TYPE_CHECKING:
    from hotswap.cli.solving import Solved
    from hotswap.history import Entry, History
    from hotswap.plan import Step
    from hotswap.project_files import Contents
    from hotswap.transaction import Transaction


@click.command(cls=Command)
@click.argument("number", metavar="[NUMBER]", required=False, type=click.IntRange(min=1))
@click.option("--list", "listing", is_flag=True, help="List the states that are kept.")
@click.option("--dry-run", is_flag=True, help="Show the steps; open and write nothing.")
@click.option("--no-check", is_flag=True, help="Only solve: do not open everything for proof.")
@click.pass_obj
def rollback(invocation: Invocation, number: int | None, listing: bool, dry_run: bool, no_check: bool) -> None:
    """Go back to an earlier hotswap.toml and hotswap.lock.

    NUMBER is one of --list; without one, it is the state before the last change. Everything is opened once, then both
    files are written as they were, comments included. When one of the plugins cannot be opened, nothing is written.
    What is there now becomes a state too, so a rollback can be undone.
    """
    from hotswap.cli.proof import pinned, prove
    from hotswap.cli.solving import steps_from
    from hotswap.history import History
    from hotswap.transaction import Transaction

    transaction = Transaction(invocation.files())
    history = History(transaction.files)
    if listing:
        _list(invocation, history, transaction.before)
        return
    target = _target(history, transaction.before, number)
    solved = _solved(invocation, target)
    steps = steps_from(invocation.lock_in(transaction.before.lock), solved)
    written: int | None = None
    if not dry_run:
        transaction.check()
        if not no_check:
            prove(invocation, pinned(solved))
        written = transaction.commit(target.record.contents, f"rollback {target.number}")
    _report(invocation, transaction, target, steps, written)


def _target(history: History, now: Contents, number: int | None) -> Entry:
    from hotswap.errors import StateNotFound

    entries, damaged = history.entries()
    if number is None:
        found = _state_before(entries, now)
    else:
        found = next((each for each in entries if each.number == number), None)
        for error in damaged:
            if error.number == number:
                raise error
    if found is None:
        raise StateNotFound(number, known=[each.number for each in reversed(entries)])
    return found


def _state_before(entries: Sequence[Entry], now: Contents) -> Entry | None:
    """Return where a rollback without a number leads: a file with a mistake in it is no solution to go back to."""
    from hotswap.errors import SettingsInvalid
    from hotswap.history import state_before
    from hotswap.settings import FILE_NAME, check_text

    def is_sound(entry: Entry) -> bool:
        try:
            check_text(entry.record.contents.settings or b"", Path(FILE_NAME))
        except SettingsInvalid:  # `rollback NUMBER` reports it
            return False
        return True

    return state_before(filter(is_sound, entries), now)


def _solved(invocation: Invocation, target: Entry) -> Solved:
    """Solve as the next start would with both files of that state.

    Raises:
        SettingsInvalid, HotswapError: the file is not sound, or what it wants cannot be solved for.
    """
    from hotswap.cli.output import warn
    from hotswap.cli.solving import solve_from
    from hotswap.errors import HotswapError, LockInvalid

    contents = target.record.contents
    try:
        lock = invocation.lock_in(contents.lock)
        solved = solve_from(invocation, invocation.settings_as_if(contents.settings), lock)
        for error in solved.left_out.values():
            raise error
    except HotswapError as error:
        error.add_note(f"Of hotswap.toml as it was in state {target.number}.")
        raise
    problems = lock.fits(solved.request) if lock is not None else []
    if problems:
        reason = f"state {target.number} is solved anew: {'; '.join(map(str, problems))}"
        stale = LockInvalid(str(invocation.files().lock), reason)
        stale.hint = "`hotswap apply` after it writes a lock that fits."
        warn(invocation, stale)
    return solved


def _report(
    invocation: Invocation, transaction: Transaction, target: Entry, steps: list[Step], written: int | None
) -> None:
    import attrs

    from hotswap.cli.output import note, print_document, print_text

    changed = [
        path.name
        for path, before, after in (
            (transaction.files.settings, transaction.before.settings, target.record.contents.settings),
            (transaction.files.lock, transaction.before.lock, target.record.contents.lock),
        )
        if before != after
    ]
    if invocation.json:
        content: dict[str, Any] = {
            "to": target.number,
            "steps": [attrs.asdict(each) for each in steps],
            "files": changed,
            "state": written,
        }
        print_document(invocation, "rollback/1", content)
        return
    print_text("\n".join(map(str, steps)) or "The same plugins, in the same versions.")
    names = " and ".join(changed)
    if written is None:
        note(invocation, f"Nothing was written. {names or 'Neither file'} would change.")
    else:
        wrote = f"Wrote {names} as in state {target.number}" if changed else "Both files stay as they are"
        note(invocation, f"{wrote}. `hotswap rollback --list` shows what can be undone.")


def _list(invocation: Invocation, history: History, now: Contents) -> None:
    from hotswap.cli.output import note, print_document, print_table, warn
    from hotswap.record import FOUND

    entries, damaged = history.entries()
    for error in damaged:
        warn(invocation, error)
    back = _state_before(entries, now)
    current = next((each for each in entries if each.record.contents == now), None)
    if invocation.json:
        rows = [
            {
                "number": each.number,
                "time": each.record.time,
                "command": None if each.record.command == FOUND else each.record.command,
                "current": each is current,
                "default": each is back,
            }
            for each in entries
        ]
        print_document(invocation, "rollback-list/1", {"states": rows})
        return
    remarks = {id(current): "now", id(back): "rollback leads here"}
    print_table(
        ("number", "time", "left by", ""),
        [
            [str(each.number), each.record.time, _left_by(each.record.command), remarks.get(id(each), "")]
            for each in entries
        ],
    )
    if entries and current is None:
        note(invocation, "The files were edited since; a rollback keeps them as a state of their own.")


def _left_by(command: str) -> str:
    from hotswap.record import FOUND

    return "an edit, or before the first change" if command == FOUND else f"hotswap {command}"
