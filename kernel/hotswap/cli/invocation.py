"""What the common options say, for one run of the command line; every command gets it as click's ``obj``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hotswap.cli.interrupts import Interrupts

if TYPE_CHECKING:
    from hotswap.catalog import Catalog
    from hotswap.lock import Lock
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

    def catalog(self, settings: Settings) -> Catalog:
        """Find the plugins; none is imported."""
        from hotswap.catalog import discover

        return discover(settings)

    def settings_path(self, settings: Settings) -> Path:
        """Return the ``hotswap.toml`` to edit, which need not be there yet."""
        from hotswap.settings import FILE_NAME

        return settings.source or settings.folder / FILE_NAME

    def read_lock(self, settings: Settings) -> Lock | None:
        """Return the project's lock; None without one, and, with a warning, for one that cannot be used."""
        from hotswap.cli.output import warn
        from hotswap.errors import LockInvalid
        from hotswap.lock import read
        from hotswap.planner import LOCK_NAME

        path = settings.folder / LOCK_NAME
        try:
            return read(path) if path.is_file() else None
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
