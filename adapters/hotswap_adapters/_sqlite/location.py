"""Where a database is, looked at before SQLite touches it."""

from __future__ import annotations

import os
from pathlib import Path

from hotswap_adapters._sqlite.failure import no_database
from hotswap_ports import InvalidRequest, NotWritable

OWN_FOLDER = ".hotswap"
"""A folder of this name that is created here keeps itself out of git."""

_MAGIC = b"SQLite format 3\0"


def absolute(path: str) -> Path:
    """Return ``path`` from the root, so that SQLite takes ``file:...`` for a name and no working folder matters.

    Raises:
        InvalidRequest: it names no file.
    """
    if not path or "\0" in path or path == ":memory:":
        raise InvalidRequest(f"{path!r} is no file's path.", "To keep nothing, use the provider `memory`.")
    try:
        return Path(path).expanduser().absolute()
    except RuntimeError as error:
        raise InvalidRequest(f"{path!r} is no file's path: {error}") from error


def make_folder(folder: Path) -> None:
    """Create ``folder`` and those above it.

    Raises:
        NotWritable: that cannot be done.
    """
    try:
        if folder.name == OWN_FOLDER and not folder.exists():
            folder.mkdir(parents=True, exist_ok=True)
            (folder / ".gitignore").write_text("*\n", encoding="utf-8")
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise NotWritable(
            f"The folder {folder} cannot be created: {error.strerror or error}.", "Set another `path`."
        ) from error


def check_file(path: Path) -> None:
    """Look before SQLite does: it would write over a short text file, and open a read-only one without a word.

    Raises:
        InvalidRequest: it is a folder.
        NotWritable: it may not be read and written.
        InvalidContent: it begins otherwise than a database.
    """
    if path.is_dir():
        raise InvalidRequest(f"{path} is a folder.", "The setting `path` names a file.")
    if not path.exists():
        return
    if not os.access(path, os.R_OK | os.W_OK):
        raise NotWritable(f"{path} may not be read and written.", "Make it writable, or set another `path`.")
    with path.open("rb") as file:
        start = file.read(len(_MAGIC))
    if start not in (b"", _MAGIC):
        raise no_database(path)
