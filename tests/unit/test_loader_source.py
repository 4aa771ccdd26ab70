"""What runs is what stands in the source."""

from __future__ import annotations

import importlib.util
import inspect
import marshal
import os
import py_compile
import subprocess
import sys
import time
import traceback
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType

import pytest

from hotswap.loader.source import CheckedLoader, FreshLoader, SourceLoader

LONG_AGO = 1_600_000_000
SOON = time.time() + 1000
"""However long a test takes, no bytecode is written safely after a source of this time."""


@pytest.fixture(autouse=True)
def bytecode_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let bytecode be written, whatever the environment of these tests says."""
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    monkeypatch.setattr(sys, "pycache_prefix", None)


def write(path: Path, value: int, mtime: float | None = None) -> Path:
    """Write a module with a function that returns a one-digit number: all such modules have the same size."""
    path.write_text(f"def answer():\n    return {value}\n")
    if mtime is not None:
        os.utime(path, (mtime, mtime))
    return path


def answer(path: Path, loader: type[SourceFileLoader] = CheckedLoader) -> int:
    """Execute a module and return its number."""
    spec = importlib.util.spec_from_file_location("some_module", path, loader=loader("some_module", str(path)))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found = module.answer()
    assert isinstance(found, int)
    return found


def cached(path: Path) -> Path:
    """Return where a module's bytecode lies."""
    return Path(importlib.util.cache_from_source(str(path)))


def plant(path: Path, value: int, mode: py_compile.PycInvalidationMode | None = None) -> None:
    """Put bytecode beside a module that says something else than its source, and fits its time and size."""
    stat, text = path.stat(), path.read_text()
    write(path, value, stat.st_mtime)
    py_compile.compile(str(path), doraise=True, invalidation_mode=mode)
    path.write_text(text)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def test_an_edit_of_the_same_length_within_the_second_is_seen(tmp_path: Path) -> None:
    """CPython takes the old code for the new one where size and time are the same; this loader never does."""
    path = write(tmp_path / "module.py", 1, SOON)
    assert answer(path, SourceFileLoader) == 1
    write(path, 2, SOON)
    assert answer(path, SourceFileLoader) == 1, "CPython has learnt it, and this loader may go"
    assert answer(path) == 2
    write(path, 3, SOON)
    assert answer(path) == 3
    assert answer(path, SourceFileLoader) == 3, "what this loader leaves behind does not mislead CPython"


def test_what_cpython_reads_at_a_later_start_is_right(tmp_path: Path) -> None:
    """After an edit that was loaded anew, another process that imports the module plainly has the new code."""
    path = write(tmp_path / "module.py", 1, SOON)
    run = [sys.executable, "-c", "import module; print(module.answer())"]
    environ = {each: value for each, value in os.environ.items() if each != "PYTHONDONTWRITEBYTECODE"}
    assert subprocess.run(run, cwd=tmp_path, env=environ, capture_output=True, check=True).stdout == b"1\n"
    write(path, 2, SOON)
    assert answer(path, FreshLoader) == 2
    write(path, 3, SOON)
    assert subprocess.run(run, cwd=tmp_path, env=environ, capture_output=True, check=True).stdout == b"3\n"


def test_bytecode_that_was_written_safely_after_its_source_is_trusted(tmp_path: Path) -> None:
    """No edit can hide behind it, so nothing is compiled; asked for code anew, it is not read and replaced."""
    path = write(tmp_path / "module.py", 1, LONG_AGO)
    plant(path, 2)
    assert answer(path) == 2
    assert answer(path, FreshLoader) == 1
    assert answer(path) == 1


@pytest.mark.parametrize("age", [0, 1.9, -100_000])
def test_bytecode_that_was_written_right_after_its_source_is_not_trusted(tmp_path: Path, age: float) -> None:
    """Within two seconds, or with a source from the future, it may be that of another text."""
    path = write(tmp_path / "module.py", 1, LONG_AGO)
    plant(path, 2)
    os.utime(cached(path), (LONG_AGO + age, LONG_AGO + age))
    assert answer(path) == 1
    assert answer(path) == 1


def test_what_is_compiled_long_after_an_edit_is_written_as_cpython_does(tmp_path: Path) -> None:
    """The next start stats the source and reads no more of it than CPython would."""
    path = write(tmp_path / "module.py", 1, LONG_AGO)
    assert answer(path) == 1
    written = cached(path).read_bytes()
    py_compile.compile(str(path), doraise=True)
    assert written == cached(path).read_bytes()


@pytest.mark.parametrize("mode", ["CHECKED_HASH", "UNCHECKED_HASH"])
def test_bytecode_with_a_hash_is_held_against_the_source(tmp_path: Path, mode: str) -> None:
    """With the hash of another text it is not trusted, with that of this one it is."""
    path = write(tmp_path / "module.py", 1)
    invalidation = py_compile.PycInvalidationMode[mode]
    plant(path, 2, invalidation)
    assert answer(path) == 1
    plant(path, 2, invalidation)
    data = cached(path).read_bytes()
    cached(path).write_bytes(data[:8] + importlib.util.source_hash(path.read_bytes()) + data[16:])
    assert answer(path) == 2


@pytest.mark.parametrize("damage", ["empty", "cut", "other version", "no code", "no folder"])
def test_bytecode_that_cannot_be_read_is_as_good_as_none(tmp_path: Path, damage: str) -> None:
    """The source is there; damaged bytecode is written anew, and where none can be written none is."""
    path = write(tmp_path / "module.py", 1, LONG_AGO)
    if damage == "no folder":
        cached(path).parent.write_text("in the way")
        assert answer(path) == 1
        return
    answer(path)
    data = cached(path).read_bytes()
    damaged = {
        "empty": b"",
        "cut": data[:-5],
        "other version": b"\0\0\0\0" + data[4:],
        "no code": data[:16] + marshal.dumps(3),
    }
    cached(path).write_bytes(damaged[damage])
    assert answer(path) == 1
    assert cached(path).read_bytes() == data


def test_no_bytecode_is_written_where_that_is_not_wanted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """PYTHONDONTWRITEBYTECODE holds, and an interpreter without a cache tag has nowhere to write to."""
    path = write(tmp_path / "module.py", 1)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    assert answer(path) == 1
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    monkeypatch.setattr(sys.implementation, "cache_tag", None)
    assert answer(path) == 1
    assert list(tmp_path.iterdir()) == [path]


def test_bytecode_is_as_secret_as_its_source(tmp_path: Path) -> None:
    """Whoever may not read the source may not read the bytecode."""
    path = write(tmp_path / "module.py", 1)
    path.chmod(0o600)
    assert answer(path) == 1
    assert cached(path).stat().st_mode & 0o077 == 0


def test_a_folder_that_was_moved_names_its_new_place(tmp_path: Path) -> None:
    """Bytecode that was compiled elsewhere is trusted, and tracebacks show where the source is now."""
    (tmp_path / "there").mkdir()
    path = write(tmp_path / "there" / "module.py", 1, LONG_AGO)
    answer(path)
    (tmp_path / "there").rename(tmp_path / "here")
    path = tmp_path / "here" / "module.py"
    code = CheckedLoader("some_module", str(path)).get_code("some_module")
    inner = next(each for each in code.co_consts if inspect.iscode(each))
    assert (code.co_filename, inner.co_filename) == (str(path), str(path))


def test_a_traceback_shows_the_new_source(tmp_path: Path) -> None:
    """Lines that were shown once are not remembered beyond the edit."""
    path = tmp_path / "module.py"
    for line in ("raise ValueError(1)", "raise ValueError(2)"):
        path.write_text(line)
        os.utime(path, (LONG_AGO, LONG_AGO))
        with pytest.raises(ValueError) as raised:
            answer(path, FreshLoader)
        assert line in "".join(traceback.format_exception(raised.value))


def test_a_missing_source_is_an_error(tmp_path: Path) -> None:
    """Without the file there is no code, whatever bytecode lies about."""
    path = write(tmp_path / "module.py", 1)
    answer(path)
    path.unlink()
    with pytest.raises(FileNotFoundError):
        answer(path)


def test_builtins_of_ones_own(tmp_path: Path) -> None:
    """A load may give its modules builtins of its own; without, they are everybody's."""
    path = write(tmp_path / "module.py", 1)
    spec = importlib.util.spec_from_file_location("some_module", path)
    assert spec is not None
    own = {"mine": 1}
    module = SourceLoader("some_module", str(path), own).create_module(spec)
    assert isinstance(module, ModuleType)
    assert module.__dict__["__builtins__"] is own
    assert SourceLoader("some_module", str(path)).create_module(spec) is None
