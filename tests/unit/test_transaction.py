"""hotswap.toml and hotswap.lock change together or not at all, and what they were is kept."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path

import attrs
import pytest

from hotswap import Settings
from hotswap.errors import ChangeUnfinished, SettingsConflict, SettingsInvalid
from hotswap.history import History
from hotswap.project_files import Contents, ProjectFiles
from hotswap.record import FOUND
from hotswap.transaction import Transaction, settle
from hotswap.turn import turn
from tests.power_cut import PowerCut, laid_out

OLD = Contents(b"# old\r\n[plugins]\r\nenabled = []\r\n", b"old lock")
NEW = Contents(b"[plugins]\nenabled = ['a']\n", b"new lock")


@pytest.fixture
def files(tmp_path: Path) -> ProjectFiles:
    """Give a project with both files."""
    files = ProjectFiles.of(tmp_path, {})
    put(files, OLD)
    return files


def put(files: ProjectFiles, contents: Contents) -> None:
    for path, content in ((files.settings, contents.settings), (files.lock, contents.lock)):
        path.unlink(missing_ok=True)
        if content is not None:
            path.write_bytes(content)


def states(files: ProjectFiles) -> list[tuple[str, Contents]]:
    """Return the history, the oldest first."""
    found, damaged = History(files).entries()
    assert damaged == []
    return [(each.record.command, each.record.contents) for each in reversed(found)]


def interrupted(files: ProjectFiles, after: Contents, *, done: int = 0) -> None:
    """Leave what a process leaves that is killed after its change was decided and ``done`` files were in place."""
    real, count = os.replace, 0

    def dying(source: str, target: str) -> None:
        nonlocal count
        if Path(target) in {files.settings, files.lock}:
            if count == done:
                raise KeyboardInterrupt
            count += 1
        real(source, target)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "replace", dying)
        with pytest.raises(KeyboardInterrupt):
            Transaction(files).commit(after, "apply")
    assert files.unfinished.exists()


def test_a_commit_writes_both_files_and_the_history(files: ProjectFiles) -> None:
    """Both files are what they were to be, what was there before is a state, and nothing else is left."""
    transaction = Transaction(files, now=lambda: datetime(2025, 1, 31, 12, tzinfo=UTC))
    assert transaction.commit(NEW, "plugin enable a") == 2
    assert files.read() == NEW
    assert states(files) == [(FOUND, OLD), ("plugin enable a", NEW)]
    assert {each.record.time for each in History(files).entries()[0]} == {"2025-01-31T12:00:00Z"}
    assert {each.name for each in files.folder.iterdir()} == {".hotswap", "hotswap.toml", "hotswap.lock"}
    assert {each.name for each in files.own_folder.rglob("*")} == {
        *("history", ".gitignore", "turn", "000001.state", "000002.state")
    }


def test_what_a_command_left_is_not_recorded_twice(files: ProjectFiles) -> None:
    """From the second change on each adds one state; an edit in between is one of its own."""
    Transaction(files).commit(NEW, "one")
    Transaction(files).commit(OLD, "two")
    edited = attrs.evolve(OLD, settings=b"# by hand\n")
    put(files, edited)
    Transaction(files).commit(NEW, "three")
    assert states(files) == [(FOUND, OLD), ("one", NEW), ("two", OLD), (FOUND, edited), ("three", NEW)]


def test_no_change_touches_no_file(files: ProjectFiles) -> None:
    """Where nothing differs the files are left alone; the state is recorded once, so that one can go back to it."""
    before = [each.stat() for each in (files.settings, files.lock)]
    assert [Transaction(files).commit(OLD, "apply") for _ in range(2)] == [1, 1]
    assert states(files) == [("apply", OLD)]
    assert [(each.st_ino, each.st_mtime_ns) for each in before] == [
        (each.stat().st_ino, each.stat().st_mtime_ns) for each in (files.settings, files.lock)
    ]


@pytest.mark.parametrize("after", [Contents(), Contents(b"", None), Contents(None, b"lock"), Contents(b"", b"")])
@pytest.mark.parametrize("before", [Contents(), OLD])
def test_files_come_and_go(tmp_path: Path, before: Contents, after: Contents) -> None:
    """That a file is not there is a content like any other, and an empty file another one."""
    files = ProjectFiles.of(tmp_path, {})
    put(files, before)
    Transaction(files).commit(after, "x")
    assert files.read() == after


def test_the_mode_is_kept_and_comes_back(files: ProjectFiles) -> None:
    """A file keeps its mode; one that is made anew gets the mode it had, not one in which others may read it."""
    files.settings.chmod(0o600)
    Transaction(files).commit(NEW, "x")
    assert stat.S_IMODE(files.settings.stat().st_mode) == 0o600
    Transaction(files).commit(Contents(None, b"lock"), "y")
    back = next(each.record.contents for each in History(files).entries()[0] if each.number == 2)
    Transaction(files).commit(back, "rollback 2")
    assert stat.S_IMODE(files.settings.stat().st_mode) == 0o600


def test_links_are_followed(files: ProjectFiles, tmp_path: Path) -> None:
    """Through links the files behind them change; where there is to be none, the link goes and they stay."""
    for path in (files.settings, files.lock):
        path.rename(tmp_path / f"real-{path.name}")
        path.symlink_to(f"real-{path.name}")
    Transaction(files).commit(NEW, "x")
    assert files.settings.is_symlink()
    assert files.lock.is_symlink()
    assert files.read() == NEW
    Transaction(files).commit(Contents(), "y")
    assert files.read() == Contents()
    assert (tmp_path / "real-hotswap.toml").read_bytes() == NEW.settings


def test_a_file_elsewhere(tmp_path: Path) -> None:
    """With HOTSWAP_CONFIG_FILE that file is changed, also by whoever finishes the change; the lock stays."""
    elsewhere = tmp_path / "etc" / "app.toml"
    elsewhere.parent.mkdir()
    project = tmp_path / "project"
    project.mkdir()
    environ = {"HOTSWAP_CONFIG_FILE": str(elsewhere)}
    files = ProjectFiles.of(project, environ)
    put(files, OLD)
    Transaction(files).commit(NEW, "x")
    assert files.read() == NEW
    assert not (project / "hotswap.toml").exists()
    interrupted(files, attrs.evolve(OLD, settings=b"[plugins]\nenabled = ['b']\n"), done=1)
    assert Settings.load(project, environ).enabled == ("b",)
    assert [each.name for each in elsewhere.parent.iterdir()] == ["app.toml"]


def test_something_else_changed_a_file(files: ProjectFiles) -> None:
    """What was edited since the beginning is not written over, and nothing is changed."""
    for path in (files.settings, files.lock):
        transaction = Transaction(files)
        path.write_bytes(b"# meanwhile\n")
        with pytest.raises(SettingsConflict, match=f"{path.name} was not changed: something else changed it"):
            transaction.commit(NEW, "x")
        assert path.read_bytes() == b"# meanwhile\n"
    assert states(files) == []
    assert not files.unfinished.exists()


def test_an_edit_while_it_is_staged(files: ProjectFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    """An edit that arrives while the new contents are being written stays too."""
    transaction, real = Transaction(files), os.fsync

    def editing(descriptor: int) -> None:
        real(descriptor)
        files.settings.write_bytes(b"# meanwhile\n")

    monkeypatch.setattr(os, "fsync", editing)
    with pytest.raises(SettingsConflict, match="something else changed it"):
        transaction.commit(NEW, "x")
    assert files.read() == attrs.evolve(OLD, settings=b"# meanwhile\n")


@pytest.mark.parametrize("done", [0, 1])
def test_whoever_reads_next_finishes_it(files: ProjectFiles, done: int) -> None:
    """Settings.load of a project whose change was interrupted reads the new file, with the new lock beside it."""
    interrupted(files, NEW, done=done)
    assert files.read() != NEW
    assert Settings.load(files.folder, {}).enabled == ("a",)
    assert files.read() == NEW
    assert states(files) == [(FOUND, OLD), ("apply", NEW)]
    assert not files.unfinished.exists()
    assert not [each.name for each in files.folder.iterdir() if each.name.endswith(".new")]


def test_a_command_finishes_it_first(files: ProjectFiles) -> None:
    """A change that begins after one that was interrupted begins from what that one was to be."""
    interrupted(files, NEW)
    transaction = Transaction(files)
    assert transaction.before == NEW
    transaction.commit(OLD, "y")
    assert states(files) == [(FOUND, OLD), ("apply", NEW), ("y", OLD)]


def test_an_interrupted_change_may_take_files_away(files: ProjectFiles) -> None:
    """A change by which both files go is finished too."""
    Transaction(files).commit(OLD, "x")
    real = os.unlink
    with pytest.MonkeyPatch.context() as patch:

        def dying(path: Path) -> None:
            if path == files.lock:
                raise KeyboardInterrupt
            real(path)

        patch.setattr(os, "unlink", dying)
        with pytest.raises(KeyboardInterrupt):
            Transaction(files).commit(Contents(), "y")
    assert files.read() == OLD
    settle(files)
    assert files.read() == Contents()


@pytest.mark.parametrize("done", [0, 1])
def test_an_edit_after_the_interruption_is_not_written_over(files: ProjectFiles, done: int) -> None:
    """A hotswap.toml edited since then is reported and stays; without the record it is read as it is."""
    interrupted(files, NEW, done=done)
    files.settings.write_bytes(b"[plugins]\nenabled = ['mine']\n")
    before = files.read()
    for attempt in (lambda: Settings.load(files.folder, {}), lambda: Transaction(files)):
        with pytest.raises(ChangeUnfinished, match="edited before it was finished") as caught:
            attempt()
        assert str(files.unfinished) in caught.value.hint
        assert files.read() == before
    files.unfinished.unlink()
    assert Settings.load(files.folder, {}).enabled == ("mine",)


def test_a_lock_lost_after_the_interruption_is_no_edit(files: ProjectFiles) -> None:
    """The lock is generated: one that was deleted meanwhile is written."""
    interrupted(files, NEW)
    files.lock.unlink()
    settle(files)
    assert files.read() == NEW


def test_a_damaged_record_changes_nothing(files: ProjectFiles) -> None:
    """A record that was cut off, is no record, too large, a link or a folder is an error with a hint."""
    interrupted(files, NEW)
    whole = files.unfinished.read_bytes()

    def link() -> None:
        (files.folder / "record").write_bytes(whole)
        files.unfinished.symlink_to(files.folder / "record")

    def large() -> None:
        with files.unfinished.open("wb") as file:
            file.truncate(65 * 1024 * 1024)

    spoils = [
        lambda: files.unfinished.write_bytes(whole[:-1]),
        lambda: files.unfinished.write_bytes(b""),
        lambda: files.unfinished.write_bytes(os.urandom(1000)),
        link,
        large,
        files.unfinished.mkdir,
    ]
    for spoil in spoils:
        files.unfinished.unlink()
        spoil()
        with pytest.raises(ChangeUnfinished) as caught:
            Settings.load(files.folder, {})
        assert caught.value.hint.startswith(f"Delete {files.unfinished}")
        assert files.read() == OLD


def test_a_record_from_elsewhere_does_not_write_outside(
    files: ProjectFiles, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A project that came with a record and a link out of its folder cannot have a file there written."""
    interrupted(files, NEW)
    record = files.unfinished.read_bytes()
    outside = tmp_path_factory.mktemp("outside") / "profile"
    assert OLD.settings is not None
    outside.write_bytes(OLD.settings)
    copy = ProjectFiles.of(tmp_path_factory.mktemp("copy"), {})
    copy.settings.symlink_to(outside)
    copy.own_folder.mkdir(parents=True)
    copy.unfinished.write_bytes(record)
    with pytest.raises(ChangeUnfinished, match="lies outside the project"):
        settle(copy)
    assert outside.read_bytes() == OLD.settings
    copy.settings.unlink()
    copy.settings.write_bytes(OLD.settings)  # inside it may write what the folder might have held anyway
    settle(copy)
    assert copy.read() == NEW


def test_another_settings_files_change_is_left_to_it(files: ProjectFiles, tmp_path: Path) -> None:
    """Who uses another hotswap.toml reads on as if nothing were; to change something, the first has to be finished."""
    interrupted(files, NEW)
    environ = {"HOTSWAP_CONFIG_FILE": str(tmp_path / "other.toml")}
    (tmp_path / "other.toml").write_text("[plugins]\nenabled = ['other']\n")
    other = ProjectFiles.of(tmp_path, environ)
    assert Settings.load(tmp_path, environ).enabled == ("other",)
    with pytest.raises(ChangeUnfinished, match="it is about another"):
        Transaction(other).commit(NEW, "x")
    settle(files)
    assert Transaction(other).commit(NEW, "x")


def test_reading_writes_nothing_and_looks_once(files: ProjectFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a record, Settings.load makes no folder, and asks once whether there is one."""
    asked: list[str] = []
    real = os.path.lexists
    monkeypatch.setattr(os.path, "lexists", lambda path: asked.append(os.fspath(path)) or real(path))
    Settings.load(files.folder, {})
    assert len([each for each in asked if ".hotswap" in each]) == 1
    assert {each.name for each in files.folder.iterdir()} == {"hotswap.toml", "hotswap.lock"}


@pytest.mark.parametrize("at", ["stage", "commit", "finish"])
def test_a_disk_that_gives_out(files: ProjectFiles, monkeypatch: pytest.MonkeyPatch, at: str) -> None:
    """Before it is decided, a failure leaves everything as it was; after that it is reported, and finished later."""
    fails = {"stage": files.settings, "commit": files.unfinished, "finish": files.settings}[at]
    real_replace, real_fsync = os.replace, os.fsync

    def replace(source: Path, target: Path) -> None:
        if Path(target) == fails:
            raise OSError(errno.EIO, "Input/output error", str(target))
        real_replace(source, target)

    def fsync(descriptor: int) -> None:
        if at == "stage" and len(states(files)) == 1:
            raise OSError(errno.ENOSPC, "No space left on device")
        real_fsync(descriptor)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", replace)
        patch.setattr(os, "fsync", fsync)
        if at == "finish":
            with pytest.raises(ChangeUnfinished, match="Input/output error"):
                Transaction(files).commit(NEW, "x")
        else:
            with pytest.raises(SettingsConflict, match="cannot be written"):
                Transaction(files).commit(NEW, "x")
            assert files.read() == OLD
    assert {each.name for each in files.folder.iterdir()} == {".hotswap", "hotswap.toml", "hotswap.lock"}
    settle(files)
    assert files.read() == (NEW if at == "finish" else OLD)


def test_a_decision_that_may_not_be_on_the_disk_is_withdrawn(
    files: ProjectFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the record's folder cannot be synced the change is called off: what is reported as failed never happens."""
    real = os.fsync

    def fsync(descriptor: int) -> None:
        if files.unfinished.exists():
            raise OSError(errno.EIO, "Input/output error")
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(SettingsConflict, match="Input/output error"):
        Transaction(files).commit(NEW, "x")
    monkeypatch.undo()
    settle(files)
    assert files.read() == OLD


def test_odd_files_are_refused(files: ProjectFiles) -> None:
    """A lock that is a folder, without end or a pipe, and a settings file that is a folder, are not replaced."""
    files.lock.unlink()
    files.lock.mkdir()
    with pytest.raises(SettingsConflict, match="not an ordinary file"):
        Transaction(files)
    files.lock.rmdir()
    with files.lock.open("wb") as file:
        file.truncate(16_000_001)
    with pytest.raises(SettingsConflict, match="more than 16000000 bytes"):
        Transaction(files)
    files.lock.unlink()
    files.settings.unlink()
    files.settings.mkdir()
    with pytest.raises(SettingsInvalid, match="not an ordinary file"):
        Transaction(files)


def test_a_pipe_behind_a_link_is_not_replaced(files: ProjectFiles) -> None:
    """A lock that became a pipe since the beginning is found before anything is done."""
    transaction = Transaction(files)
    files.lock.unlink()
    os.mkfifo(files.lock)
    with pytest.raises(SettingsConflict, match="not an ordinary file"):
        transaction.check()
    with pytest.raises(SettingsConflict, match="not an ordinary file"):
        transaction.commit(NEW, "x")
    assert files.lock.is_fifo()


def test_a_read_only_file_is_not_replaced(files: ProjectFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    """Moving over a file that may not be written would work, and is not done."""
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may write anything
    with pytest.raises(SettingsConflict, match="Permission denied"):
        Transaction(files).check()
    with pytest.raises(SettingsConflict, match="Permission denied"):
        Transaction(files).commit(NEW, "x")
    assert files.read() == OLD


def test_one_change_at_a_time(files: ProjectFiles) -> None:
    """While somebody else is at it, a change waits, and a reader who has to finish one; both give up with an error."""
    interrupted(files, NEW)
    with turn(History(files).turn, 0):
        with pytest.raises(ChangeUnfinished, match="another process is at it"):
            settle(files, wait=0.05)
        record = files.unfinished.read_bytes()
        files.unfinished.unlink()
        with pytest.raises(SettingsConflict, match="another process is changing it"):
            Transaction(files, wait=0.05).commit(NEW, "x")
        files.unfinished.write_bytes(record)
    settle(files)
    assert files.read() == NEW


def test_who_may_not_write_waits_for_who_may(files: ProjectFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody without write access who comes while a change is being made waits until it is, and reads on."""
    interrupted(files, NEW)

    def refused(path: Path, wait: float) -> None:
        threading.Timer(0.1, files.unfinished.unlink).start()
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr("hotswap.transaction.turn", refused)
    settle(files)
    assert not files.unfinished.exists()


def test_whoever_waits_goes_on_when_the_other_is_done(files: ProjectFiles) -> None:
    """Changes of many threads are made one after the other; those that began from an older state are refused."""
    outcomes: list[str] = []
    barrier = threading.Barrier(8)

    def work(number: int) -> None:
        transaction = Transaction(files)
        barrier.wait()
        try:
            transaction.commit(Contents(f"# {number}\n".encode(), str(number).encode()), f"change {number}")
            outcomes.append("done")
        except SettingsConflict:
            outcomes.append("refused")

    threads = [threading.Thread(target=work, args=(each,)) for each in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert sorted(outcomes) == ["done"] + ["refused"] * 7
    toml, lock = files.read().settings, files.read().lock
    assert toml is not None
    assert lock is not None
    assert toml == b"# " + lock + b"\n"
    assert len(states(files)) == 2


def test_the_turn_of_a_process_that_was_killed_is_free(files: ProjectFiles) -> None:
    """A process that is killed while it has the turn holds up nobody."""
    History(files).prepare()
    code = """if True:
        import sys, time
        from pathlib import Path
        from hotswap.turn import turn
        with turn(Path(sys.argv[1]), 0):
            print("held", flush=True)
            time.sleep(600)
    """
    command = [sys.executable, "-c", code, str(History(files).turn)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        with pytest.raises(BlockingIOError), turn(History(files).turn, 0.05):
            pass
        process.kill()
    assert Transaction(files, wait=5).commit(NEW, "x")


@pytest.mark.parametrize("first", [True, False], ids=["first", "later"])
def test_a_power_cut_leaves_one_or_the_other(tmp_path: Path, first: bool) -> None:
    """Whatever of the unsynced steps is lost when the power fails, both files are old or both are new."""
    files = ProjectFiles.of(tmp_path / "project", {})
    files.folder.mkdir()
    put(files, OLD)
    if not first:
        Transaction(files).commit(NEW, "x")
        put(files, OLD)
    with PowerCut(files.folder) as power:
        Transaction(files).commit(NEW, "y")
    outcomes = []
    for number, state in enumerate(power.cuts()):
        left = ProjectFiles.of(laid_out(state, tmp_path / f"cut-{number}"), {})
        settle(left)
        outcomes.append(left.read())
        assert left.read() in (OLD, NEW)
        assert not left.unfinished.exists()
        assert all(contents in (OLD, NEW) for _, contents in states(left))
    assert outcomes[0] == OLD
    assert outcomes[-1] == NEW
    assert len(outcomes) > 20
