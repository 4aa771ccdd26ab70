"""The reference of the command line, written from the commands themselves: ``docs/reference/cli.md``.

``python -m hotswap.cli.reference > docs/reference/cli.md`` writes it anew; a test holds the file to it.
"""

from __future__ import annotations

from collections.abc import Iterator

import click

from hotswap.cli.root import CommonOption, LazyGroup, root

_INTRO = """\
# The command line

<!-- Generated: python -m hotswap.cli.reference > docs/reference/cli.md -->

Data goes to stdout, everything else to stderr. Tables are drawn on a terminal and plain text anywhere else, where no
id is cut off. `NO_COLOR` takes colour away, `FORCE_COLOR` brings it where there is no terminal; with `CI` set, or
without a terminal, progress is a line every few seconds instead of bars.

| exit code | meaning |
|---|---|
| 0 | done; a run that could use some of its sources counts as done |
| 1 | failed: stderr says why |
| 2 | the command line itself is wrong |
| 130 | ended by Ctrl-C; a second Ctrl-C does not wait for what is closing |
| 141 | whoever read the output went away (`head`) |
| 143 | ended by SIGTERM |

An error is `error[CODE]: sentence`, maybe notes, and a hint; [errors.md](errors.md) lists the codes. With `--json` a
command prints one JSON document whose `schema` names it and its version (`hotswap.plugin-list/1`), what it would have
warned of stands in its `warnings`, and an error is a document on stderr (`hotswap.error/1`).
"""


def markdown() -> str:
    """Return the page."""
    blocks = [_INTRO.strip(), "## Options of every command", _options(root, common=True)]
    for path, command in _commands(root, "hotswap"):
        blocks += [f"## `{path}`", f"    {_usage(path, command)}", _help(command), _options(command, common=False)]
    return "\n\n".join(filter(None, blocks)) + "\n"


def _commands(group: LazyGroup, path: str) -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group, info_name=path)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None, "the table names it"
        if isinstance(command, LazyGroup):
            yield from _commands(command, f"{path} {name}")
        else:
            yield f"{path} {name}", command


def _usage(path: str, command: click.Command) -> str:
    return " ".join([path, *command.collect_usage_pieces(click.Context(command, info_name=path))])


def _help(command: click.Command) -> str:
    paragraphs = (command.help or "").strip().split("\n\n")
    return "\n\n".join(" ".join(each.split()) for each in paragraphs)


def _options(command: click.Command, *, common: bool) -> str:
    rows = []
    context = click.Context(command)
    for each in command.get_params(context):
        record = each.get_help_record(context) if isinstance(each, click.Option) else None
        if record is not None and isinstance(each, CommonOption) is common and "--help" not in each.opts:
            cells = (text.replace("|", "\\|") for text in record)
            rows.append("| `{}` | {} |".format(*cells))
    return "\n".join(["| option | meaning |", "|---|---|", *rows]) if rows else ""


if __name__ == "__main__":
    print(markdown(), end="")
