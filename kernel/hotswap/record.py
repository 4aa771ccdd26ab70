"""What is written of one state of a project's two files: both contents, when and by what they came about.

The first line is ``hotswap-state 1 sha256:<digest of the rest>``, the rest one JSON object. There is no path in it: to
which files it belongs follows from where it lies. What is read is checked like any input from outside.
"""

from __future__ import annotations

import errno
import json
import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from attrs import frozen

from hotswap.project_files import Contents, digest

MAX_BYTES = 64 * 1024 * 1024
"""More than the largest ``hotswap.toml`` and ``hotswap.lock`` that are read take together, written as JSON."""
FOUND = "found"
"""What stands for the command of a state that no command wrote: it was edited, or was there from the beginning."""
_HEAD = b"hotswap-state 1 "
_DIGEST = re.compile(r"(sha256:[0-9a-f]{64})?")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII)
_LINE = re.compile(r"[^\x00-\x1f\x7f]{1,200}")


@frozen
class Record:
    """One state."""

    time: str
    """UTC, to the second: ``2025-01-31T12:00:00Z``."""
    command: str
    """What brought it about, as it is typed, without options: ``plugin enable memory``. Or ``FOUND``."""
    contents: Contents
    settings_id: str = ""
    """Which ``hotswap.toml`` it is about: see :attr:`ProjectFiles.settings_id`."""
    was: str = ""
    """The digest of the ``hotswap.toml`` that was there before; empty when there was none."""
    home: int = 0
    """The inode of the folder that it was written in: what came in an archive or a repository has another one."""

    def encode(self) -> bytes:
        """Return it as bytes; OSError when they are too many to be read again."""
        table = {
            "time": self.time,
            "command": self.command,
            "settings_id": self.settings_id,
            "was": self.was,
            "home": self.home,
            "mode": self.contents.mode,
            "settings": _text(self.contents.settings),
            "lock": _text(self.contents.lock),
        }
        body = json.dumps(table, indent=0).encode()
        if len(body) > MAX_BYTES - 100:
            raise OSError(errno.EFBIG, f"the files together have more than {MAX_BYTES} bytes")
        return _HEAD + digest(body).encode() + b"\n" + body

    @classmethod
    def decode(cls, data: bytes) -> Record:
        """Return what was encoded; ValueError, with the reason as a clause, for anything else."""
        head, _, body = data.partition(b"\n")
        if head != _HEAD + digest(body).encode():
            raise ValueError("it is damaged, or was written by another version of hotswap")
        try:
            table = json.loads(body)
        except (ValueError, RecursionError) as error:
            raise ValueError("it is not JSON") from error
        if not isinstance(table, dict):
            raise ValueError("it is no JSON object")
        return cls(
            time=_matching(table, "time", _TIME),
            command=_matching(table, "command", _LINE),
            contents=Contents(_bytes(table, "settings"), _bytes(table, "lock"), _mode(table)),
            settings_id=_matching(table, "settings_id", _DIGEST),
            was=_matching(table, "was", _DIGEST),
            home=_number(table, "home"),
        )


def read_bytes(path: Path) -> bytes:
    """Return a record's bytes. ValueError for a file that is none by its kind or size, OSError for one out of reach."""
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    try:
        descriptor = os.open(path, flags)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise ValueError("it is a link") from error
        raise
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise ValueError("it is not an ordinary file")
        if found.st_size > MAX_BYTES:
            raise ValueError(f"it has more than {MAX_BYTES} bytes")
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            return file.read()
    finally:
        os.close(descriptor)


def _text(content: bytes | None) -> str | None:
    """Return any bytes as a text that JSON can hold: what is no UTF-8 becomes lone surrogates, and comes back."""
    return None if content is None else content.decode("utf-8", "surrogateescape")


def _bytes(table: Mapping[str, Any], key: str) -> bytes | None:
    text = table.get(key)
    if text is None:
        return None
    if not isinstance(text, str):
        raise ValueError(f"a text was expected @ $.{key}")
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError as error:
        raise ValueError(f"it is no text @ $.{key}") from error


def _matching(table: Mapping[str, Any], key: str, form: re.Pattern[str]) -> str:
    text = table.get(key)
    if not isinstance(text, str) or not form.fullmatch(text):
        raise ValueError(f"it is not what belongs here @ $.{key}")
    return text


def _number(table: Mapping[str, Any], key: str) -> int:
    number = table.get(key)
    if type(number) is not int or number < 0:  # a boolean is an int to isinstance
        raise ValueError(f"a number was expected @ $.{key}")
    return number


def _mode(table: Mapping[str, Any]) -> int | None:
    if table.get("mode") is None:
        return None
    return _number(table, "mode") & 0o777
