"""The adapter keeps its port's contract, and its file keeps what was put."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest
from log_storage import LogConfig, LogStorage

from hotswap import Kernel
from hotswap.testing import PluginHarness
from hotswap_ports import Storage
from hotswap_ports.testing import StorageContract


class TestContract(StorageContract):
    """One inherited class, one fixture: now you know whether the adapter is right."""

    @pytest.fixture
    async def storage(self, tmp_path: Path) -> AsyncIterator[LogStorage]:
        async with LogStorage(LogConfig(str(tmp_path / "log.jsonl"))) as opened:
            yield opened

    @pytest.fixture
    def reopen(self, tmp_path: Path) -> Callable[[Storage], AbstractAsyncContextManager[Storage]]:
        @asynccontextmanager
        async def again(storage: Storage) -> AsyncIterator[Storage]:
            assert isinstance(storage, LogStorage)
            await storage.__aexit__(None, None, None)
            async with LogStorage(LogConfig(str(tmp_path / "log.jsonl"))) as opened:
                yield opened

        return again


async def test_the_plugin_puts_its_file_where_the_settings_say(tmp_path: Path) -> None:
    """The harness opens the plugin as a kernel does, and looks at what it leaves behind."""
    async with PluginHarness("log-storage", config={"path": str(tmp_path / "mine.jsonl")}) as harness:
        await harness.get(Storage).put("heron", b"grey")
    assert (tmp_path / "mine.jsonl").read_text("utf-8").count("\n") == 1


async def test_a_line_that_was_cut_short_never_was(tmp_path: Path) -> None:
    """A crash in the middle of a write loses that write, and nothing before it."""
    path = tmp_path / "log.jsonl"
    async with LogStorage(LogConfig(str(path))) as storage:
        await storage.put("a", b"1")
        await storage.put("b", b"2")
    path.write_text(path.read_text("utf-8")[:-5], "utf-8")
    async with LogStorage(LogConfig(str(path))) as storage:
        assert (await storage.get("a"), await storage.get("b")) == (b"1", None)
        await storage.put("c", b"3")
    async with LogStorage(LogConfig(str(path))) as storage:
        assert (await storage.list()).keys == ("a", "c")


async def test_it_works_in_a_kernel(kernel: Kernel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The fixture is a real kernel in which the plugin is enabled."""
    monkeypatch.chdir(tmp_path)
    storage = kernel.get(Storage, "log-storage")
    await storage.put("heron", b"grey")
    assert await storage.get("heron") == b"grey"
