"""``hotswap doctor``: looks at everything a run needs, and says what is wrong with it."""

from __future__ import annotations

import click

from hotswap.cli.failures import DONE, FAILED
from hotswap.cli.invocation import Invocation
from hotswap.cli.root import Command


@click.command(cls=Command)
@click.option("--no-open", is_flag=True, help="Do not open the plugins.")
@click.pass_obj
def doctor(invocation: Invocation, no_open: bool) -> int:
    """Look for what is wrong with this set-up.

    The exit code is 1 when something is.
    """
    from hotswap.cli.diagnosis import examine
    from hotswap.cli.output import print_document, print_text

    findings = list(examine(invocation, open_plugins=not no_open))
    wrong = [each for each in findings if each.verdict == "wrong"]
    invocation.warnings.clear()  # what was warned of on the way is among the findings
    if invocation.json:
        content = [
            {"check": each.check, "verdict": each.verdict, "text": each.text, "hint": each.hint} for each in findings
        ]
        print_document(invocation, "doctor/1", {"healthy": not wrong, "findings": content})
    else:
        for each in findings:
            print_text(f"{each.verdict:<6}{each.check}: {each.text}")
            if each.hint:
                print_text(f"      hint: {each.hint}")
        print_text(f"{len(wrong)} of {len(findings)} checks found something wrong." if wrong else "All is well.")
    return FAILED if wrong else DONE
