"""Runs a command again and again, kills it at one step after the other, and looks at what the next start makes of it.

``python -m tests.kills JOB`` reads a job (``Job``, as JSON) and prints what came of it (``Outcome``). It is a process
of its own so that it can fork: everything is imported once, and a run costs little more than its work. Steps are the
calls that change files; a child dies by SIGKILL before the n-th, then after the n-th, until it gets to its end.
"""

from __future__ import annotations

import builtins
import gc
import io
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs
from attrs import frozen
from click.testing import CliRunner

from hotswap.cli.root import root

CALLS = ("replace", "fsync", "open", "unlink", "rename", "link", "mkdir", "write", "chmod", "rmdir")
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT


@frozen
class Job:
    """What is to be killed, and where."""

    template: str
    """The project as it is before the command; it is copied for each run."""
    work: str
    """A folder for the copies, which is not there yet."""
    command: Sequence[str]
    """Arguments of ``hotswap``, without ``--folder``."""
    again: Sequence[str] = ("plan", "--json")
    """What is the next start."""
    step: int = 1
    """1 kills at every point, 3 at every third."""


@frozen
class Outcome:
    """What was left behind by the kills."""

    points: int
    """How many points it comes to until its end: two for each step."""
    left: Mapping[str, int]
    """How often the files were ``old`` and ``new`` after the next start, and ``unfinished`` before it."""
    problems: Sequence[str]


def killed_at_every_step(job: Job, environ: Mapping[str, str]) -> Outcome:
    """Do a job in a process of its own."""
    command = [sys.executable, "-m", "tests.kills", json.dumps(attrs.asdict(job))]
    done = subprocess.run(
        command, env=environ, cwd=Path(__file__).parents[1], capture_output=True, text=True, timeout=110
    )
    assert done.returncode == 0, done.stderr
    return Outcome(**json.loads(done.stdout))


class Killer:
    """Counts what changes files, and kills its process at one point."""

    def __init__(self, at: int) -> None:
        self.at = at
        self.count = 0

    def point(self) -> None:
        """Come to a point."""
        self.count += 1
        if self.count == self.at:
            os.kill(os.getpid(), signal.SIGKILL)

    def install(self) -> None:
        """Stand around everything that changes files."""
        for name in CALLS:
            setattr(os, name, self._around(getattr(os, name), lambda a, k, name=name: name != "open" or a[1] & WRITING))
        for module in (builtins, io):
            module.open = self._around(io.open, _writes)  # type: ignore[assignment]

    def _around(self, real: Callable[..., Any], counts: Callable[[Any, Any], Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            if not counts(args, kwargs):
                return real(*args, **kwargs)
            self.point()
            try:
                return real(*args, **kwargs)
            finally:
                self.point()

        return call


def _writes(args: Sequence[Any], kwargs: Mapping[str, Any]) -> bool:
    return bool(set("wax+") & set(args[1] if len(args) > 1 else kwargs.get("mode", "r")))


def forked(arguments: Sequence[str], output: Path, killer: Killer | None = None) -> int:
    """Run ``hotswap`` in a fork; return its wait status."""
    child = os.fork()
    if child == 0:
        sys.stdout = sys.stderr = output.open("w", encoding="utf-8")
        code = 70
        try:
            if killer is not None:
                killer.install()
            root.main(list(arguments))
        except SystemExit as leaving:
            code = int(leaving.code or 0)
        finally:
            sys.stdout.flush()
            os._exit(code)
    return os.waitpid(child, 0)[1]


def pair(project: Path) -> list[str | None]:
    """Return what both files hold."""
    return [
        path.read_text("utf-8") if path.exists() else None
        for path in (project / "hotswap.toml", project / "hotswap.lock")
    ]


class Work:
    """One job while it is done."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.root = Path(job.work)
        self.root.mkdir()
        self.problems: list[str] = []
        self.left = {"old": 0, "new": 0, "unfinished": 0}
        self.old = pair(Path(job.template))
        self.new: list[str | None] = []

    def run(self) -> Outcome:
        """Find out what the command does when nobody kills it, then kill it everywhere."""
        self._warm_up()
        whole = self._copy("whole")
        status = self._hotswap(whole, self.job.command)
        self.new = pair(whole)
        if status or self.new == self.old:
            self.problems.append(f"it ends with {status}: {self._said(whole)}")
            return Outcome(0, self.left, self.problems)
        at = 1
        while self._kill(at):
            at += self.job.step
        return Outcome(at, self.left, self.problems)

    def _warm_up(self) -> None:
        """Let everything be imported that is needed, so that no child has to."""
        project = str(self._copy("warm-up"))
        for arguments in (self.job.command, self.job.again):
            CliRunner().invoke(root, ["--folder", project, *arguments])
        gc.disable()
        gc.freeze()  # a child that touched all objects would copy them

    def _kill(self, at: int) -> bool:
        """Kill it at one point, and start once more; False when it came to its end before that."""
        project = self._copy(f"killed-{at}")
        status = self._hotswap(project, self.job.command, Killer(at))
        is_killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
        if status and not is_killed:
            self.problems.append(f"{at}: it was not killed, but ended with {status}: {self._said(project)}")
        self.left["unfinished"] += (project / ".hotswap" / "unfinished").exists()
        self._start(project, at)
        shutil.rmtree(project)
        return is_killed

    def _start(self, project: Path, at: int) -> None:
        """Start once more, and see that it comes up wholly old or wholly new."""
        start = CliRunner().invoke(root, ["--folder", str(project), *self.job.again])
        now = pair(project)
        which = "old" if now == self.old else "new" if now == self.new else ""
        if start.exit_code or not which:
            self.problems.append(f"{at}: the next start ends with {start.exit_code}, {now}: {start.output}")
            return
        self.left[which] += 1
        if (project / ".hotswap" / "unfinished").exists():
            self.problems.append(f"{at}: the next start did not finish it")
        self._again(project, at, which)

    def _again(self, project: Path, at: int, which: str) -> None:
        """See that the command can be done once more, and that nothing is left of the one that was killed."""
        if which == "old" and at % 8 < 2:
            status = self._hotswap(project, self.job.command)
            if status or pair(project) != self.new:
                self.problems.append(f"{at}: it cannot be done again: {status}: {self._said(project)}")
                return
            litter = [each.name for each in project.rglob("*.new")]
            if litter:
                self.problems.append(f"{at}: {litter} are left")

    def _copy(self, name: str) -> Path:
        return Path(shutil.copytree(self.job.template, self.root / name, symlinks=True))

    def _hotswap(self, project: Path, arguments: Sequence[str], killer: Killer | None = None) -> int:
        return forked(["--folder", str(project), *arguments], self.root / f"{project.name}.txt", killer)

    def _said(self, project: Path) -> str:
        return (self.root / f"{project.name}.txt").read_text("utf-8")[-2000:]


if __name__ == "__main__":
    print(json.dumps(attrs.asdict(Work(Job(**json.loads(sys.argv[1]))).run())))
