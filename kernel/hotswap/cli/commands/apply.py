"""``hotswap apply``: solves, proves that everything opens, and only then writes ``hotswap.lock``."""

from __future__ import annotations

import click

from hotswap.cli.invocation import Invocation
from hotswap.cli.root import Command


@click.command(cls=Command)
@click.option("--no-check", is_flag=True, help="Only solve: do not open everything for proof.")
@click.pass_obj
def apply(invocation: Invocation, no_check: bool) -> None:
    """Solve, open everything once, and write hotswap.lock.

    When one of the plugins cannot be opened, nothing is written.
    """
    import attrs

    from hotswap.cli.output import note, print_document, print_text
    from hotswap.cli.proof import prove
    from hotswap.cli.solving import solve, steps_from
    from hotswap.transaction import Transaction

    transaction = Transaction(invocation.files())
    solved = solve(invocation, invocation.settings_as_if(transaction.before.settings))
    for error in solved.left_out.values():
        raise error
    if not no_check:
        prove(invocation, solved.settings)
    before, path = transaction.before, transaction.files.lock
    after = attrs.evolve(before, lock=solved.new_lock())
    transaction.commit(after, "apply")
    steps = steps_from(solved.lock, solved)
    if invocation.json:
        versions = {key: str(version) for key, version in solved.solution.versions().items()}
        print_document(invocation, "apply/1", {"lock": str(path), "plugins": versions})
        return
    print_text("\n".join(map(str, steps)) or "Nothing has changed.")
    wrote = f"{path} stays as it is" if after == before else f"Wrote {path}"
    proof = "none of them opened" if no_check else "each opened once"
    note(invocation, f"{wrote}: {len(solved.solution.plugins)} plugins, {proof}.")
