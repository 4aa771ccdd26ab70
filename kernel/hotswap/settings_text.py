"""Edits of a ``hotswap.toml`` that keep its comments and its order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from hotswap.errors import SettingsConflict
from hotswap.settings import DEFAULTS, check_text
from hotswap.settings_tables import split_requirement
from hotswap.trust import Trust

if TYPE_CHECKING:
    from tomlkit import TOMLDocument
    from tomlkit.container import Container
    from tomlkit.items import Table


class SettingsText:
    """The text of one ``hotswap.toml``, None while there is none; nothing is written to a file.

    Each method is one edit of ``content``. Raises SettingsInvalid when the text is unsound, before or after the edit,
    and SettingsConflict when an edit does not fit what stands there; then it is as it was.
    """

    def __init__(self, content: bytes | None, path: Path) -> None:
        self.path = path
        """Where it stands or will stand: errors name it."""
        self.content = content
        check_text(content or b"", path)

    def enable(self, entry: str) -> None:
        """Add ``"id"`` or ``"id>=1.2"`` to the enabled plugins, in place of an entry with the same id."""

        def edit(document: TOMLDocument) -> None:
            plugins = _table(document, "plugins")
            _put_out(plugins, "disabled", entry)
            enabled = _enabled(plugins)
            for position, each in enumerate(list(enabled)):
                if _id(each) == _id(entry):
                    enabled[position] = entry
                    return
            enabled.append(entry)

        self._edit(edit)

    def disable(self, plugin: str) -> None:
        """Take a plugin out of the enabled ones.

        Where it was not among them, or ``[ports]`` names it, something else wants it: then it is entered as disabled.
        """

        def edit(document: TOMLDocument) -> None:
            plugins = _table(document, "plugins")
            _enabled(plugins)
            was_enabled = _put_out(plugins, "enabled", plugin)
            selected = any(plugin in _names(each) for each in document.unwrap().get("ports", {}).values())
            disabled = plugins.get("disabled", [])
            if (selected or not was_enabled) and plugin not in disabled:
                plugins["disabled"] = [*disabled, plugin]

        self._edit(edit)

    def select(self, port: str, names: str | Sequence[str]) -> None:
        """Say which provider serves a port, or several in order of failover."""
        chosen = _names(names)
        self._edit(lambda document: _put(document, ("ports", port), chosen[0] if len(chosen) == 1 else list(chosen)))

    def set_config(self, plugin: str, key: str, value: Any) -> None:
        """Set one of a plugin's settings; a dotted key leads into its tables."""
        self._edit(lambda document: _put(document, ("config", plugin, *key.split(".")), value))

    def set_trust(self, plugin: str, trust: Trust) -> None:
        """Set the trust level of a plugin."""
        self._edit(lambda document: _put(document, ("trust", plugin), trust.label))

    def _edit(self, change: Callable[[TOMLDocument], None]) -> None:
        import tomlkit

        document = tomlkit.parse((self.content or b"").decode("utf-8-sig"))
        change(document)
        content = tomlkit.dumps(document).encode("utf-8")
        check_text(content, self.path)
        self.content = content


def _table(container: TOMLDocument | Container | Table, name: str) -> Table:
    import tomlkit

    if name not in container:
        container[name] = tomlkit.table()
    return cast("Table", container[name])  # check_text made sure of it


def _enabled(plugins: Table) -> Any:
    if "enabled" not in plugins:  # what is enabled now stays enabled when the list is written down
        plugins["enabled"] = list(DEFAULTS.enabled)
        plugins["enabled"].multiline(True)
    return plugins["enabled"]


def _put_out(plugins: Table, key: str, entry: str) -> bool:
    entries: Any = plugins.get(key, [])
    found = [position for position, each in enumerate(entries) if _id(each) == _id(entry)]
    for position in reversed(found):
        del entries[position]
    if key == "disabled" and key in plugins and not entries:
        del plugins[key]
    return bool(found)


def _put(document: TOMLDocument, path: Sequence[str], value: Any) -> None:
    table: Any = document
    for name in path[:-1]:
        table = _table(table, name)
        if not hasattr(table, "keys"):
            raise SettingsConflict(".".join(path), f"{name!r} is a value there, not a table")
    table[path[-1]] = value


def _names(value: Any) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)


def _id(entry: str) -> str:
    try:
        return split_requirement(entry)[0]
    except ValueError:
        return entry
