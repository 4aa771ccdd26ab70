"""What a run came to, delivered: the report where it was wanted, everything else beside it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs
import click

from hotswap.cli.invocation import Invocation
from hotswap.cli.output import data, is_terminal, note, print_block, print_document
from hotswap.cli.visible import visible
from hotswap.errors import SettingsConflict
from hotswap_ports import SourceProblem, WorkflowResult

_STDOUT = "-"


def check_output(output: str) -> None:
    """Refuse early, before an hour of work, what `deliver` could not write to. Raises SettingsConflict."""
    if output == _STDOUT:
        return
    path = Path(output).absolute()
    try:
        is_folder = path.is_dir()
    except OSError as error:
        raise SettingsConflict(output, f"no file can have that name: {error.strerror}", "Name another one.") from error
    if is_folder:
        raise SettingsConflict(output, "it is a folder", "Name a file in it.")
    if not path.parent.is_dir():
        raise SettingsConflict(output, f"there is no folder {path.parent}", "Make the folder first.")
    target = path if path.exists() else path.parent
    if not os.access(target, os.W_OK):
        raise SettingsConflict(output, f"{target} may not be written", "Name another file.")


def deliver(
    invocation: Invocation,
    workflow: str,
    inputs: Mapping[str, Any],
    result: WorkflowResult,
    output: str | None,
    trials: Sequence[Mapping[str, Any]] = (),
) -> None:
    """Write the report, then say what could not be used; a JSON document has what came of ``trials`` too.

    Raises:
        SettingsConflict: the file cannot be written; what was there before is as it was.
    """
    text = result.rendered.text
    if output not in (None, _STDOUT):
        _write(Path(str(output)), text)
        note(invocation, f"Wrote {output}: {len(text):,} characters of {result.rendered.media_type}.")
    elif not invocation.json:
        click.echo(visible(text) if is_terminal(data()) else text, data(), nl=not text.endswith("\n"))
    if invocation.json:
        _print_json(invocation, workflow, inputs, result, output, trials)
        return
    for problem in result.problems:
        print_block("warning", "yellow", {**_facts(problem), "about": problem.source})
    counts = ", ".join(f"{name} {count}" for name, count in result.stats.items())
    if counts:
        note(invocation, f"{workflow}: {counts}.")


def _print_json(
    invocation: Invocation,
    workflow: str,
    inputs: Mapping[str, Any],
    result: WorkflowResult,
    output: str | None,
    trials: Sequence[Mapping[str, Any]],
) -> None:
    content = {
        "workflow": workflow,
        "inputs": dict(inputs),
        "report": attrs.asdict(result.report),
        "rendered": attrs.asdict(result.rendered),
        "output": None if output == _STDOUT else output,
        "stats": dict(result.stats),
        "problems": [attrs.asdict(each) for each in result.problems],
        "trials": list(trials),
    }
    print_document(invocation, "run/1", content)


def _facts(problem: SourceProblem) -> dict[str, Any]:
    return {"code": problem.code, "message": problem.message, "hint": problem.hint, "notes": []}


def _write(path: Path, text: str) -> None:
    from hotswap.replacement import replace_file

    content = text.encode("utf-8", "backslashreplace")
    try:
        if path.exists() and not path.is_file():  # a device or a pipe cannot be replaced, only written to
            path.write_bytes(content)
        else:
            replace_file(Path(os.path.realpath(path)), content)
    except OSError as error:
        reason = f"it cannot be written: {error.strerror or error}"
        raise SettingsConflict(str(path), reason, "Name another file with --output.") from error
