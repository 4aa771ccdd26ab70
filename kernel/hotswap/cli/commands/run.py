"""``hotswap run WORKFLOW``: the options of the workflow are those that the workflow itself declares."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import redirect_stdout
from typing import TYPE_CHECKING, Any

import click

from hotswap.cli.completing import workflow_names
from hotswap.cli.failures import DONE
from hotswap.cli.invocation import Invocation
from hotswap.cli.output import data
from hotswap.cli.root import Command
from hotswap.cli.trials import TrialType, Wanted, document, on_trial

if TYPE_CHECKING:
    from hotswap.kernel import Kernel
    from hotswap.trials import Verdict
    from hotswap_ports import Workflow, WorkflowResult

_EPILOG = "`hotswap run research --help` shows what the workflow `research` takes."


class RunCommand(Command):
    """Leaves alone what it does not know: that is for the workflow, which is known once the kernel runs."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse up to ``--``; what follows it goes to the workflow as it is."""
        known, rest = args, []
        if "--" in args:
            known, rest = args[: args.index("--")], args[args.index("--") :]
        ctx.meta[__name__] = rest
        return super().parse_args(ctx, known)


@click.command(
    cls=RunCommand,
    context_settings={"ignore_unknown_options": True},
    add_help_option=False,
    epilog=_EPILOG,
)
@click.argument("workflow", metavar="WORKFLOW", required=False, shell_complete=workflow_names)
@click.argument("arguments", metavar="[ARGS]...", nargs=-1, type=click.UNPROCESSED)
@click.option("-o", "--output", metavar="FILE", help="Write the report to a file; - is stdout.")
@click.option(
    "--canary",
    metavar="PORT=NAME[:SHARE]",
    multiple=True,
    type=TrialType(canary=True),
    help="Give a provider a share of a port's calls (0.05), as long as it does well (repeatable).",
)
@click.option(
    "--shadow",
    metavar="PORT=NAME",
    multiple=True,
    type=TrialType(canary=False),
    help="Give a provider a port's calls too, and compare the answers (repeatable).",
)
@click.option("--help", "show_help", is_flag=True, help="Show this message, or that of the workflow, and exit.")
@click.pass_context
def run(
    context: click.Context,
    workflow: str | None,
    arguments: tuple[str, ...],
    output: str | None,
    canary: tuple[Wanted, ...],
    shadow: tuple[Wanted, ...],
    show_help: bool,
) -> int:
    """Run a workflow.

    The report goes to stdout, or to the file that --output names; everything else to stderr. --format and all other
    options are the workflow's own. An edit of hotswap.toml while it is at work is put in force, and loses no call.
    options are the workflow's own. What came of a --canary or a --shadow is told at the end, and selects nothing for
    the next run; an answer of a shadow is used nowhere.
    """
    if workflow is None and show_help:
        click.echo(context.get_help())
        return DONE
    if workflow is None or workflow.startswith("-"):
        where = f": {workflow} stands before it" if workflow else ""
        raise click.UsageError(f"The name of the workflow comes first{where}. Try `hotswap run research README.md`.")
    invocation: Invocation = context.obj
    from hotswap.cli.opening import follow, opened, run_async
    from hotswap.cli.report import check_output, deliver

    if output is not None and not show_help:
        check_output(output)
    settings = invocation.settings()
    given = ["--help"] if show_help else [*arguments, *context.meta[__name__]]

    async def main() -> int:
        async with opened(invocation, settings) as kernel:
            follow(invocation, kernel)
            inputs, result, verdicts = await _work(context, kernel, str(workflow), given, (*canary, *shadow))
            deliver(invocation, str(workflow), inputs, result, output, [document(each) for each in verdicts])
            return DONE

    return run_async(invocation, main)


async def _work(
    context: click.Context, kernel: Kernel, name: str, given: list[str], wanted: Sequence[Wanted]
) -> tuple[dict[str, Any], WorkflowResult, list[Verdict]]:
    from hotswap.cli.progress import progress_of
    from hotswap.cli.workflow_command import WorkflowCommand

    found = workflow_called(kernel, name)
    shared = [each for each in context.command.params if isinstance(each, click.Option) and each.name != "show_help"]
    command = WorkflowCommand(name, found.features, shared)
    try:
        # click prints a help to stdout by itself, where data goes
        with redirect_stdout(data()), command.make_context(f"run {name}", given, parent=context.parent) as inner:
            inputs = command.values(inner)
    except click.UsageError as error:  # click's parser leaves some without a context, and the hint needs one
        error.ctx = error.ctx or click.Context(command, context.parent, f"run {name}")
        raise
    async with on_trial(context.obj, kernel, wanted) as verdicts:
        with progress_of(context.obj) as progress:
            result = await found.run(inputs, progress=progress)
    return inputs, result, verdicts


def workflow_called(kernel: Kernel, name: str) -> Workflow:
    """Return a workflow by its name.

    Raises:
        ProviderNotFound: nobody open calls it so; where a plugin that does not serve is meant, a note says why not.
    """
    from hotswap.errors import ProviderNotFound
    from hotswap_ports import Workflow

    try:
        return kernel.get(Workflow, name)
    except ProviderNotFound as error:
        plugins = {name, *kernel.catalog.provider(Workflow.PORT, name)}
        for each in sorted(plugins & kernel.plugins().keys()):
            error.add_note(str(kernel.why(each)))
            error.hint = f"`hotswap why {each}` shows this too; `hotswap doctor` looks at everything."
        raise
