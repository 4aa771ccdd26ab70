"""Whatever kills a command that changes the project, the next start comes up wholly old or wholly new."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from hotswap import Kernel, Settings, State
from hotswap.history import History
from hotswap.project_files import ProjectFiles
from hotswap.transaction import Transaction
from hotswap_ports import Workflow
from tests.integration.cli_project import call, echo_project
from tests.kills import Job, killed_at_every_step, pair
from tests.plugin_folder import write_plugin

if not hasattr(os, "fork"):
    pytest.skip("this system cannot fork", allow_module_level=True)


@pytest.fixture
def environ(tmp_path: Path) -> Mapping[str, str]:
    """Give the environment of a user whose home is in the test's own folder."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HOTSWAP_")}
    return {
        **kept,
        "HOME": str(tmp_path),
        "HOTSWAP_HOME": str(tmp_path),
        "HOTSWAP_CACHE": str(tmp_path / "cache"),
        "PYTHONDONTWRITEBYTECODE": "1",
    }


@pytest.fixture
def work(tmp_path: Path) -> Iterator[Path]:
    """Give a folder for hundreds of copies, in memory where that can be had: a kill loses nothing unsynced."""
    memory = Path("/dev/shm")
    with TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else tmp_path) as folder:
        yield Path(folder) / "work"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Give a project with a lock and a history, in which ``kept`` was enabled last."""
    project = echo_project(tmp_path / "project", "# the end\n")
    write_plugin(project / "plugins", "kept")
    for arguments in (["apply"], ["plugin", "enable", "kept"]):
        assert call(project, *arguments).exit_code == 0
    return project


def without_history(project: Path) -> None:
    shutil.rmtree(project / ".hotswap")


def edited(project: Path) -> None:
    toml = project / "hotswap.toml"
    toml.write_text(toml.read_text("utf-8").replace('"echo", "kept"', '"echo"'), "utf-8")


def disabled(project: Path) -> None:
    assert call(project, "plugin", "disable", "kept").exit_code == 0


COMMANDS = {
    "apply": (edited, ["apply"]),
    "first apply": (lambda project: [without_history(project), (project / "hotswap.lock").unlink()], ["apply"]),
    "enable": (disabled, ["plugin", "enable", "kept"]),
    "disable": (without_history, ["plugin", "disable", "kept"]),
    "rollback": (lambda project: None, ["rollback"]),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_is_killed_at_every_step(project: Path, work: Path, environ: Mapping[str, str], name: str) -> None:
    """Killed before or after any step, a command leaves a project that the next start finds wholly old or wholly new.

    What was begun is finished by that start, and the command can be given again and leaves no litter.
    """
    prepare, command = COMMANDS[name]
    prepare(project)
    outcome = killed_at_every_step(Job(str(project), str(work), command), environ)
    assert outcome.problems == []
    assert outcome.points > 40
    assert min(outcome.left.values()) > 5


def rollback_cut_off(project: Path) -> None:
    """Leave what a rollback to the state before ``kept`` was enabled leaves, when it ends after it was decided."""
    files = ProjectFiles.of(project, {})
    before = next(each.record.contents for each in History(files).entries()[0] if each.number == 2)
    real = os.replace

    def replace(source: Path, target: Path) -> None:
        if target == files.lock:
            raise KeyboardInterrupt
        real(source, target)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "replace", replace)
        with pytest.raises(KeyboardInterrupt):
            Transaction(files).commit(before, "rollback 2")
    assert files.unfinished.exists()


def test_the_next_start_is_killed_too(project: Path, work: Path, environ: Mapping[str, str]) -> None:
    """Killed at any step while it finishes what another left, a start leaves what the one after it finishes."""
    rollback_cut_off(project)
    outcome = killed_at_every_step(Job(str(project), str(work), ["plan", "--json"]), environ)
    assert outcome.problems == []
    assert outcome.left["old"] == 0
    assert outcome.left["unfinished"] > 20


async def test_a_kernel_starts_after_a_kill(project: Path) -> None:
    """A kernel that starts after a command that was killed once it was decided opens what was to be."""
    assert all("kept" in str(each) for each in pair(project))
    rollback_cut_off(project)
    async with Kernel(Settings.load(project, {})) as kernel:
        await kernel.get(Workflow, "echo").run({})
        opened = {each.id for each in kernel.plugins().values() if each.state is State.ACTIVE}
        assert opened == {"echo"}
        assert not kernel.problems
    assert not any('"kept"' in str(each) for each in pair(project))
