"""Files that change wholly or not at all: written beside the old one, synced, moved into its place."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0)


class Replacement:
    """What one file is to become; ``content`` None takes it away. Raises OSError, and then changed nothing.

    Through a link the file behind it is replaced, in its mode; a file that is not there yet gets ``mode``, or the usual
    one. What is staged lies beside the file under a name that follows from ``owner`` and the file, so that whoever
    comes after a process that was killed finds it.
    """

    def __init__(self, path: Path, content: bytes | None, *, mode: int | None = None, owner: str = "") -> None:
        self.path = path
        self._content = content
        self._mode = mode
        self._target = Path(os.path.realpath(path))
        name = hashlib.sha256(f"{owner}\0{self._target}".encode("utf-8", "surrogateescape")).hexdigest()[:16]
        self._staged = self._target.with_name(f".hotswap-{name}.new")

    def check(self) -> None:
        """Look whether the file may be replaced, before anything is done."""
        if self._target.exists():
            if not self._target.is_file():  # moving over a device or a pipe would put a file in its place
                raise OSError(errno.EINVAL, "it is not an ordinary file", str(self.path))
            if not os.access(self._target, os.W_OK):  # moving over a read-only file would work, and is not wanted
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(self.path))

    def stage(self) -> None:
        """Write the new content beside the file, down to the disk: what comes after needs no more room."""
        if self._content is not None:
            with self._named():
                self._stage(self._content)

    def finish(self) -> None:
        """Move what was staged into place, in one step, and see that the folder is on the disk."""
        with self._named():
            if self._content is not None:
                os.replace(self._staged, self._target)
                sync_folder(self._target.parent)
            elif os.path.lexists(self.path):  # of a link, the link goes: the file behind it is somebody else's
                os.unlink(self.path)
                sync_folder(self.path.parent)

    def discard(self) -> None:
        """Take away what was staged and not moved, by this process or one that was killed."""
        with suppress(FileNotFoundError):
            os.unlink(self._staged)

    def _stage(self, content: bytes) -> None:
        self.discard()
        mode = stat.S_IMODE(self._target.stat().st_mode) if self._target.exists() else self._mode
        descriptor = os.open(self._staged, _NEW, 0o666 if mode is None else 0o600)
        try:
            if mode is not None:
                os.chmod(self._staged, mode)
            rest = memoryview(content)
            while rest:
                rest = rest[os.write(descriptor, rest) :]
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    @contextmanager
    def _named(self) -> Iterator[None]:
        """Let an error name the file itself, not the one beside it that nobody knows."""
        try:
            yield
        except OSError as error:
            error.filename, error.filename2 = str(self.path), None
            raise


def replace_file(path: Path, content: bytes) -> None:
    """Put ``content`` in the place of a file: wholly, or with an OSError not at all. A new one gets the usual mode."""
    replacement = Replacement(path, content, owner=f"{os.getpid()} {os.urandom(4).hex()}")
    replacement.check()
    with discarding(replacement):
        replacement.stage()
        replacement.finish()


@contextmanager
def discarding(*replacements: Replacement) -> Iterator[None]:
    """In the end, take away what was staged and not moved into place."""
    try:
        yield
    finally:
        for each in replacements:
            with suppress(OSError):  # the error that is under way is the one that counts; the name is used again
                each.discard()


def sync_folder(folder: Path) -> None:
    """See that names in a folder are on the disk; where folders cannot be synced, they are not."""
    if os.name == "nt":
        return
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except PermissionError:  # one may write in it and not list it
        return
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in {errno.EINVAL, errno.ENOTSUP}:  # some network file systems sync files alone
            raise
    finally:
        os.close(descriptor)
