"""Parts of the command line that a whole command does not reach every side of."""

from __future__ import annotations

import errno
import os
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pytest

from hotswap.cli import entry, output, table
from hotswap.cli import progress as progress_module
from hotswap.cli.failures import guarded
from hotswap.cli.interrupts import Interrupted, Interrupts
from hotswap.cli.invocation import Invocation, overrides_of
from hotswap.cli.opening import run_async
from hotswap.cli.output import coloured, print_table
from hotswap.cli.progress import Lines, progress_of
from hotswap.cli.reference import markdown
from hotswap.cli.visible import one_line, safe_json, visible
from hotswap.errors import PluginNotFound
from hotswap_ports import NotFound, ProgressEvent


def outcome(act: Callable[[], int | None], capsys: pytest.CaptureFixture[str], **switches: bool) -> tuple[int, str]:
    invocation = Invocation()
    for name, value in switches.items():
        invocation.take(name, value)
    code = guarded(act, invocation, [])
    return code, capsys.readouterr().err


def raising(error: BaseException) -> Callable[[], int | None]:
    def act() -> int | None:
        raise error

    return act


def test_visible_escapes_what_acts() -> None:
    """Control characters, direction marks and lone surrogates become visible; tabs, lines and letters stay."""
    assert visible("a\x1b[31m\x00\x9b\u202e\udc80\r\tb\nü😀") == "a\\x1b[31m\\x00\\x9b\\u202e\\udc80\\x0d\tb\nü😀"
    assert one_line("a\nb\tc\x07") == "a b c\\x07"
    assert safe_json('"\x7f\u2028"') == '"\\u007f\\u2028"'


def test_overrides_keep_what_follows_the_first_equals() -> None:
    """A value may hold an equals sign; a key may not be empty."""
    assert overrides_of(("config.a.url=http://x/?y=1", "ports.ai = b")) == {
        "config.a.url": "http://x/?y=1",
        "ports.ai": " b",
    }
    with pytest.raises(ValueError, match="KEY=VALUE"):
        overrides_of(("=x",))


def test_lines_of_progress_are_rare(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a terminal a line is printed at most every few seconds, and none at once."""
    now = [0.0]
    lines = Lines(clock=lambda: now[0], seconds=5.0)
    for second in range(12):
        now[0] = float(second)
        lines(ProgressEvent("read", second, 20 if second > 6 else None, f"page\x1b {second}"))
    assert capsys.readouterr().err == "read 5 page\\x1b 5\nread 10/20 page\\x1b 10\n"


def test_no_progress_when_nobody_wants_it() -> None:
    """--json and --quiet give the workflow nobody to report to."""
    for name in ("json", "quiet"):
        invocation = Invocation()
        invocation.take(name, True)
        with progress_of(invocation) as progress:
            assert progress is None


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (PluginNotFound("x", ["xy"]), 1, "error[PLUG-001]: No plugin 'x' was found."),
        (ExceptionGroup("tasks", [ExceptionGroup("more", [NotFound("Gone.", "Look.")])]), 1, "error[PORT-004]: Gone."),
        (ExceptionGroup("tasks", [ValueError("a"), ValueError("b")]), 1, "error: unexpected ExceptionGroup: tasks"),
        (ValueError(), 1, "error: unexpected ValueError\n"),
        (click.FileError("x", "no"), 1, "error: Could not open file 'x': no"),
        (KeyboardInterrupt(), 130, "Interrupted.\n"),
        (Interrupted(signal.SIGTERM), 143, "Terminated.\n"),
        (click.exceptions.Exit(7), 7, ""),
        (BrokenPipeError(errno.EPIPE, "Broken pipe"), 141, ""),
        (OSError(errno.ENOSPC, "No space left on device"), 1, "error: The output could not be written: No space left"),
        (PermissionError(errno.EACCES, "Permission denied", "x"), 1, "unexpected PermissionError"),
    ],
)
def test_every_error_has_a_line_and_a_code(
    error: BaseException, code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Errors with a code, groups of one, defects, interrupts: each ends in its exit code and says what it is."""
    found, stderr = outcome(raising(error), capsys)
    assert found == code
    assert said in stderr
    assert "Traceback" not in stderr


def test_notes_of_an_error_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    """What was noted on an error on its way stands between sentence and hint."""
    error = NotFound("Gone.", "Look.")
    error.add_note("Undone: a, b.")
    assert outcome(raising(error), capsys)[1] == "error[PORT-004]: Gone.\n  note: Undone: a, b.\n  hint: Look.\n"


@pytest.mark.parametrize(
    ("environment", "expected"),
    [({}, False), ({"FORCE_COLOR": "1"}, True), ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, False)],
)
def test_colour_follows_the_environment(
    environment: dict[str, str], expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a terminal there is colour only by FORCE_COLOR, and never with NO_COLOR; a closed stream has none."""
    for name in ("FORCE_COLOR", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with open(os.devnull, "w") as stream:
        assert coloured(stream) is expected
    if not environment:
        assert coloured(None) is False
        assert coloured(stream) is False


def test_a_signal_outside_a_loop_raises_at_once() -> None:
    """Where no event loop runs, the first signal raises where it arrives; the handlers are put back afterwards."""
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(Interrupted) as caught, Interrupts():
        signal.raise_signal(signal.SIGTERM)
    assert caught.value.exit_code == 143
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_signal_before_the_work_cancels_it() -> None:
    """A signal that was only remembered cancels what is attached after it."""
    cancelled = []
    with Interrupts() as interrupts:
        interrupts.hold()
        signal.raise_signal(signal.SIGINT)
        interrupts.attach(lambda: cancelled.append(True))
        with pytest.raises(Interrupted):
            interrupts.check()
    assert cancelled == [True]


def test_another_thread_gets_no_signals() -> None:
    """In a thread that is not the main one nothing is installed, and nothing fails."""
    before = signal.getsignal(signal.SIGINT)
    found = []

    def inside() -> None:
        with Interrupts():
            found.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=inside)
    thread.start()
    thread.join()
    assert found == [before]


def test_work_that_swallows_its_cancellation_is_interrupted_all_the_same() -> None:
    """Whatever the work makes of being cancelled, another error or a result, the user's interrupt is the outcome."""

    async def returns() -> int:
        signal.raise_signal(signal.SIGINT)
        return 1

    async def fails() -> int:
        signal.raise_signal(signal.SIGINT)
        raise ValueError("because it was cancelled")

    for work in (returns, fails):
        invocation = Invocation()
        with invocation.interrupts, pytest.raises(Interrupted):
            run_async(invocation, work)


def test_an_invocation_collects() -> None:
    """Switches add up, lists grow, what was not given changes nothing."""
    invocation = Invocation()
    for name, value in (("plugin_paths", ("a",)), ("plugin_paths", ("b",)), ("folder", "x"), ("folder", None)):
        invocation.take(name, value)
    assert (invocation.plugin_paths, invocation.folder) == (["a", "b"], "x")
    assert invocation.settings().folder == Path("x").absolute()


@pytest.fixture
def own_sigint() -> Iterator[None]:
    """Put the handler of Ctrl-C back, which the program takes away at its end."""
    before = signal.getsignal(signal.SIGINT)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("own_sigint")
@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (KeyboardInterrupt(), 130, "Interrupted.\n"),
        (OSError(errno.ENOSPC, "No space left on device"), 1, "error: The output could not be written"),
    ],
)
def test_the_very_beginning_is_guarded_too(
    error: BaseException, code: int, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What goes wrong before click is there ends in a line and a code as well."""

    def fail(arguments: object) -> None:
        raise error

    monkeypatch.setattr(table, "quick_answer", fail)
    with pytest.raises(SystemExit) as caught:
        entry.main()
    assert caught.value.code == code
    assert said in capsys.readouterr().err


@pytest.mark.usefixtures("own_sigint")
def test_entry_answers_quickly_or_asks_click(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """--help is printed at once; anything else goes to the commands."""
    monkeypatch.setattr("sys.argv", ["hotswap", "--help"])
    entry.main()
    assert capsys.readouterr().out.startswith("Usage: hotswap")
    monkeypatch.setattr("sys.argv", ["hotswap", "nonsense"])
    with pytest.raises(SystemExit) as caught:
        entry.main()
    assert caught.value.code == 2


def test_bars_and_drawn_tables(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """On a terminal progress is drawn as bars and rows as a table, in which a long address is shortened."""
    for module in (output, progress_module):
        monkeypatch.setattr(module, "is_terminal", lambda stream: True)
    for name, value in (("TERM", "xterm"), ("COLUMNS", "160"), ("FORCE_COLOR", "1")):
        monkeypatch.setenv(name, value)
    for name in ("CI", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    with progress_of(Invocation()) as progress:
        assert progress is not None
        for done in (1, 2):
            progress(ProgressEvent("read", done, 3, "https://example.org/" + "long/" * 40))
    assert "…" in capsys.readouterr().err
    print_table(("id", "state"), [["a-b", "[bold]x"]])
    drawn = capsys.readouterr().out
    assert "─" in drawn
    assert "[bold]x" in drawn


def test_reference_names_every_exit_code() -> None:
    """The page lists the exit codes that the program has."""
    for code in (0, 1, 2, 130, 141, 143):
        assert f"| {code} |" in markdown()
