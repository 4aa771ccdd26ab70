"""From the inputs that a workflow declares to a click command that parses them."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from hotswap.errors import PluginLoadFailed

if TYPE_CHECKING:
    from hotswap_ports import InputSpec, WorkflowFeatures

_NAME = re.compile(r"[a-z][a-z0-9_]{0,60}")
_PREFIX = "input_"
_TYPES: Mapping[str, click.ParamType[Any]] = {
    "text": click.STRING,
    "integer": click.INT,
    "number": click.FLOAT,
}


class WorkflowCommand(click.Command):
    """``hotswap run NAME``: its own inputs first in the help, then what every run takes."""

    def __init__(self, name: str, features: WorkflowFeatures, shared: Sequence[click.Parameter]) -> None:
        self.shared = shared
        taken = {each.name for each in shared if each.name}
        self.inputs = {each.name: parameter(name, each, taken) for each in features.inputs}
        super().__init__(name, params=list(self.inputs.values()), help=features.summary or None)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the inputs, the positional one too, then the options of every run."""
        described = [(each.make_metavar(ctx), getattr(each, "help_text", "")) for each in self.arguments()]
        rows = described + _records(ctx, [each for each in self.get_params(ctx) if isinstance(each, click.Option)])
        for title, records in (("Inputs", rows), ("Options of every run", _records(ctx, self.shared))):
            if records:
                with formatter.section(title):
                    formatter.write_dl(records)

    def arguments(self) -> list[click.Argument]:
        """Return the positional input, when there is one."""
        return [each for each in self.params if isinstance(each, click.Argument)]

    def values(self, context: click.Context) -> dict[str, Any]:
        """Return the inputs that were given or have a default."""
        found = {name: context.params[str(each.name)] for name, each in self.inputs.items()}
        return {name: value for name, value in found.items() if value is not None and value != ()}


class _Positional(click.Argument):
    """The positional input; click shows no help of arguments, so the command does."""

    def __init__(self, spec: InputSpec) -> None:
        super().__init__([spec.name], nargs=-1, required=spec.required, type=click.STRING)
        self.help_text = spec.help


def parameter(workflow: str, spec: InputSpec, taken: Collection[str]) -> click.Parameter:
    """Return the argument or option for one input; a name that every run has is prefixed: ``--input-output``.

    Raises:
        PluginLoadFailed: the input's name, type or default is nothing that a command line can have.
    """
    if not _NAME.fullmatch(str(spec.name)):
        raise PluginLoadFailed(workflow, f"its input {spec.name!r} has a name that is not snake_case")
    if spec.positional:
        return _Positional(spec)
    name = f"{_PREFIX}{spec.name}" if spec.name in taken or spec.name == "help" else spec.name
    flag = f"--{name.replace('_', '-')}"
    if spec.type == "flag":
        flags = f"{flag}/--no-{flag[2:]}" if spec.default is True else flag
        return click.Option([flags, name], is_flag=True, default=bool(spec.default), help=spec.help)
    if spec.type not in _TYPES:
        raise PluginLoadFailed(workflow, f"its input {spec.name!r} has the unknown type {spec.type!r}")
    kind = click.Choice(spec.choices) if spec.choices and spec.type == "text" else _TYPES[spec.type]
    return click.Option(
        [flag, name],
        type=kind,
        default=spec.default,
        required=spec.required,
        help=spec.help,
        show_default=spec.default is not None,
    )


def _records(context: click.Context, parameters: Sequence[click.Parameter]) -> list[tuple[str, str]]:
    options = (each for each in parameters if isinstance(each, click.Option))
    return [record for each in options if (record := each.get_help_record(context)) is not None]
