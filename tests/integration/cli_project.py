"""A project folder for tests of the command line: a workflow that says its inputs again, and a way to call it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from hotswap.cli.root import root
from tests.plugin_folder import write_plugin

ECHO = """
    import os
    import sys

    from hotswap_ports import (
        InputSpec, InvalidRequest, NotFound, ProgressEvent, Rendered, Report, SourceProblem, Unavailable, Workflow,
        WorkflowFeatures, WorkflowResult,
    )

    class Echo(Workflow):
        features = WorkflowFeatures("Says its inputs again.", (
            InputSpec("words", positional=True, help="What to say."),
            InputSpec("times", "integer", "How often.", default=1),
            InputSpec("factor", "number", "Any number."),
            InputSpec("loud", "flag", "In capitals."),
            InputSpec("soft", "flag", "With care.", default=True),
            InputSpec("tone", choices=("plain", "formal"), default="plain", help="The manner."),
            InputSpec("output", help="Has the name of an option of every run."),
            InputSpec("format", help="The form."),
        ))

        async def run(self, inputs, *, progress=None):
            words = inputs.get("words", ())
            if progress is not None:
                progress(ProgressEvent("say", 1, 2, "[bold]one[/bold]"))
            if "refuse" in words:
                raise NotFound("Nothing is called 'refuse'.", "Name something else.")
            if "crash" in words:
                raise RuntimeError("a defect\\x1b[31m")
            if "leave" in words:
                sys.exit(7)
            problems = tuple(
                SourceProblem(each, "PORT-004", "It is not there.", "Look elsewhere.")
                for each in words if each.startswith("bad")
            )
            text = "".join(f"{key}={value!r}\\n" for key, value in sorted(inputs.items()))
            if "big" in words:
                text = "x" * 80 * 100_000
            return WorkflowResult(
                Report("Echo"), Rendered(text, "text/plain", ".txt"), {"read": len(words)}, problems
            )
"""


def echo_project(root: Path, toml: str = "") -> Path:
    """Make a project in ``root`` whose only enabled plugin is the workflow ``echo``; return it."""
    write_plugin(root / "plugins", "echo", ECHO, type="workflow", provides={"workflow": "Echo"})
    (root / "hotswap.toml").write_text(f'# kept\n[plugins]\nenabled = ["echo"]  # also kept\n{toml}', "utf-8")
    return root


def call(folder: Path, *arguments: str, env: Mapping[str, str | None] | None = None) -> Result:
    """Run one command line on the project in ``folder``, in this process."""
    return CliRunner().invoke(root, ["--folder", str(folder), *arguments], env=env)


def document(folder: Path, *arguments: str) -> dict[str, Any]:
    """Run a command that succeeds with ``--json``; return what it printed."""
    result = call(folder, *arguments, "--json")
    assert result.exit_code == 0, result.output
    assert result.stderr == ""
    found: dict[str, Any] = json.loads(result.stdout)
    assert found["schema"].startswith("hotswap.")
    return found
