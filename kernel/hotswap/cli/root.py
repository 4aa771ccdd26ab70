"""``hotswap`` itself, and what all its commands have in common: common options, lazy subcommands, one boundary."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

import click

from hotswap.cli.failures import guarded
from hotswap.cli.invocation import Invocation, overrides_of
from hotswap.cli.table import COMMANDS, COMMON_OPTIONS, INTRO, VERSION_OPTION
from hotswap.version import __version__

_COMPLETE = "_HOTSWAP_COMPLETE"


class CommonOption(click.Option):
    """An option that every command takes; its value goes to the Invocation, not to the command."""


def _remember(context: click.Context, parameter: click.Parameter, value: Any) -> Any:
    if parameter.name == "overrides":
        try:
            value = overrides_of(value)
        except ValueError as wrong:
            raise click.BadParameter(str(wrong), context, parameter) from None
    context.ensure_object(Invocation).take(str(parameter.name), value)
    return value


def common_options() -> list[click.Parameter]:
    """Return the common options of one command."""
    folder = click.Path(exists=True, file_okay=False)
    return [
        CommonOption(
            (*flags, name),
            metavar=metavar or None,
            is_flag=not metavar,
            multiple=name in {"plugin_paths", "overrides"},
            type=folder if name == "folder" else None,
            help=text,
            callback=_remember,
            expose_value=False,
        )
        for name, flags, metavar, text in COMMON_OPTIONS
    ]


class Command(click.Command):
    """A command with the common options, listed apart from its own in the help."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params.extend(common_options())

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the command's own options, then the common ones."""
        own: list[tuple[str, str]] = []
        common: list[tuple[str, str]] = []
        for each in self.get_params(ctx):
            record = each.get_help_record(ctx)
            if record is not None and isinstance(each, click.Option):
                (common if isinstance(each, CommonOption) else own).append(record)
        for title, records in (("Options", own), ("Common options", common)):
            if records:
                with formatter.section(title):
                    formatter.write_dl(records)


class LazyGroup(click.Group):
    """A group that imports a subcommand's module when it is asked for, and lists them without."""

    def __init__(self, *args: Any, table: Mapping[str, tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.table = table
        self.params.extend(common_options())

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names, in the order of the table."""
        return list(self.table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a subcommand; None for a name that is not in the table."""
        if cmd_name not in self.table:
            return None
        module, _, attribute = self.table[cmd_name][0].partition(":")
        found: click.Command = getattr(import_module(f"hotswap.cli.commands.{module}"), attribute)
        return found

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the subcommand; an unknown name is a usage error with the nearest ones."""
        name = args[0]
        if name not in self.table and not name.startswith("-") and not ctx.resilient_parsing:
            from hotswap.errors import nearest

            error = click.UsageError(f"No such command {name!r}.", ctx)
            error.hint = nearest(name, self.table) or f"Commands: {', '.join(self.table)}."  # type: ignore[attr-defined]
            raise error
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the subcommands from the table: nothing is imported."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in self.table.items()])


class Root(LazyGroup):
    """The program: every error of every command ends here."""

    def main(  # type: ignore[override]  # click's own overloads differ between its versions
        self, args: Sequence[str] | None = None, prog_name: str | None = None, **extra: Any
    ) -> None:
        """Run one command line, and leave with its exit code (SystemExit)."""
        arguments = list(sys.argv[1:] if args is None else args)
        if _COMPLETE in os.environ:
            super().main(arguments, "hotswap", _COMPLETE)
        for stream in (sys.stdout, sys.stderr):
            if hasattr(stream, "reconfigure"):  # a name that is no text must not end the command that lists it
                stream.reconfigure(errors="backslashreplace")
        extra = {key: value for key, value in extra.items() if key not in {"standalone_mode", "complete_var"}}
        invocation = Invocation()

        def act() -> int | None:
            with self.make_context("hotswap", arguments, obj=invocation, **extra) as context:
                code: int | None = self.invoke(context)
                return code

        sys.exit(guarded(act, invocation, arguments))


@click.group(cls=Root, table=COMMANDS, help=INTRO, name="hotswap")
@click.version_option(__version__, prog_name="hotswap", message="%(prog)s %(version)s", help=VERSION_OPTION[1])
def root() -> None:
    """Do nothing by itself."""
