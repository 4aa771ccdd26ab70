"""Real processes with a kernel for threads in them: Ctrl-C, forks, and the end of the program."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.plugin_folder import greeter, write_plugin

HEAD = """
import asyncio, os, sys, time
from pathlib import Path
from hotswap import BlockingKernel, CallCancelled, KernelNotRunning, Settings
from hotswap_ports import Storage
from tests.plugin_folder import Clock, Greeter

root = Path(sys.argv[1])

def say(*words):
    print(*words, flush=True)

def kernel(*enabled):
    return BlockingKernel(Settings(folder=root, enabled=enabled, paths=(root,)), ports=[Greeter, Clock])
"""
SLOW = """
    import asyncio
    from hotswap_ports import Plugin
    from tests.plugin_folder import Greeter

    class Slow(Greeter):
        async def greet(self, name, *, loud=False):
            print("inside", flush=True)
            try:
                await asyncio.sleep(60)
            finally:
                if loud:
                    await asyncio.sleep(60)
                print("outside", flush=True)

    class Own(Plugin):
        async def initialize(self, context):
            context.exit_stack.callback(print, "undone", flush=True)
            print("initialize", flush=True)
            {initialize}
        async def stop(self):
            print("stopping", flush=True)
            {stop}
            print("stopped", flush=True)
        async def cleanup(self):
            print("cleanup", flush=True)
"""


def slow(root: Path, initialize: str = "pass", stop: str = "pass") -> None:
    """Write a plugin that takes its time."""
    code = SLOW.replace("{initialize}", initialize).replace("{stop}", stop)
    write_plugin(root, "slow", code, provides={"greeter": "Slow"}, python={"class_name": "Own"})


@contextmanager
def process(root: Path, code: str) -> Iterator[subprocess.Popen[str]]:
    """Run a program in ``root``."""
    command = [sys.executable, "-W", "error", "-c", HEAD + code, str(root)]
    environ = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    with subprocess.Popen(
        command, cwd=root, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as running:
        try:
            yield running
        finally:
            running.kill()


def until(running: subprocess.Popen[str], line: str) -> None:
    """Read what the program prints, up to a line."""
    assert running.stdout is not None
    assert any(each.strip() == line for each in running.stdout), line


def rest(running: subprocess.Popen[str]) -> list[str]:
    """Let the program end, and return what it has printed."""
    printed, errors = running.communicate(timeout=30)
    return [*printed.split("\n")[:-1], *(each for each in errors.split("\n") if "Error" in each or "Interrupt" in each)]


def test_an_interrupted_call(tmp_path: Path) -> None:
    """Ctrl-C ends the call that it interrupts, to its last line, and leaves the kernel usable."""
    slow(tmp_path)
    greeter(tmp_path, "english")
    code = """
with kernel("slow", "english") as running:
    try:
        running.get(Greeter, "slow").greet("you")
    except KeyboardInterrupt:
        say("interrupted")
    say(running.get(Greeter, "english").greet("you"))
"""
    with process(tmp_path, code) as running:
        until(running, "inside")
        running.send_signal(signal.SIGINT)
        assert rest(running) == ["outside", "interrupted", "hello you", "stopping", "stopped", "cleanup", "undone"]
        assert running.returncode == 0


def test_an_interrupted_stream(tmp_path: Path) -> None:
    """Ctrl-C while a thread waits for an item ends the stream, and lets go of its provider."""
    code = """
with kernel() as running:
    async def items():
        try:
            yield 1
            say("inside")
            await asyncio.sleep(60)
        finally:
            say("outside")

    async def portal(running):
        return running.portal
    stream = running.run(portal).iterate(items)
    say(next(stream))
    try:
        next(stream)
    except KeyboardInterrupt:
        say("interrupted", list(stream), running.plan().steps)
"""
    with process(tmp_path, code) as running:
        until(running, "inside")
        running.send_signal(signal.SIGINT)
        assert rest(running) == ["outside", "interrupted [] ()"]


def test_a_call_that_does_not_want_to_end(tmp_path: Path) -> None:
    """Ctrl-C waits a moment for a call that goes on; a second one does not wait at all."""
    slow(tmp_path)
    code = """
with kernel("slow") as running:
    begin = time.monotonic()
    try:
        running.get(Greeter).greet("you", loud=True)
    except KeyboardInterrupt as error:
        say(time.monotonic() - begin < 30, error.__notes__[0])
        os._exit(0)
"""
    with process(tmp_path, code) as running:
        until(running, "inside")
        running.send_signal(signal.SIGINT)
        assert rest(running) == ["True The call was cancelled, and had not ended yet."]


def test_interrupted_while_it_comes_up(tmp_path: Path) -> None:
    """Ctrl-C on entering undoes what was begun, and no thread stays behind."""
    slow(tmp_path, initialize="await asyncio.sleep(60)")
    code = """
import threading
try:
    with kernel("slow"):
        say("never")
except KeyboardInterrupt:
    say("interrupted", threading.active_count())
"""
    with process(tmp_path, code) as running:
        until(running, "initialize")
        running.send_signal(signal.SIGINT)
        assert rest(running) == ["undone", "interrupted 1"]


def test_interrupted_while_it_is_left(tmp_path: Path) -> None:
    """Ctrl-C on leaving waits until everything is closed, and is raised then."""
    slow(tmp_path, stop="await asyncio.sleep(0.5)")
    with process(tmp_path, 'with kernel("slow"):\n    pass\nsay("never")\n') as running:
        until(running, "stopping")
        running.send_signal(signal.SIGINT)
        assert rest(running) == ["stopped", "cleanup", "undone", "KeyboardInterrupt"]


def test_interrupted_twice_while_it_is_left(tmp_path: Path) -> None:
    """Another Ctrl-C on leaving ends the program without waiting."""
    slow(tmp_path, stop="await asyncio.sleep(60)")
    with process(tmp_path, 'with kernel("slow"):\n    pass\n') as running:
        until(running, "stopping")
        while running.poll() is None:
            running.send_signal(signal.SIGINT)
            with suppress(subprocess.TimeoutExpired):
                running.wait(0.2)
        assert "stopped" not in rest(running)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_fork(tmp_path: Path) -> None:
    """In a fork of its process a kernel says that it does not run there, and leaving it there does nothing."""
    slow(tmp_path)
    code = """
with kernel("slow") as running:
    if not os.fork():
        try:
            running.get(Greeter)
        except KernelNotRunning as error:
            say("child:", error.hint)
        sys.exit(0)
    os.wait()
    say("parent:", running.ports()["greeter"].serving)
"""
    with process(tmp_path, code) as running:
        until(running, "child: A fork takes no threads along: enter a kernel in each process, after the fork.")
        assert rest(running) == ["parent: slow", "stopping", "stopped", "cleanup", "undone"]


@pytest.mark.parametrize("end", ["pass", "sys.exit(0)", "raise KeyboardInterrupt"])
def test_open_to_the_end_of_the_program(tmp_path: Path, end: str) -> None:
    """A kernel that was opened without ``with`` is left when the program ends, while there are threads to close in."""
    slow(tmp_path, stop="await asyncio.to_thread(print, 'in a thread', flush=True)")
    code = f"""
running = kernel("slow", "sqlite-storage").open()
say(running.get(Storage).put("a", b"1"))
{end}
"""
    with process(tmp_path, code) as running:
        until(running, "1")
        assert rest(running)[:5] == ["stopping", "in a thread", "stopped", "cleanup", "undone"]


def test_what_fails_at_the_end_of_the_program_is_logged(tmp_path: Path) -> None:
    """A kernel that does not close cleanly when the program ends says so."""
    slow(tmp_path, stop="raise ValueError('no luck')")
    with process(tmp_path, 'running = kernel("slow").open()\n') as running:
        until(running, "stopping")
        assert "no luck" in running.communicate(timeout=30)[1]


def test_never_left(tmp_path: Path) -> None:
    """A program that enters a kernel and never leaves it ends all the same."""
    slow(tmp_path)
    with process(tmp_path, 'running = kernel("slow").__enter__()\nsay("ready")\n') as running:
        until(running, "ready")
        assert rest(running) == []
        assert running.returncode == 0


def test_a_plugin_that_ends_the_loop(tmp_path: Path) -> None:
    """When a plugin's own task raises ``SystemExit``, everything is left, and threads are told; nobody hangs."""
    slow(tmp_path, initialize="self.task = asyncio.get_running_loop().call_later(0.2, sys.exit, 3)")
    file = tmp_path / "slow" / "code.py"
    file.write_text("import sys\n" + file.read_text("utf-8"), "utf-8")
    code = """
with kernel("slow") as running:
    try:
        while running.ports():
            time.sleep(0.01)
    except (KernelNotRunning, CallCancelled) as error:
        say("told", error)
"""
    with process(tmp_path, code) as running:
        printed = rest(running)
        assert "stopped" in printed
        assert any(line.startswith("told") for line in printed)
