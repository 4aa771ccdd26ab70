"""The two files of a project: ``hotswap.toml``, what the user wants, and ``hotswap.lock``, what was solved for it."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path

from attrs import field, frozen

from hotswap.errors import SettingsConflict
from hotswap.settings_layers import read_file

FILE_NAME = "hotswap.toml"
LOCK_NAME = "hotswap.lock"
"""Lies in the project's folder, beside ``hotswap.toml``."""
MAX_LOCK = 16_000_000
"""Bytes of a ``hotswap.lock`` that is still read; the locks of a thousand plugins have some hundred thousand."""


@frozen
class Contents:
    """What the two files hold, to the byte; None where there is none."""

    settings: bytes | None = field(default=None, repr=False)  # a secret may stand there
    lock: bytes | None = field(default=None, repr=False)
    mode: int | None = field(default=None, eq=False)
    """The permissions of ``hotswap.toml``, for when it has to be made anew."""


@frozen
class ProjectFiles:
    """Where the two files of a project are."""

    folder: Path
    settings: Path
    """Its ``hotswap.toml``, which may be a link, lie elsewhere, or not be there."""
    named: bool = False
    """Whether ``HOTSWAP_CONFIG_FILE`` says where it is: then it has to be there."""

    @classmethod
    def of(cls, folder: str | os.PathLike[str], environ: Mapping[str, str] | None = None) -> ProjectFiles:
        """Return the files of the project in ``folder``; ``environ`` stands for ``os.environ``."""
        folder = Path(folder).absolute()
        named = (os.environ if environ is None else environ).get("HOTSWAP_CONFIG_FILE")
        if named:
            return cls(folder, Path(os.path.expanduser(named)).absolute(), named=True)
        return cls(folder, folder / FILE_NAME)

    @property
    def lock(self) -> Path:
        """Its ``hotswap.lock``, which need not be there."""
        return self.folder / LOCK_NAME

    @property
    def own_folder(self) -> Path:
        """Where hotswap keeps what it needs itself."""
        return self.folder / ".hotswap"

    @property
    def unfinished(self) -> Path:
        """The record of a change that is being made, or was interrupted; otherwise it is not there."""
        return self.own_folder / "unfinished"

    @property
    def is_unfinished(self) -> bool:
        """Whether it is there: one look, for everybody who reads the project."""
        return os.path.lexists(os.path.join(self.folder, ".hotswap", "unfinished"))

    @property
    def settings_id(self) -> str:
        """Which ``hotswap.toml`` this is, without its path: empty for the one in the project's folder."""
        return "" if self.settings == self.folder / FILE_NAME else digest(os.fsencode(self.settings))

    @property
    def inside(self) -> bool:
        """Whether both files lie in the project's folder, links followed."""
        folder = os.path.realpath(self.folder)
        return all(Path(os.path.realpath(each)).is_relative_to(folder) for each in (self.settings, self.lock))

    def read(self) -> Contents:
        """Read both.

        Raises SettingsInvalid, or of the lock SettingsConflict, for one that is no ordinary, readable file of sane
        size. What stands in them is not looked at.
        """
        if not os.path.lexists(self.settings):
            return Contents(None, self._read_lock())
        content = read_file(self.settings)
        return Contents(content, self._read_lock(), stat.S_IMODE(self.settings.stat().st_mode))

    def _read_lock(self) -> bytes | None:
        remove = "Remove it, then run the command again."
        try:
            found = self.lock.stat()
            if not stat.S_ISREG(found.st_mode):
                raise SettingsConflict(str(self.lock), "it is not an ordinary file", remove)
            if found.st_size > MAX_LOCK:
                raise SettingsConflict(str(self.lock), f"it has more than {MAX_LOCK} bytes", remove)
            return self.lock.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise SettingsConflict(str(self.lock), f"it cannot be read: {error.strerror}", remove) from error


def digest(content: bytes) -> str:
    """Return ``sha256:`` and the digest."""
    from hashlib import sha256  # whoever only reads settings does without

    return f"sha256:{sha256(content).hexdigest()}"
