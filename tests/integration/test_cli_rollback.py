"""``hotswap rollback``: back to an earlier hotswap.toml and hotswap.lock, to the byte, and back again."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from hotswap.history import History
from hotswap.project_files import Contents, ProjectFiles, digest
from hotswap.record import Record
from tests.integration.cli_project import call, document, echo_project
from tests.plugin_folder import write_plugin
from tests.small_disk import mounted


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Give a project with ``echo`` enabled and locked, and ``kept`` available."""
    project = echo_project(tmp_path / "project", "# the end, with no line end")
    write_plugin(project / "plugins", "kept")
    assert call(project, "apply").exit_code == 0
    return project


def contents(project: Path) -> Contents:
    return ProjectFiles.of(project, {}).read()


def commands(project: Path) -> list[str | None]:
    """Return what left each state, the oldest first."""
    return [each["command"] for each in reversed(document(project, "rollback", "--list")["states"])]


def test_it_returns_to_the_state_before_and_back(project: Path) -> None:
    """Both files come back to the byte, comments included; the next rollback undoes it."""
    before = contents(project)
    assert call(project, "plugin", "enable", "kept").exit_code == 0
    after = contents(project)
    result = call(project, "rollback")
    assert (result.exit_code, result.stdout) == (0, "stop kept 1.0.0 (nothing asks for it any more)\n")
    assert "Wrote hotswap.toml and hotswap.lock as in state 2" in result.stderr
    assert contents(project) == before
    assert call(project, "plan").stdout == "Nothing to do: 1 plugins, as in hotswap.lock.\n"
    assert call(project, "rollback").stdout == "start kept 1.0.0 (enabled in the settings)\n"
    assert contents(project) == after
    assert commands(project) == [None, "apply", "plugin enable kept", "rollback 2", "rollback 3"]


def test_by_number(project: Path) -> None:
    """A number leads to that state, however long ago; one that is there already changes nothing."""
    before = contents(project)
    for command in ("enable", "disable", "enable"):
        assert call(project, "plugin", command, "kept").exit_code == 0
    found = document(project, "rollback", "2")
    assert found["to"] == 2
    assert [(each["kind"], each["subject"]) for each in found["steps"]] == [("stop", "kept")]
    assert (found["files"], found["state"]) == (["hotswap.toml", "hotswap.lock"], 6)
    assert contents(project) == before
    again = document(project, "rollback", "2")
    assert (again["steps"], again["files"], again["state"]) == ([], [], 6)
    assert "Both files stay as they are" in call(project, "rollback", "2").stderr


def test_the_list(project: Path) -> None:
    """The list says of each state when it came about and by what, which one is now, and where a rollback leads."""
    call(project, "plugin", "enable", "kept")
    lines = call(project, "rollback", "--list").stdout.splitlines()
    assert lines[0].split()[:2] == ["NUMBER", "TIME"]
    assert [line.split()[0] for line in lines[1:]] == ["3", "2", "1"]
    assert lines[1].endswith("hotswap plugin enable kept           now")
    assert lines[2].endswith("hotswap apply                        rollback leads here")
    rows = document(project, "rollback", "--list")["states"]
    assert [each["default"] for each in rows] == [False, True, False]
    assert [each["current"] for each in rows] == [True, False, False]
    (project / "hotswap.toml").write_text("# by hand\n[plugins]\nenabled = []\n")
    result = call(project, "rollback", "--list")
    assert result.stdout.splitlines()[1].endswith("rollback leads here")
    assert "The files were edited since" in result.stderr


def test_nothing_to_go_back_to(tmp_path: Path) -> None:
    """Without a state to go back to, or without one of that number, the error says what there is; exit code 1."""
    project = echo_project(tmp_path)
    result = call(project, "rollback")
    assert result.exit_code == 1
    assert result.stderr.startswith(
        "error[PLUG-039]: There is no earlier state to go back to.\n  hint: `hotswap apply`"
    )
    assert call(project, "rollback", "--list").exit_code == 0
    assert not (project / ".hotswap").exists()
    call(project, "apply")
    assert call(project, "rollback").exit_code == 1
    result = call(project, "rollback", "7")
    assert "There is no state 7 to go back to" in result.stderr
    assert "1, 2" in result.stderr
    assert call(project, "rollback", "0").exit_code == 2


def test_a_dry_run_writes_nothing(project: Path) -> None:
    """--dry-run shows the steps, and opens and writes nothing."""
    call(project, "plugin", "enable", "kept")
    write_plugin(project / "plugins", "echo", "raise ValueError", type="workflow", provides={"workflow": "Echo"})
    before = {path: path.read_bytes() for path in project.rglob("*") if path.is_file()}
    result = call(project, "rollback", "--dry-run")
    assert (result.exit_code, result.stdout) == (0, "stop kept 1.0.0 (nothing asks for it any more)\n")
    assert "Nothing was written" in result.stderr
    assert document(project, "rollback", "--dry-run")["state"] is None
    assert {path: path.read_bytes() for path in project.rglob("*") if path.is_file()} == before


def test_what_cannot_be_opened_is_not_gone_back_to(project: Path) -> None:
    """When a plugin of that state cannot be opened any more nothing is written; --no-check writes all the same."""
    before = contents(project)
    call(project, "plugin", "enable", "kept")
    call(project, "plugin", "disable", "kept")
    write_plugin(project / "plugins", "kept", "raise ValueError('no more')")
    result = call(project, "rollback", "3")
    assert result.exit_code == 1
    assert "error[PLUG-002]" in result.stderr
    assert contents(project) == before
    assert call(project, "rollback", "3", "--no-check").exit_code == 0
    assert b"kept" in (contents(project).lock or b"")


def test_what_cannot_be_solved_is_not_gone_back_to(project: Path) -> None:
    """A plugin that is not found any more is the error, with the state that it is about; nothing is written."""
    call(project, "plugin", "enable", "kept")
    call(project, "plugin", "disable", "kept")
    shutil.rmtree(project / "plugins" / "kept")
    before = contents(project)
    result = call(project, "rollback", "3", "--no-check")
    assert result.exit_code == 1
    assert "Of hotswap.toml as it was in state 3." in result.stderr
    assert contents(project) == before


def test_the_versions_of_that_time_are_proven(project: Path, tmp_path: Path) -> None:
    """What is opened for proof are the versions of the lock that is gone back to, not of the one that is there."""
    code = "from pathlib import Path\nPath({!r}).write_text({!r})\n"
    opened = str(tmp_path / "opened")
    write_plugin(project / "plugins", "kept", code.format(opened, "1"))
    call(project, "plugin", "enable", "kept")
    write_plugin(project / "plugins", "kept", code.format(opened, "2"), version="2.0.0", folder="kept-2")
    (project / "hotswap.lock").unlink()
    assert "start kept 2.0.0" in call(project, "apply").stdout
    assert Path(opened).read_text() == "2"
    result = call(project, "rollback", "3")
    assert result.stdout == "replace kept 2.0.0 -> 1.0.0 (enabled in the settings)\n"
    assert Path(opened).read_text() == "1"
    assert call(project, "plan").stdout == "Nothing to do: 2 plugins, as in hotswap.lock.\n"


def test_a_lock_that_no_longer_fits_is_named(project: Path) -> None:
    """Where the lock of that time cannot hold any more, both files come back all the same, and a warning says so."""
    call(project, "plugin", "enable", "kept")
    call(project, "plugin", "disable", "kept")
    shutil.rmtree(project / "plugins" / "kept")
    write_plugin(project / "plugins", "kept", version="3.0.0")
    result = call(project, "rollback", "3")
    assert result.exit_code == 0
    assert "warning[PLUG-023]" in result.stderr
    assert "state 3 is solved anew" in result.stderr
    assert "`hotswap apply` after it writes a lock that fits" in result.stderr


def test_an_edit_by_hand_is_not_lost(project: Path) -> None:
    """An edit since the last command becomes a state of its own; rollback leads before it, and back to it."""
    before = contents(project)
    toml = project / "hotswap.toml"
    toml.write_text("# mine\n" + toml.read_text("utf-8"), "utf-8")
    edited = contents(project)
    assert call(project, "rollback").stdout == "The same plugins, in the same versions.\n"
    assert contents(project) == before
    assert commands(project)[-2:] == [None, "rollback 2"]
    assert call(project, "rollback").exit_code == 0
    assert contents(project) == edited


def test_it_leads_out_of_a_mistake(project: Path) -> None:
    """With a hotswap.toml that cannot be read at all, rollback goes back to the last one that could, and keeps it."""
    before = contents(project)
    (project / "hotswap.toml").write_text("[plugins\n")
    assert call(project, "plan").exit_code == 1
    assert call(project, "rollback").exit_code == 0
    assert contents(project) == before
    result = call(project, "rollback", "3")
    assert result.exit_code == 1
    assert "error[PLUG-019]" in result.stderr
    assert "as it was in state 3" in result.stderr
    assert call(project, "rollback").exit_code == 1  # a mistake is no state to go back to


def test_an_edit_and_its_apply_are_one_change(project: Path) -> None:
    """After an edit and `apply`, rollback leads to before the edit, not to the edited file with the lock of before."""
    before = contents(project)
    toml = project / "hotswap.toml"
    toml.write_text(toml.read_text("utf-8").replace('"echo"', '"echo", "kept"'), "utf-8")
    assert call(project, "apply").exit_code == 0
    assert call(project, "rollback").exit_code == 0
    assert contents(project) == before


def test_no_file_is_a_state_too(tmp_path: Path) -> None:
    """Where there was no hotswap.toml there is none afterwards; what was there comes back with the next rollback."""
    (tmp_path / "plugins").mkdir()
    call(tmp_path, "plugin", "enable", "memory", "--no-check")
    enabled = contents(tmp_path)
    assert call(tmp_path, "rollback", "--no-check").exit_code == 0
    assert contents(tmp_path) == Contents()
    assert call(tmp_path, "rollback", "--no-check").exit_code == 0
    assert contents(tmp_path) == enabled


def test_init_force_can_be_undone(project: Path) -> None:
    """A hotswap.toml that `init --force` replaced comes back; a first `init` leaves no history."""
    before = contents(project)
    assert call(project, "init", "--force").exit_code == 0
    assert commands(project)[-1] == "init --force"
    assert call(project, "rollback").exit_code == 0
    assert contents(project) == before
    assert call(project, "init", str(project / "new")).exit_code == 0
    assert [each.name for each in (project / "new").iterdir()] == ["hotswap.toml"]


def test_a_file_elsewhere_has_its_own_states(project: Path, tmp_path: Path) -> None:
    """With HOTSWAP_CONFIG_FILE, rollback leads to states of that file alone."""
    other = tmp_path / "other.toml"
    shutil.copy(project / "hotswap.toml", other)
    env = {"HOTSWAP_CONFIG_FILE": str(other)}
    before = other.read_bytes()
    assert call(project, "plugin", "enable", "kept", env=env).exit_code == 0
    assert call(project, "rollback", "2", env=env).exit_code == 1
    assert call(project, "rollback", env=env).exit_code == 0
    assert other.read_bytes() == before
    assert call(project, "rollback", "--list", env={"HOTSWAP_CONFIG_FILE": str(tmp_path / "none.toml")}).exit_code == 0
    result = call(project, "apply", env={"HOTSWAP_CONFIG_FILE": str(tmp_path / "none.toml")})
    assert "error[PLUG-019]" in result.stderr


def test_nothing_of_the_files_is_shown(project: Path) -> None:
    """A secret in hotswap.toml stands in the history, which its owner alone can read, and in no output."""
    toml = project / "hotswap.toml"
    toml.write_text(toml.read_text("utf-8") + '\n[config.echo]\napi_key = "s3cr3t"\n', "utf-8")
    said = []
    for arguments in (["plugin", "enable", "kept", "--set", "config.kept.password=s3cr3t"], ["rollback"], ["rollback"]):
        said += [call(project, *arguments, *more).output for more in ([], ["--json"], ["--debug"])]
    said += [call(project, "rollback", "--list", *more).output for more in ([], ["--json"])]
    assert "s3cr3t" not in "".join(said)
    states = list((project / ".hotswap" / "history").glob("*.state"))
    assert any(b"s3cr3t" in each.read_bytes() for each in states)
    assert {each.stat().st_mode & 0o777 for each in states} == {0o600}
    assert b"password" not in b"".join(each.read_bytes() for each in states)


def test_a_damaged_state_is_a_warning_in_the_list_and_an_error_to_go_to(project: Path) -> None:
    """What cannot be read of the history is named, and does not keep the rest from being used."""
    call(project, "plugin", "enable", "kept")
    path = project / ".hotswap" / "history" / "000001.state"
    path.write_bytes(b"")
    result = call(project, "rollback", "--list")
    assert (result.exit_code, len(result.stdout.splitlines())) == (0, 3)
    assert "warning[PLUG-039]" in result.stderr
    result = call(project, "rollback", "1")
    assert result.exit_code == 1
    assert "000001.state cannot be used: it is damaged" in result.stderr
    assert call(project, "rollback").exit_code == 0


def test_doctor_tells_of_a_change_that_cannot_be_finished(project: Path) -> None:
    """What keeps every command from starting is a finding of doctor, with the way out as its hint."""
    unfinished = project / ".hotswap" / "unfinished"
    unfinished.write_text("nonsense")
    result = call(project, "plan")
    assert result.exit_code == 1
    assert result.stderr.startswith("error[PLUG-038]")
    result = call(project, "doctor", "--no-open")
    assert result.exit_code == 1
    assert "wrong settings: PLUG-038" in result.stdout
    assert f"hint: Delete {unfinished}" in result.stdout
    assert json.loads(call(project, "plan", "--json").stderr)["error"]["code"] == "PLUG-038"
    unfinished.unlink()
    assert call(project, "plan").exit_code == 0


@pytest.fixture
def small_disk() -> Iterator[Path]:
    with mounted("1m") as folder:
        yield folder


def test_a_full_disk_leaves_everything_as_it_was(small_disk: Path) -> None:
    """However little room there is, a change is made wholly or reported and not made; with room it succeeds."""
    project = small_disk / "project"
    project.mkdir()
    echo_project(project)
    write_plugin(project / "plugins", "kept")
    assert call(project, "apply").exit_code == 0
    before, outcomes = contents(project), set()
    for pages in range(12):
        ballast = small_disk / "ballast"
        with ballast.open("wb") as file:
            while os.statvfs(small_disk).f_bavail > pages:
                file.write(b"x" * 4096)
                file.flush()
        result = call(project, "plugin", "enable", "kept", "--no-check")
        outcomes.add(result.exit_code)
        assert not (project / ".hotswap" / "unfinished").exists()
        assert not list(project.rglob("*.new"))
        if result.exit_code:
            assert "error[PLUG-027]" in result.stderr
            assert "No space left on device" in result.stderr
            assert contents(project) == before
        ballast.unlink()
        if not result.exit_code:
            assert call(project, "rollback", "--no-check").exit_code == 0
    assert outcomes == {0, 1}
    assert call(project, "plugin", "enable", "kept").exit_code == 0


@pytest.fixture
def read_only() -> Iterator[Path]:
    """Give a project whose folder may not be written, with a change in it that is not finished."""
    with ExitStack() as stack:
        if os.geteuid() == 0:  # root may write anywhere but there
            folder = stack.enter_context(mounted("1m"))
            close = ["mount", "-o", "remount,ro", str(folder)]
        else:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            stack.callback(subprocess.run, ["chmod", "-R", "u+w", str(folder)], check=True)
            close = ["chmod", "-R", "a-w", str(folder)]
        for name in ("sound", "unfinished"):
            write_plugin(echo_project(folder / name) / "plugins", "kept")
        history = History(ProjectFiles.of(folder / "unfinished", {}))
        history.prepare()
        after = Contents(b"[plugins]\nenabled = []\n", None)
        was = digest((folder / "unfinished" / "hotswap.toml").read_bytes())
        history.announce(Record("2025-01-31T12:00:00Z", "apply", after, was=was, home=history.home()))
        subprocess.run(close, check=True)
        yield folder


def test_a_read_only_folder(read_only: Path) -> None:
    """What only reads works in a folder that may not be written; what would write is refused and changes nothing."""
    project = read_only / "sound"
    assert call(project, "plan").exit_code == 0
    assert call(project, "rollback", "--list").exit_code == 0
    for arguments in (["plugin", "enable", "kept"], ["plugin", "enable", "kept", "--no-check"], ["apply"]):
        result = call(project, *arguments)
        assert result.exit_code == 1
        assert result.stderr.startswith("error[PLUG-027]")
        assert "hint: Check who owns it, its mode and the disk" in result.stderr
    assert {each.name for each in project.iterdir()} == {"hotswap.toml", "plugins"}


def test_an_unfinished_change_in_a_read_only_folder(read_only: Path) -> None:
    """Who may not write cannot finish what another left, and says so instead of starting from half of it."""
    result = call(read_only / "unfinished", "plan")
    assert result.exit_code == 1
    assert result.stderr.startswith("error[PLUG-038]")
    assert "hint: Make room or give write access" in result.stderr
