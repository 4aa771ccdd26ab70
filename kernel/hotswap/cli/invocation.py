"""What the common options say, for one run of the command line; every command gets it as click's ``obj``."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from hotswap.cli.interrupts import Interrupts

if TYPE_CHECKING:
    from hotswap.catalog import Catalog
    from hotswap.lock import Lock
    from hotswap.project_files import ProjectFiles
    from hotswap.settings import Settings


class Invocation:
    """The common options, given before or after the command: switches add up, the last ``--folder`` counts."""

    def __init__(self) -> None:
        self.folder = "."
        self.plugin_paths: list[str] = []
        self.overrides: dict[str, str] = {}
        self.safe_mode = False
        self.json = False
        self.quiet = False
        self.verbose = False
        self.debug = False
        self.warnings: list[dict[str, Any]] = []
        """What was warned of so far, as data: documents and errors in JSON carry it."""
        self.interrupts = Interrupts()
        self.redact: Callable[[str], str] = lambda text: text
        """Takes plugins' secrets out of what is shown of their errors."""

    def take(self, name: str, value: Any) -> None:
        """Take one option's value; None and False were not given."""
        if not value:
            return
        if name == "plugin_paths":
            self.plugin_paths.extend(value)
        elif name == "overrides":
            self.overrides.update(value)
        else:
            setattr(self, name, value)

    def settings(self) -> Settings:
        """Read the settings of the project. Raises SettingsInvalid with every problem."""
        from hotswap.settings import Settings

        return Settings.load(
            self.folder, None, self.overrides, plugin_paths=self.plugin_paths, safe_mode=self.safe_mode
        )

    def settings_as_if(self, content: bytes | None) -> Settings:
        """Return the settings as they are when ``content`` stands in ``hotswap.toml``; None: when there is none."""
        from hotswap.settings import read_settings

        files = self.files()
        source = files.settings if files.named or content is not None else None
        return read_settings(
            files.folder,
            source,
            content,
            os.environ,
            self.overrides,
            plugin_paths=self.plugin_paths,
            safe_mode=self.safe_mode,
        )

    def files(self) -> ProjectFiles:
        """Return where ``hotswap.toml`` and ``hotswap.lock`` are, or will be."""
        from hotswap.project_files import ProjectFiles

        return ProjectFiles.of(self.folder)

    def catalog(self, settings: Settings) -> Catalog:
        """Find the plugins; none is imported."""
        from hotswap.catalog import discover

        return discover(settings)

    def read_lock(self, settings: Settings) -> Lock | None:
        """Return the project's lock; None without one, and, with a warning, for one that cannot be used."""
        from hotswap.lock import read
        from hotswap.planner import LOCK_NAME

        path = settings.folder / LOCK_NAME
        return self._usable(lambda: read(path)) if path.is_file() else None

    def lock_in(self, content: bytes | None) -> Lock | None:
        """Return the lock that ``content`` is, as ``read_lock`` does."""
        from hotswap.lock import parse

        return None if content is None else self._usable(lambda: parse(content, str(self.files().lock)))

    def _usable(self, read: Callable[[], Lock]) -> Lock | None:
        from hotswap.cli.output import warn
        from hotswap.errors import LockInvalid

        try:
            return read()
        except LockInvalid as error:
            warn(self, error)
            return None


def overrides_of(entries: tuple[str, ...]) -> Mapping[str, str]:
    """Split ``--set`` values at their first ``=``; ValueError names one that has none."""
    found: dict[str, str] = {}
    for entry in entries:
        key, equals, value = (entry or "").partition("=")  # None: the option stood last, without a value
        if not equals or not key.strip():
            raise ValueError(f"{entry or 'nothing'!r} is not KEY=VALUE, like ports.ai=extractive-ai")
        found[key.strip()] = value
    return found
