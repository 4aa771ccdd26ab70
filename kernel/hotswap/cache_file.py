"""A cache in one file: an index in JSON, and bytes that it points into.

A cache decides which code is loaded. So one that another user could have written is not read, it holds no code, and
what was made by another program is passed over. One that cannot be used is never an error: it is logged at debug level.
"""

from __future__ import annotations

import json
import os
import stat
import sys
import zlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

RACY_NS = 2_000_000_000
"""A file modified less than 2 s before it was read may change again within one tick of its clock: git's rule."""
_MAX_BYTES = 64 * 1024 * 1024


class CacheFile:
    """One cache file.

    Args:
        path: where it is; None remembers nothing.
        made_for: what has to be as it was for the content to hold, in JSON's types; see :func:`program`.
    """

    def __init__(self, path: Path | None, made_for: list[Any]) -> None:
        self._path = path
        self._made_for = made_for

    def read(self) -> tuple[Any, memoryview] | None:
        """Return index and bytes; None when the file is not there, not ours, damaged, or made for something else."""
        if self._path is None:
            return None
        try:
            content = _own_bytes(self._path)
            begin = content.index(b"\n")
            made_for, checksum, length = json.loads(content[:begin])
            if made_for != self._made_for:
                return None
            rest = memoryview(content)[begin + 1 :]
            if checksum != zlib.crc32(rest):
                raise ValueError("its data is damaged")
            return json.loads(str(rest[:length], "ascii")), rest[length:]
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError, RecursionError) as error:
            self.log("it is not used", error)
            return None

    def write(self, index: Any, body: bytes = b"") -> None:
        """Put another content in its place, in one step."""
        if self._path is None:
            return
        line = _text(index)
        rest = line + body
        try:
            _replace(self._path, _text([self._made_for, zlib.crc32(rest), len(line)]) + b"\n" + rest)
        except OSError as error:
            self.log("it cannot be written", error)

    def log(self, what: str, error: Exception, where: str = "") -> None:
        """Note at debug level what is wrong with the file, or with the part of it that is called ``where``."""
        import logging  # only a cache that is out of order pays for it

        text = "cache %s: %s: %s: %s"
        logging.getLogger("hotswap.cache").debug(text, self._path, what, where or "all of it", error)


def cache_path(environ: Mapping[str, str], name: str) -> Path | None:
    """Return where the cache of that name is: in ``HOTSWAP_CACHE`` (a folder, or ``off``), else the user's folder."""
    folder = environ.get("HOTSWAP_CACHE")
    if folder is None:
        from platformdirs import user_cache_dir

        folder = user_cache_dir("hotswap", appauthor=False)
    elif folder.strip().lower() in {"", "0", "off", "no", "false"}:
        return None
    file = f"{name}-{sys.version_info[0]}.{sys.version_info[1]}.cache"
    return Path(os.path.abspath(os.path.join(os.path.expanduser(folder), file)))


def program(*modules: str) -> list[Any]:
    """Return what the code around some modules is now: with another one, what was made may have come out otherwise."""
    folders = {os.path.dirname(sys.modules[each].__file__ or "") for each in modules}
    return [sys.version, *(_code(each) for each in sorted(folders))]


@cache
def _code(folder: str) -> list[Any]:
    try:
        with os.scandir(folder) as files:
            stats = sorted((each.name, each.stat()) for each in files if each.name.endswith(".py"))
    except OSError:  # from a zip file
        stats = []
    return [folder, repr([(name, found.st_size, found.st_mtime_ns) for name, found in stats])]


def _text(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _own_bytes(file: Path) -> bytes:
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    with os.fdopen(os.open(file, flags), "rb") as opened:
        found = os.fstat(opened.fileno())
        if not stat.S_ISREG(found.st_mode) or found.st_size > _MAX_BYTES:
            raise ValueError("it is not a file of sane size")
        if hasattr(os, "geteuid") and (found.st_uid != os.geteuid() or found.st_mode & 0o022):
            raise ValueError("others could have written it")
        return opened.read()


def _replace(file: Path, content: bytes) -> None:
    from tempfile import mkstemp

    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor, temporary = mkstemp(prefix=f"{file.name}.", dir=file.parent)  # mode 0600
    try:
        with os.fdopen(descriptor, "wb") as opened:
            opened.write(content)
        os.replace(temporary, file)
    except OSError:
        os.unlink(temporary)
        raise
