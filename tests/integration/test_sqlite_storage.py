"""SQLite storage on real files: hard kills, other processes, full and read-only disks, files of others."""

from __future__ import annotations

import asyncio
import json
import os
import random
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from hotswap_adapters._sqlite import port_error
from hotswap_adapters._sqlite.commits import Commits
from hotswap_adapters.storage.sqlite import SCHEMA, SqliteStorage, SqliteStorageConfig
from hotswap_ports import (
    AdapterFailed,
    Conflict,
    InvalidContent,
    InvalidRequest,
    NotWritable,
    PortError,
    TooLarge,
    Unavailable,
)
from tests.small_disk import mounted


def storage_at(path: Path, busy_timeout: float = 10.0) -> SqliteStorage:
    return SqliteStorage(SqliteStorageConfig(path=str(path), busy_timeout=busy_timeout))


def start(code: str, *arguments: str, **options: object) -> subprocess.Popen[str]:
    """Start a Python process that has the adapters at hand."""
    program = textwrap.dedent(
        """
        import asyncio, os, sys
        from hotswap_adapters.storage.sqlite import SqliteStorage, SqliteStorageConfig
        from hotswap_ports import PortError
        """
    ) + textwrap.dedent(code)
    command = [sys.executable, "-c", program, *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, **options)  # type: ignore[call-overload, no-any-return]


WRITE_FOREVER = """
async def main():
    async with SqliteStorage(SqliteStorageConfig(path=sys.argv[1])) as storage:
        number = int(sys.argv[2])
        while True:
            await storage.put(f"key/{number}", b"%d" % number * 500)
            await storage.put("last", b"%d" % number)
            print(number, flush=True)
            number += 1
asyncio.run(main())
"""


async def test_what_was_acknowledged_survives_kill_9(tmp_path: Path) -> None:
    """A process is killed five times in the middle of its puts: every put that returned is there, whole."""
    path = tmp_path / "data.db"
    chance = random.Random(20260101)
    done = 0
    for _ in range(5):
        process = start(WRITE_FOREVER, str(path), str(done))
        assert process.stdout is not None
        for _ in range(chance.randrange(1, 60)):
            done = int(process.stdout.readline()) + 1
        process.send_signal(signal.SIGKILL)
        rest = process.stdout.read().split()
        process.stdout.close()
        assert process.wait() == -signal.SIGKILL
        done = max(done, int(rest[-1]) + 1 if rest else 0)
        async with storage_at(path) as storage:
            for number in range(done):
                assert await storage.get(f"key/{number}") == b"%d" % number * 500
            assert int(await storage.get("last") or -1) >= done - 1
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()


async def test_two_processes_may_write_to_one_file(tmp_path: Path) -> None:
    """Two processes and this one count up one number 30 times each, by compare-and-set: none is lost."""
    path = tmp_path / "data.db"
    code = """
    from hotswap_ports import Conflict
    async def main():
        async with SqliteStorage(SqliteStorageConfig(path=sys.argv[1])) as storage:
            for _ in range(30):
                while True:
                    stored = await storage.read("count")
                    version, count = (stored.version, int(stored.value)) if stored else (0, 0)
                    try:
                        await storage.put("count", b"%d" % (count + 1), expect=version)
                        break
                    except Conflict:
                        pass
    asyncio.run(main())
    """
    others = [start(code, str(path)) for _ in range(2)]
    async with storage_at(path) as storage:
        for _ in range(30):
            while True:
                stored = await storage.read("count")
                version, count = (stored.version, int(stored.value)) if stored else (0, 0)
                try:
                    await storage.put("count", b"%d" % (count + 1), expect=version)
                except Conflict:
                    continue
                break
        for process in others:
            process.communicate()
            assert process.returncode == 0
        assert await storage.get("count") == b"90"


async def test_two_generations_may_be_open_on_one_file(tmp_path: Path) -> None:
    """A swap opens the new one while the old one works: both read and write, and closing one leaves the other."""
    path = tmp_path / "data.db"
    async with storage_at(path) as new:
        async with storage_at(path) as old:
            first = await old.put("key", b"old")
            assert await new.get("key") == b"old"
            second = await new.put("key", b"new", expect=first)
            with pytest.raises(Conflict):
                await old.put("key", b"late", expect=first)
            await asyncio.gather(*(each.put(f"{n}", b"") for n in range(50) for each in (old, new)))
        assert second > first
        assert await new.get("key") == b"new"
        assert len((await new.list()).keys) == 51


async def test_many_may_create_one_file_at_once(tmp_path: Path) -> None:
    """Ten storages that open the same new file together all find it whole."""
    path = tmp_path / "data.db"
    storages = [storage_at(path) for _ in range(10)]
    await asyncio.gather(*(each.__aenter__() for each in storages))
    try:
        await asyncio.gather(*(each.put(f"{n}", b"") for n, each in enumerate(storages)))
        assert len((await storages[0].list()).keys) == 10
    finally:
        for each in storages:
            await each.__aexit__(None, None, None)


def test_writes_that_wait_share_one_transaction() -> None:
    """Jobs that gathered are committed together; one that raises undoes itself alone, one cancelled is left out."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    statements: list[str] = []
    try:
        connection.execute("CREATE TABLE numbers (n)")
        connection.set_trace_callback(statements.append)
        commits = Commits()

        def insert(number: int) -> int:
            connection.execute("INSERT INTO numbers VALUES (?)", (number,))
            if number == 3:
                raise Conflict("key", 1, 2)
            return number

        futures = [commits.add(lambda _, number=number: insert(number)) for number in range(10)]  # type: ignore[misc]
        assert futures[5].cancel()
        commits.run(connection)
        commits.run(connection)
        assert statements.count("COMMIT") == 1
        assert isinstance(futures[3].exception(), Conflict)
        assert [each.result() for n, each in enumerate(futures) if n not in (3, 5)] == [0, 1, 2, 4, 6, 7, 8, 9]
        assert [row[0] for row in connection.execute("SELECT n FROM numbers")] == [0, 1, 2, 4, 6, 7, 8, 9]
    finally:
        connection.close()


async def test_the_folder_keeps_itself_out_of_git(tmp_path: Path) -> None:
    """A .hotswap folder that is created here ignores itself; another folder, or one that was there, is left alone."""
    async with storage_at(tmp_path / "new" / ".hotswap" / "data.db"):
        assert (tmp_path / "new" / ".hotswap" / ".gitignore").read_text() == "*\n"
    (tmp_path / ".hotswap").mkdir()
    async with storage_at(tmp_path / ".hotswap" / "data.db"), storage_at(tmp_path / "other" / "data.db"):
        assert not (tmp_path / ".hotswap" / ".gitignore").exists()
        assert not (tmp_path / "other" / ".gitignore").exists()


async def test_the_default_path_is_in_the_working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without settings the file is .hotswap/data.db, and stays there when the working folder changes."""
    monkeypatch.chdir(tmp_path)
    async with SqliteStorage(SqliteStorageConfig()) as storage:
        monkeypatch.chdir("/")
        await storage.put("key", b"value")
        assert await storage.get("key") == b"value"
    assert (tmp_path / ".hotswap" / "data.db").is_file()


async def test_nothing_is_left_open(tmp_path: Path) -> None:
    """After the exit there is one file, no thread, and no call works; it can be opened again."""
    storage = storage_at(tmp_path / "data.db")
    with pytest.raises(Unavailable, match="not open"):
        await storage.get("key")
    async with storage:
        await asyncio.gather(*(storage.put(f"{n}", b"") for n in range(10)), *(storage.get("0") for _ in range(10)))
        with pytest.raises(RuntimeError, match="open already"):
            await storage.__aenter__()
    assert [each.name for each in tmp_path.iterdir()] == ["data.db"]
    threads = [each for each in threading.enumerate() if each.name.startswith("sqlite-")]
    for each in threads:
        each.join(5)
    assert not any(each.is_alive() for each in threads)
    with pytest.raises(Unavailable):
        await storage.put("key", b"")
    async with storage:
        assert len((await storage.list()).keys) == 10


async def test_closing_lets_calls_in_flight_end(tmp_path: Path) -> None:
    """Puts and reads that were begun before the exit are carried out, not cancelled."""
    async with storage_at(tmp_path / "data.db") as storage:
        puts = [asyncio.ensure_future(storage.put(f"{n}", b"x")) for n in range(20)]
        gets = [asyncio.ensure_future(storage.get("0")) for _ in range(20)]
        await asyncio.sleep(0)
    assert all(isinstance(each, int) for each in await asyncio.gather(*puts))
    assert set(await asyncio.gather(*gets)) <= {None, b"x"}


async def test_a_cancelled_opening_leaves_nothing_open(tmp_path: Path) -> None:
    """Cancelled while it opens, a storage closes what it had opened."""
    for steps in range(4):
        task = asyncio.ensure_future(storage_at(tmp_path / "data.db").__aenter__())
        for _ in range(steps):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    async with storage_at(tmp_path / "data.db", busy_timeout=0.5) as storage:
        await storage.put("key", b"value")


async def test_a_busy_file_is_unavailable_and_waits_no_longer_than_told(tmp_path: Path) -> None:
    """While another connection holds the write lock, reads go on, and puts give up as Unavailable."""
    path = tmp_path / "data.db"
    async with storage_at(path, busy_timeout=0.05) as storage:
        await storage.put("key", b"old")
        other = sqlite3.connect(path, isolation_level=None)
        try:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(Unavailable, match="locked") as failure:
                await storage.put("key", b"new")
            assert failure.value.retryable
            begun = time.monotonic()
            outcomes = await asyncio.gather(*(storage.put("key", b"") for _ in range(50)), return_exceptions=True)
            assert all(isinstance(each, Unavailable) for each in outcomes)
            assert time.monotonic() - begun < 50 * 0.05
            assert await storage.get("key") == b"old"
            other.execute("ROLLBACK")
        finally:
            other.close()
        await storage.put("key", b"new")


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """Mount a disk of 1 MiB."""
    with mounted("1m") as folder:
        yield folder


async def test_a_full_disk_stores_nothing_and_goes_on_when_there_is_room(small_disk: Path) -> None:
    """On a full disk a put is NotWritable, old values stay readable, and with room again the next put works."""
    ballast = small_disk / "ballast"
    ballast.write_bytes(b"x" * 400_000)
    async with storage_at(small_disk / "data.db") as storage:
        await storage.put("key", b"old")

        async def fill() -> None:
            for number in range(200):
                await storage.put(f"filler/{number}", b"y" * 10_000)

        with pytest.raises(NotWritable, match="full") as failure:
            await fill()
        assert failure.value.hint
        kept = (await storage.list("filler/")).keys
        with pytest.raises(NotWritable):
            await storage.put("key", b"z" * 300_000)
        assert await storage.get("key") == b"old"
        ballast.unlink()
        await storage.put("key", b"new")
        assert (await storage.list("filler/")).keys == kept
    async with storage_at(small_disk / "data.db") as storage:
        assert await storage.get("key") == b"new"
        assert [await storage.get(key) for key in kept] == [b"y" * 10_000] * len(kept)


async def test_what_does_not_fit_takes_nothing_with_it(small_disk: Path) -> None:
    """Of puts at the same time, the one that the disk has no room for fails alone."""
    async with storage_at(small_disk / "data.db") as storage:
        sizes = [100, 2_000_000, 200, 2_000_001, 300]
        puts = (storage.put(f"{size}", b"x" * size) for size in sizes)
        outcomes = await asyncio.gather(*puts, return_exceptions=True)
        assert [type(each) for each in outcomes] == [int, NotWritable, int, NotWritable, int]
        assert (await storage.list()).keys == ("100", "200", "300")


async def test_a_limit_on_file_size_is_not_writable(tmp_path: Path) -> None:
    """Where the system lets no file grow (RLIMIT_FSIZE), a put is NotWritable and nothing of it is stored."""
    code = """
    async def main():
        async with SqliteStorage(SqliteStorageConfig(path=sys.argv[1])) as storage:
            await storage.put("key", b"old")
            try:
                await storage.put("key", b"new" * 500_000)
            except PortError as error:
                print(type(error).__name__, (await storage.get("key")).decode())
    asyncio.run(main())
    """
    limits = (500_000, 500_000)
    process = start(
        code, str(tmp_path / "data.db"), preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    )
    assert process.communicate()[0].split() == ["NotWritable", "old"]
    async with storage_at(tmp_path / "data.db") as storage:
        assert await storage.get("key") == b"old"


@pytest.mark.parametrize("what", ["file", "folder", "parent"])
def test_what_is_read_only_is_not_writable(what: str) -> None:
    """A read-only file, folder or parent folder is NotWritable when the storage is opened, with a hint."""
    code = """
    async def main():
        try:
            async with SqliteStorage(SqliteStorageConfig(path=sys.argv[1])) as storage:
                print("opened")
        except PortError as error:
            print(type(error).__name__, error, error.hint)
    if os.getuid() == 0:
        os.setuid(65534)  # root may write anywhere
    asyncio.run(main())
    """
    folder = Path(tempfile.mkdtemp(prefix="hotswap-read-only-"))
    try:
        folder.chmod(0o755)
        path = folder / "data.db"

        async def create() -> None:
            async with storage_at(path) as storage:
                await storage.put("key", b"value")

        if what != "parent":
            asyncio.run(create())
            path.chmod(0o444)
        folder.chmod(0o777 if what == "file" else 0o555)
        target = path if what != "parent" else folder / "sub" / "data.db"
        output = start(code, str(target)).communicate()[0]
        assert output.startswith("NotWritable ")
        assert "`path`" in output
    finally:
        folder.chmod(0o700)
        shutil.rmtree(folder)


async def test_a_file_that_is_no_database_is_left_alone(tmp_path: Path) -> None:
    """Text, short or long, is InvalidContent and stays as it was."""
    for size in (1, 40, 600, 10_000):
        path = tmp_path / f"{size}.txt"
        path.write_text("x" * size)
        with pytest.raises(InvalidContent, match="no SQLite database"):
            async with storage_at(path):
                pass
        assert path.read_text() == "x" * size
        assert not path.with_name(path.name + "-wal").exists()


async def test_a_database_of_another_application_is_left_alone(tmp_path: Path) -> None:
    """Somebody else's SQLite file is InvalidContent and keeps its journal mode and its tables."""
    path = tmp_path / "other.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE precious (x)")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(InvalidContent, match="another kind"):
        async with storage_at(path):
            pass
    assert path.read_bytes() == before


async def test_a_file_of_a_newer_format_is_left_alone(tmp_path: Path) -> None:
    """A file of a newer format is InvalidContent, which names both formats."""
    path = tmp_path / "data.db"
    async with storage_at(path):
        pass
    with sqlite3.connect(path) as connection:
        connection.execute(f"PRAGMA user_version = {SCHEMA.version + 1}")
    connection.close()
    with pytest.raises(InvalidContent, match=f"format {SCHEMA.version + 1}, this one knows {SCHEMA.version}"):
        async with storage_at(path):
            pass


async def test_a_damaged_file_is_a_port_error(tmp_path: Path) -> None:
    """Bytes overwritten in the middle end in InvalidContent, never in a wrong value."""
    path = tmp_path / "data.db"
    values = {f"key/{number}": b"%d" % number * 300 for number in range(300)}
    async with storage_at(path) as storage:
        await asyncio.gather(*(storage.put(key, value) for key, value in values.items()))
    data = bytearray(path.read_bytes())
    data[8192:-8192] = os.urandom(len(data) - 16384)
    path.write_bytes(data)
    errors = []
    try:
        async with storage_at(path) as storage:
            for key, value in values.items():
                try:
                    assert await storage.get(key) in (value, None)
                except PortError as error:
                    errors.append(error)
    except PortError as error:
        errors.append(error)
    assert errors
    assert all(isinstance(each, InvalidContent) for each in errors)


@pytest.mark.parametrize("path", ["", ":memory:", "a\0b", "~no-such-user-of-hotswap/x.db"])
async def test_a_path_that_names_no_file_is_an_invalid_request(path: str) -> None:
    """What SQLite would take for a database in memory, or cannot take at all, is refused."""
    with pytest.raises(InvalidRequest):
        async with SqliteStorage(SqliteStorageConfig(path=path)):
            pass


async def test_a_path_is_a_name_and_no_uri(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``file:data.db?mode=memory`` is the name of a file."""
    monkeypatch.chdir(tmp_path)
    async with SqliteStorage(SqliteStorageConfig(path="file:data.db?mode=memory")) as storage:
        await storage.put("key", b"value")
    assert (tmp_path / "file:data.db?mode=memory").is_file()


async def test_a_folder_is_no_file(tmp_path: Path) -> None:
    """A path that is a folder, or runs through a file, is refused."""
    with pytest.raises(InvalidRequest, match="folder"):
        async with storage_at(tmp_path):
            pass
    (tmp_path / "file").write_text("")
    with pytest.raises(NotWritable):
        async with storage_at(tmp_path / "file" / "data.db"):
            pass


@pytest.mark.parametrize("size", [0, -1, 1_000_000_000])
def test_a_limit_that_sqlite_cannot_keep_is_refused(size: int) -> None:
    """``max_value_bytes`` must fit a row of SQLite."""
    with pytest.raises(InvalidRequest):
        SqliteStorage(SqliteStorageConfig(max_value_bytes=size))


def test_what_sqlite_says_becomes_an_error_of_the_port() -> None:
    """Result codes that no test can bring about map too; one that nobody knows names the adapter."""

    def error(name: str) -> sqlite3.Error:
        made = sqlite3.OperationalError("words of SQLite")
        made.sqlite_errorname = name
        return made

    path = Path("data.db")
    for name, kind in {
        "SQLITE_IOERR_FSYNC": NotWritable,
        "SQLITE_IOERR_READ": Unavailable,
        "SQLITE_BUSY_RECOVERY": Unavailable,
        "SQLITE_CORRUPT_VTAB": InvalidContent,
        "SQLITE_TOOBIG": TooLarge,
        "SQLITE_MISUSE": AdapterFailed,
    }.items():
        assert type(port_error(error(name), path, "storage")) is kind
    assert "words of SQLite" in str(port_error(error("SQLITE_MISUSE"), path, "storage"))


def test_a_hundred_calls_at_once_leave_the_default_executor_alone(tmp_path: Path) -> None:
    """Storage has threads of its own: with the loop's default executor busy, it still answers."""

    async def main() -> str:
        release = threading.Event()
        loop = asyncio.get_running_loop()
        async with storage_at(tmp_path / "data.db") as storage:
            blocked = [loop.run_in_executor(None, release.wait) for _ in range(64)]
            try:
                await asyncio.wait_for(asyncio.gather(*(storage.put(f"{n}", b"") for n in range(100))), 30)
                return json.dumps((await storage.list(limit=1)).keys)
            finally:
                release.set()
                await asyncio.gather(*blocked)

    assert asyncio.run(main()) == '["0"]'
