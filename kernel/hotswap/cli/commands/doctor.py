"""``hotswap doctor``: looks at everything a run needs, and says what is wrong with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from hotswap.cli.failures import DONE, FAILED
from hotswap.cli.invocation import Invocation
from hotswap.cli.root import Command

if TYPE_CHECKING:
    from hotswap.cli.diagnosis import Finding


@click.command(cls=Command)
@click.option("--no-open", is_flag=True, help="Do not open the plugins.")
@click.option("--residue", is_flag=True, help="Also look for what plugins leave behind when they are closed.")
@click.pass_obj
def doctor(invocation: Invocation, no_open: bool, residue: bool) -> int:
    """Look for what is wrong with this set-up.

    The exit code is 1 when something is.
    """
    if no_open and residue:
        raise click.UsageError("--residue opens and closes the plugins, and --no-open forbids it.")
    from hotswap.cli.diagnosis import examine
    from hotswap.cli.output import print_document, print_text

    findings = list(examine(invocation, open_plugins=not no_open, look_for_residue=residue))
    wrong = [each for each in findings if each.verdict == "wrong"]
    invocation.warnings.clear()  # what was warned of on the way is among the findings
    if invocation.json:
        content = {"healthy": not wrong, "findings": [_facts(each) for each in findings]}
        print_document(invocation, "doctor/1", content)
    else:
        for each in findings:
            print_text(f"{each.verdict:<6}{each.check}: {each.text}")
            if each.hint:
                print_text(f"      hint: {each.hint}")
        print_text(f"{len(wrong)} of {len(findings)} checks found something wrong." if wrong else "All is well.")
    return FAILED if wrong else DONE


def _facts(finding: Finding) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "check": finding.check,
        "verdict": finding.verdict,
        "text": finding.text,
        "hint": finding.hint,
    }
    left = finding.left
    if left is not None:
        made = left.made
        facts["left"] = {
            "plugin": left.plugin,
            "kind": left.kind.label,
            "name": left.name,
            "made": made and {"file": made.file, "line": made.line, "function": made.function},
            "held_by": list(left.held_by),
        }
    return facts
