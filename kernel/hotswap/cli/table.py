"""Every command and every common option as plain data, so that ``hotswap --help`` need not import click.

The commands' own help and click's rendering are held to what stands here by tests.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

INTRO = "An application kernel whose providers are swapped while it runs."

COMMANDS: Mapping[str, tuple[str, str]] = {
    "init": ("init:init", "Write a commented hotswap.toml."),
    "run": ("run:run", "Run a workflow."),
    "plan": ("plan:plan", "Show what would be opened and why; change nothing."),
    "apply": ("apply:apply", "Solve, open everything once, and write hotswap.lock."),
    "rollback": ("rollback:rollback", "Go back to an earlier hotswap.toml and hotswap.lock."),
    "why": ("why:why", "Explain the state of a plugin."),
    "ports": ("ports:ports", "List the ports and who serves them."),
    "doctor": ("doctor:doctor", "Look for what is wrong with this set-up."),
    "plugin": ("plugin:plugin", "Find, inspect, enable and disable plugins."),
    "completion": ("completion:completion", "Print the completion script of a shell."),
}
"""Name -> where it is below ``hotswap.cli.commands``, and its short help."""

PLUGIN_COMMANDS: Mapping[str, tuple[str, str]] = {
    "list": ("plugin_list:list_plugins", "List the plugins that were found."),
    "info": ("plugin_info:info", "Show everything that is known of a plugin."),
    "enable": ("plugin_enable:enable", "Open a plugin once, then enable it in hotswap.toml."),
    "disable": ("plugin_disable:disable", "Disable a plugin in hotswap.toml."),
    "graph": ("plugin_graph:graph", "Draw who needs whom."),
    "validate": ("plugin_validate:validate", "Check a plugin's manifest and code."),
    "test": ("plugin_test:test", "Run a plugin's tests, and say which contracts it keeps."),
}

COMMON_OPTIONS: Sequence[tuple[str, tuple[str, ...], str, str]] = (
    ("folder", ("--folder",), "DIR", "The project's folder; this one by default."),
    ("plugin_paths", ("--plugin",), "PATH", "One more place to find plugins (repeatable)."),
    ("overrides", ("--set",), "KEY=VALUE", "Override a setting: ports.ai=NAME (repeatable)."),
    ("safe_mode", ("--safe-mode",), "", "Use hotswap's own plugins and nothing else."),
    ("json", ("--json",), "", "Print one JSON document; errors too are JSON."),
    ("quiet", ("-q", "--quiet"), "", "Print no progress and no notes."),
    ("verbose", ("-v", "--verbose"), "", "Log to stderr what is done."),
    ("debug", ("--debug",), "", "Log everything, and show tracebacks."),
)
"""Name, flags, metavariable (empty for a switch) and help of the options that every command takes."""

VERSION_OPTION = ("--version", "Show the version and exit.")
HELP_OPTION = ("--help", "Show this message and exit.")
_INDENT, _GAP = "  ", 2


def quick_answer(arguments: Sequence[str]) -> str | None:
    """Return what ``hotswap --help`` and ``hotswap --version`` print; None for any other command line."""
    if len(arguments) != 1:
        return None
    if arguments[0] == "--help":
        return root_help()
    if arguments[0] == "--version":
        from hotswap.version import __version__

        return f"hotswap {__version__}"
    return None


def root_help() -> str:
    """Return the help of the whole program, in the layout that click gives it at 80 columns."""
    options = [
        (", ".join(flags) + (f" {metavar}" if metavar else ""), text) for _, flags, metavar, text in COMMON_OPTIONS
    ]
    commands = [(name, text) for name, (_, text) in COMMANDS.items()]
    parts = [
        "Usage: hotswap [OPTIONS] COMMAND [ARGS]...",
        f"{_INDENT}{INTRO}",
        _section("Options", [VERSION_OPTION, *options, HELP_OPTION]),
        _section("Commands", commands),
    ]
    return "\n\n".join(parts)


def _section(title: str, rows: Iterable[tuple[str, str]]) -> str:
    listed = list(rows)
    width = max(len(name) for name, _ in listed) + _GAP
    return "\n".join([f"{title}:", *(f"{_INDENT}{name:<{width}}{text}" for name, text in listed)])
