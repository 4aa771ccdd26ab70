"""What the user wants: embedded defaults, ``hotswap.toml``, the environment, the command line, in that order.

Written by hand, although typed-settings is made for this, for three reasons that a trial showed. Most keys here are
free (plugin ids, port names, plugins' own settings), and it refuses values of no fixed type. It stops at the first
problem and quotes the value in it, which may be a secret; here all problems come at once, with the nearest known key
and no value. Its import alone costs a multiple of what ``hotswap plugin list`` has to spend.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from attrs import evolve, field, fields, frozen

from hotswap.entries import Entries
from hotswap.errors import SettingsInvalid
from hotswap.layered import Layered
from hotswap.project_files import FILE_NAME as FILE_NAME
from hotswap.project_files import ProjectFiles
from hotswap.settings_layers import command_line_layer, environment_layer, file_layer, merge
from hotswap.settings_tables import Layer, TableCheck
from hotswap.trust import Grant, Trust

_PLAIN = re.compile(r"[a-z][a-z0-9-]*(?:\n[a-z][a-z0-9-]*)*")

if TYPE_CHECKING:
    from packaging.specifiers import SpecifierSet


@frozen
class Defaults:
    """What is enabled and selected where nobody says anything."""

    enabled: tuple[str, ...]
    ports: Mapping[str, tuple[str, ...]]


DEFAULTS = Defaults(
    enabled=(
        "http-scraper",
        "file-scraper",
        "extractive-ai",
        "sqlite-storage",
        "sqlite-search",
        "markdown-formatter",
        "research",
    ),
    ports={
        "scraper": ("http-scraper",),
        "ai": ("extractive-ai",),
        "storage": ("sqlite-storage",),
        "search": ("sqlite-search",),
        "formatter": ("markdown-formatter",),
        "workflow": ("research",),
    },
)


def _as_ids(entries: Iterable[str]) -> tuple[str, ...]:
    if isinstance(entries, str):  # its letters would be taken for ids
        raise TypeError(f"a list of plugin ids is wanted, not the text {entries!r}")
    return tuple(entries)


def _as_entries(entries: Iterable[str]) -> Entries:
    return Entries.of(entries if isinstance(entries, Entries) else _as_ids(entries))


def _as_path(path: str | os.PathLike[str]) -> Path:
    return path if isinstance(path, Path) else Path(path)  # making one of another parses it again


def _as_paths(paths: Iterable[str | os.PathLike[str]]) -> tuple[Path, ...]:
    return tuple(map(_as_path, paths))


def _keys_only(tables: Mapping[str, Mapping[str, Any]]) -> str:
    return repr({plugin: tuple(table) for plugin, table in tables.items()})


@frozen
class Settings:
    """Everything the user decided; build one directly in tests, :meth:`load` one everywhere else."""

    folder: Path = field(default=Path(), converter=_as_path)
    """The project's folder: its ``plugins/`` are found, and ``hotswap.lock`` is kept there."""
    source: Path | None = None
    """The ``hotswap.toml`` that was read; None when there was none."""
    enabled: tuple[str, ...] = field(default=DEFAULTS.enabled, converter=_as_entries)
    """Plugins to open: ``"id"``, or with a range of versions ``"id>=1.2,<2"``."""
    disabled: tuple[str, ...] = field(default=(), converter=_as_ids)
    """Ids that stay closed, whatever else would open them: it outweighs ``enabled``, ``ports`` and dependencies."""
    paths: tuple[Path, ...] = field(default=(), converter=_as_paths)
    """More places to look for plugins; those from ``--plugin`` stand first."""
    ports: Mapping[str, tuple[str, ...]] = field(factory=dict)
    """Providers that the user chose, by port, in order of failover; see ``selected`` for what holds."""
    config: Mapping[str, Mapping[str, Any]] = field(factory=dict, repr=_keys_only)
    """Plugins' own settings, unchecked (their schemas are in the manifests); ``repr`` shows keys only."""
    trust: Mapping[str, Trust] = field(factory=dict)
    grants: Mapping[str, Mapping[str, Grant]] = field(factory=dict)
    drain_timeout: float = 30.0
    """Seconds that calls inside an old generation may go on before they are cancelled; 30 s outlast most requests."""
    open_timeout: float = 30.0
    """Seconds that a plugin may take to open."""
    hold_timeout: float = 60.0
    """Seconds that a call waits for a provider that is closed before its next generation opens, or hands over state:
    as long as the old one may take to drain and the new one to open."""
    activation: Literal["lazy", "eager"] = "lazy"
    """``eager`` opens every plugin at the start; ``lazy`` leaves it to the first call where that can be."""
    health_interval: float = 10.0
    """Seconds between two health checks of providers that another one stands by for; 0: none but those asked for."""
    fail_back_after: float = 30.0
    """Seconds that a provider has to be healthy again before it serves again; one bad answer begins them anew."""
    safe_mode: bool = False
    """True finds hotswap's own plugins alone, and enables the embedded defaults."""
    again: Callable[[], Settings] | None = field(default=None, eq=False, repr=False)
    """Reads the same layers anew; None for settings that were not read by :meth:`load`."""

    @property
    def file(self) -> Path:
        """The ``hotswap.toml`` that was read, or where one would be read."""
        return self.source or self.folder / FILE_NAME

    @property
    def wanted(self) -> Layered[str, SpecifierSet]:
        """The enabled ids with the versions asked for, without the disabled ones.

        What ``[ports]`` names is wanted too, which only a catalog can turn into ids: :func:`hotswap.catalog.wanted`.
        Raises SettingsInvalid for an entry that is no requirement.
        """
        return Entries.of(self.enabled).wanted(self.disabled)

    @property
    def selected(self) -> dict[str, tuple[str, ...]]:
        """Which provider serves each port: what the user chose, over those defaults whose plugin is enabled."""
        return {**self._default_ports, **self.ports}

    @cached_property
    def _default_ports(self) -> Mapping[str, tuple[str, ...]]:
        read = Entries.of(self.enabled).read_before(self.disabled)
        enabled: Collection[str] = self._plain_ids() or self.wanted if read is None else read
        return {port: names for port, names in DEFAULTS.ports.items() if all(each in enabled for each in names)}

    def _plain_ids(self) -> Collection[str]:
        """Return the enabled ids, where all entries are ids alone; nothing where they have to be read one by one."""
        text = "\n".join(self.enabled)
        if text.count("\n") != len(self.enabled) - 1 or not _PLAIN.fullmatch(text):
            return ()
        return set(self.enabled) - set(self.disabled)

    @classmethod
    def load(
        cls,
        folder: str | os.PathLike[str] = ".",
        environ: Mapping[str, str] | None = None,
        overrides: Mapping[str, Any] | None = None,
        *,
        plugin_paths: Iterable[str | os.PathLike[str]] = (),
        safe_mode: bool = False,
    ) -> Settings:
        """Read the settings of the project in ``folder``.

        ``environ`` stands for ``os.environ``; ``overrides`` are dotted keys from the command line, and
        ``plugin_paths`` its ``--plugin``. Raises SettingsInvalid with every problem of every layer; a missing file is
        no problem, unless ``HOTSWAP_CONFIG_FILE`` names it. A change of the project's files that was interrupted is
        finished first, and ChangeUnfinished raised where that cannot be.
        """
        environ = os.environ if environ is None else environ
        plugin_paths = tuple(plugin_paths)
        files = ProjectFiles.of(folder, environ)
        if files.is_unfinished:
            from hotswap.transaction import settle  # hardly ever needed

            settle(files)
        source = files.settings if files.named or os.path.lexists(files.settings) else None
        found = read_settings(
            files.folder, source, None, environ, overrides, plugin_paths=plugin_paths, safe_mode=safe_mode
        )
        again = partial(cls.load, files.folder, environ, overrides, plugin_paths=plugin_paths, safe_mode=safe_mode)
        return evolve(found, again=again)


def read_settings(
    folder: Path,
    source: Path | None,
    content: bytes | None,
    environ: Mapping[str, str],
    overrides: Mapping[str, Any] | None = None,
    *,
    plugin_paths: Iterable[str | os.PathLike[str]] = (),
    safe_mode: bool = False,
) -> Settings:
    """Return settings as ``Settings.load`` does, as if ``content`` stood in ``source``; None reads what stands there.

    Raises SettingsInvalid with every problem of every layer.
    """
    readers = [] if source is None else [partial(file_layer, source, content)]
    readers += [partial(environment_layer, environ), partial(command_line_layer, overrides or {})]
    tables = _checked(readers)
    plugins = tables.pop("plugins", {})
    plugins["paths"] = (*(Path(each).absolute() for each in plugin_paths), *plugins.get("paths", ()))
    if safe_mode or is_on(environ.get("HOTSWAP_NO_PLUGINS", "")):
        plugins = {key: value for key, value in plugins.items() if key not in ("enabled", "disabled", "paths")}
        return Settings(folder, source, **plugins, safe_mode=True, config=tables.get("config", {}))
    return Settings(folder, source, **plugins, **tables)


def merged(base: Settings, ours: Settings, theirs: Settings) -> Settings:
    """Return ``ours`` with what differs between ``base`` and ``theirs``: what was edited since ``base`` was read."""
    changes: dict[str, Any] = {}
    for each in fields(Settings):
        before, mine, after = (getattr(one, each.name) for one in (base, ours, theirs))
        if before == after or each.name == "again":
            continue
        if isinstance(after, Mapping):
            changes[each.name] = _merged_table(before, mine, after)
        elif each.name in ("enabled", "disabled"):
            gone = set(before) - set(after)
            kept = [one for one in mine if one not in gone]
            changes[each.name] = (*kept, *(one for one in after if one not in before and one not in kept))
        else:
            changes[each.name] = after
    return evolve(ours, **changes)


def _merged_table(before: Mapping[str, Any], mine: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    table = dict(mine)
    for key in {*before, *after}:
        if before.get(key) == after.get(key):
            continue
        if key in after:
            table[key] = after[key]
        else:
            table.pop(key, None)
    return table


def is_on(text: str) -> bool:
    """Return whether the text of a variable switches something on: anything but nothing, 0, false, no and off."""
    return text.strip().lower() not in {"", "0", "false", "no", "off"}


def check_text(content: bytes, path: Path) -> None:
    """Raise SettingsInvalid when these bytes would not be a sound ``hotswap.toml`` at ``path``."""
    _checked([partial(file_layer, path, content)])


def _checked(readers: Iterable[Callable[[], Layer]]) -> dict[str, Any]:
    problems: dict[str, Sequence[str]] = {}
    values: list[Mapping[str, Any]] = []
    for read in readers:
        try:
            layer = read()
        except SettingsInvalid as broken:
            problems[broken.source] = broken.problems
            continue
        check = TableCheck(layer)
        values.append(check.values)
        if check.problems:
            problems[layer.name] = check.problems
    if problems:
        raise SettingsInvalid(", ".join(problems), [each for found in problems.values() for each in found])
    return merge(values)
