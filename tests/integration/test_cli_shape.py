"""The command line as a whole: help, common options, usage errors, completion, the generated reference."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from hotswap.cli.root import LazyGroup, root
from hotswap.cli.table import quick_answer, root_help
from hotswap.version import __version__
from tests.integration.cli_project import call, echo_project

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "cli.md"


def commands(group: LazyGroup, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str, click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        yield (*path, name), group.table[name][1], command
        if isinstance(command, LazyGroup):
            yield from commands(command, (*path, name))


@pytest.mark.parametrize(("path", "short", "command"), list(commands(root)), ids=lambda each: str(each)[:40])
def test_short_help_is_the_commands_own(path: tuple[str, ...], short: str, command: click.Command) -> None:
    """The table, from which help is printed without an import, says of each command what the command says of itself."""
    assert (command.help or "").strip().splitlines()[0] == short
    assert len(short) < 60
    assert command.name == path[-1]
    result = CliRunner().invoke(root, [*path, "--help"])
    assert result.exit_code == 0
    assert "--folder DIR" in result.stdout


def test_quick_help_is_clicks() -> None:
    """What --help prints without click is, to the letter, what click would print."""
    result = CliRunner().invoke(root, ["--help"], terminal_width=80, env={"COLUMNS": "82"})
    assert result.stdout == f"{root_help()}\n"
    assert quick_answer(["--help"]) == root_help()
    assert quick_answer(["plugin", "--help"]) is None
    assert quick_answer(["--debug"]) is None


def test_version() -> None:
    """--version prints name and version, with click and without."""
    assert CliRunner().invoke(root, ["--version"]).stdout == f"hotswap {__version__}\n"
    assert quick_answer(["--version"]) == f"hotswap {__version__}"


def test_reference_is_generated() -> None:
    """docs/reference/cli.md is what the module prints, and names every command."""
    done = subprocess.run([sys.executable, "-m", "hotswap.cli.reference"], capture_output=True, check=True)
    page = PAGE.read_text("utf-8")
    assert done.stdout.decode() == page
    for path, _, command in commands(root):
        if not isinstance(command, LazyGroup):
            assert f"\n## `hotswap {' '.join(path)}`\n" in page


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["plgin"], "No such command 'plgin'.\n  hint: Did you mean 'plugin'"),
        (["plugin", "lst"], "No such command 'lst'.\n  hint: Did you mean 'list'"),
        (["xyzxyz"], "hint: Commands: init, run"),
        (["--nonsense"], "No such option"),
        (["plan", "--set", "ports.ai"], "'ports.ai' is not KEY=VALUE"),
        (["plan", "--folder", "/no/such/folder"], "does not exist"),
        (["why"], "Missing argument 'ID'"),
        (["completion", "tcsh"], "'tcsh' is not one of"),
        (["plan", "extra"], "unexpected extra argument"),
    ],
)
def test_usage_errors(arguments: list[str], said: str) -> None:
    """A wrong command line is told what is wrong, by the nearest name where there is one; exit code 2."""
    result = CliRunner().invoke(root, arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert said in result.stderr
    assert result.stderr.startswith("error: ")
    as_json = json.loads(CliRunner().invoke(root, [*arguments, "--json"]).stderr)
    assert as_json["schema"] == "hotswap.error/1"


@pytest.mark.parametrize("arguments", [[], ["plugin"]])
def test_no_command_prints_help(arguments: list[str]) -> None:
    """Without a command the help is printed on stderr; exit code 2."""
    result = CliRunner().invoke(root, arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "Commands:" in result.stderr


def test_settings_errors_list_every_problem(tmp_path: Path) -> None:
    """Broken settings end every command that reads them with all their problems, and no value of them."""
    (tmp_path / "hotswap.toml").write_text('[plugins]\nenabld = []\n[trust]\na = "secret-value"\n[prots]\n', "utf-8")
    for arguments in (["plan"], ["plugin", "list"], ["run", "x"], ["plugin", "enable", "memory"], ["apply"], ["ports"]):
        result = call(tmp_path, *arguments)
        assert result.exit_code == 1
        assert result.stderr.startswith("error[PLUG-019]")
        assert "enabld" in result.stderr
        assert "prots" in result.stderr


def test_options_before_and_after_the_command_add_up(tmp_path: Path) -> None:
    """Common options count wherever they stand: plugin paths and overrides from both places hold."""
    project = echo_project(tmp_path)
    echo_project(tmp_path / "one")
    arguments = ["--folder", str(project), "--set", "plugins.enabled=memory", "--plugin", str(tmp_path / "one/plugins")]
    result = CliRunner().invoke(root, [*arguments, "plan", "--set", "plugins.disabled=x", "--json"])
    assert [each["subject"] for each in json.loads(result.stdout)["steps"]] == ["memory"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_script(shell: str) -> None:
    """Each shell gets click's script with a first line that says how to install it."""
    result = CliRunner().invoke(root, ["completion", shell])
    assert result.exit_code == 0
    first, rest = result.stdout.split("\n", 1)
    assert first.startswith("# To install it: ")
    assert "_HOTSWAP_COMPLETE" in rest
    assert json.loads(CliRunner().invoke(root, ["completion", shell, "--json"]).stdout)["shell"] == shell


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("hotswap pl", {"plan", "plugin"}),
        ("hotswap plugin e", {"enable"}),
        ("hotswap plugin info ech", {"echo"}),
        ("hotswap why mem", {"memory"}),
        ("hotswap run e", {"echo"}),
        ("hotswap completion z", {"zsh"}),
        ("hotswap --set x=1 --plugin nowhere plugin graph --format d", {"dot"}),
    ],
)
def test_completion_answers(words: str, expected: set[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The shell's question is answered with commands, ids and names of workflows."""
    monkeypatch.chdir(echo_project(tmp_path))
    environment = {"_HOTSWAP_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
    result = CliRunner().invoke(root, [], env=environment)
    assert set(re.findall(r"plain,(\S+)", result.stdout)) == expected


def test_completion_is_silent_where_settings_are_broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mistake in hotswap.toml completes nothing, and prints nothing into the user's prompt."""
    (tmp_path / "hotswap.toml").write_text("nonsense", "utf-8")
    monkeypatch.chdir(tmp_path)
    for words in ("hotswap why mem", "hotswap run e"):
        environment = {"_HOTSWAP_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": "2"}
        result = CliRunner().invoke(root, [], env=environment)
        assert (result.stdout.strip(), result.stderr) == ("", "")
