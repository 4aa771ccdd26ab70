"""The reference of ``hotswap.toml``, written from the code that reads it: ``docs/reference/settings.md``.

``python -m hotswap.settings_reference > docs/reference/settings.md`` writes it anew; a test holds the file to it.
"""

from __future__ import annotations

from attrs import fields, frozen

from hotswap.discovery import DOORS
from hotswap.settings import DEFAULTS, Settings
from hotswap.settings_tables import WHOLE_LIMITS
from hotswap.trust import CAPABILITIES, LEVEL_GIVES, LIMITS, LISTABLE, Trust, default_trust


@frozen
class Key:
    """One key of ``hotswap.toml`` as people are told of it."""

    path: str
    kind: str
    variable: str
    default: str
    meaning: str


def _default(name: str) -> str:
    default = getattr(fields(Settings), name).default
    return default if isinstance(default, str) else f"{default:g}"


KEYS: tuple[Key, ...] = (
    Key(
        "plugins.enabled",
        "list of ids, each with a version range or without",
        "HOTSWAP_PLUGINS_ENABLED",
        "see below",
        'Plugins to open: `"id"` or `"id>=1.2,<2"`. The list replaces the default one.',
    ),
    Key(
        "plugins.disabled",
        "list of ids",
        "HOTSWAP_PLUGINS_DISABLED",
        "none",
        "Plugins that stay closed, whatever else would open them.",
    ),
    Key(
        "plugins.paths",
        "list of paths",
        "HOTSWAP_PLUGINS_PATHS",
        "none",
        "More places to look for plugins: a plugin's folder, a `plugin.toml`, or a folder of plugin folders. In the "
        "file they count from its folder; in the variable they are parted as in `PATH`.",
    ),
    Key(
        "plugins.drain_timeout",
        "number of seconds, 0 or more",
        "HOTSWAP_PLUGINS_DRAIN_TIMEOUT",
        _default("drain_timeout"),
        "How long calls inside an old generation may go on before they are cancelled.",
    ),
    Key(
        "plugins.open_timeout",
        "number of seconds, above 0",
        "HOTSWAP_PLUGINS_OPEN_TIMEOUT",
        _default("open_timeout"),
        "How long a plugin may take to open.",
    ),
    Key(
        "plugins.hold_timeout",
        "number of seconds, 0 or more",
        "HOTSWAP_PLUGINS_HOLD_TIMEOUT",
        _default("hold_timeout"),
        "How long a call waits for a provider that cannot be open twice, or hands over state, while it is replaced.",
    ),
    Key(
        "plugins.activation",
        "`lazy` or `eager`",
        "HOTSWAP_PLUGINS_ACTIVATION",
        _default("activation"),
        "`eager` opens every plugin at the start. `lazy` opens one that has no lifecycle of its own with the first "
        "call that needs it, unless its manifest says `eager`.",
    ),
    Key(
        "plugins.health_interval",
        "number of seconds, 0 or more",
        "HOTSWAP_PLUGINS_HEALTH_INTERVAL",
        _default("health_interval"),
        "How often the providers of a port with an order of failover are asked how they are; 0: only when an "
        "application asks.",
    ),
    Key(
        "plugins.fail_back_after",
        "number of seconds, 0 or more",
        "HOTSWAP_PLUGINS_FAIL_BACK_AFTER",
        _default("fail_back_after"),
        "How long a provider has to be healthy again before it serves its port again.",
    ),
    Key(
        "ports.PORT",
        "provider name, or a list of them",
        "HOTSWAP_PORTS_PORT",
        "see below",
        "Which provider serves a port; a list is an order of failover. A plugin named here is opened as well.",
    ),
    Key(
        "config.ID.KEY",
        "as the plugin's schema says",
        "HOTSWAP_CONFIG__ID__KEY",
        "the schema's",
        "A plugin's own settings; `hotswap plugin info ID` lists them.",
    ),
    Key(
        "trust.ID",
        "trust level",
        "HOTSWAP_TRUST__ID",
        "by door",
        "How far a plugin is trusted.",
    ),
    Key(
        "grants.ID.NAME",
        "see below",
        "HOTSWAP_GRANTS__ID__NAME",
        "none",
        "What a plugin gets beyond, or less than, what its trust level gives.",
    ),
)

_HEAD = """\
# Settings: `hotswap.toml`, the environment, the command line

<!-- Generated: python -m hotswap.settings_reference > docs/reference/settings.md -->

Settings come in layers, each over the one before: the embedded defaults, the `hotswap.toml` in the project's folder,
variables of the environment, the command line. Tables are merged key by key; lists are replaced. Whatever is unknown or
of the wrong kind is an error (PLUG-019) that lists every problem of every layer.
"""

_DEFAULTS = """\
## Defaults

Without a file, what is enabled and selected is as if the file said this. A selection that the file does not make holds
while the plugin it names is enabled.
"""

_VARIABLES = """\
## Variables

In the name of a variable, letters are upper case, the dashes of a plugin's id are single underscores, and two
underscores lead one table deeper: `HOTSWAP_CONFIG__OPENAI_COMPATIBLE__API_KEY` is `api_key` under
`[config.openai-compatible]`. A list is parted by commas. A plugin's setting is read as JSON where it is a JSON number,
`true`, `false`, list or table, and as text otherwise; quotes force text (`'"30"'`). An empty variable counts as unset.
Keys with capitals or dashes can be set in the file alone.

| variable | meaning |
|---|---|
| `HOTSWAP_CONFIG_FILE` | the file to read in place of `hotswap.toml`; it must be there |
| `HOTSWAP_NO_PLUGINS` | `1` is safe mode: hotswap's own plugins and the defaults alone; `[config]` stays |
| `HOTSWAP_HOME` | the folder whose `plugins/` is the user's, in place of the one in the data folder |
| `HOTSWAP_CACHE` | the folder of the caches, in place of the one in the user's cache folder; `off` for none |
"""

_GRANTS = """\
## Grants

What `[grants.ID]` says about a capability has the last word:

| value | the plugin gets |
|---|---|
| not named | what its manifest asks for, as far as its trust level allows |
| `false`, `[]` | nothing |
| `true` | what its manifest asks for, whatever the level; where it asks for nothing, everything |
| a list | exactly the hosts (`"api.example.org"`, `"*.example.org"`) or paths in it |
"""


def markdown() -> str:
    """Return the whole page."""
    return "\n".join([_HEAD, _keys(), _defaults(), _VARIABLES, _trust(), _GRANTS, _grant_names()]).rstrip() + "\n"


def _keys() -> str:
    rows = [f"| `{each.path}` | {each.kind} | {each.default} | `{each.variable}` | {each.meaning} |" for each in KEYS]
    return "\n".join(
        ["## Keys", "", "| key | kind | default | variable | meaning |", "|---|---|---|---|---|", *rows, ""]
    )


def _defaults() -> str:
    enabled = "\n".join(f'    "{each}",' for each in DEFAULTS.enabled)
    ports = "\n".join(f'{port} = "{names[0]}"' for port, names in DEFAULTS.ports.items())
    toml = f"[plugins]\nenabled = [\n{enabled}\n]\n\n[ports]\n{ports}"
    return f"{_DEFAULTS}\n```toml\n{toml}\n```\n"


def _trust() -> str:
    def row(level: Trust) -> str:
        doors = [f"`{door}`" for door in DOORS if default_trust(door) is level]
        if level is Trust.OFFICIAL:
            doors = ["hotswap's own package"]
        given = ", ".join(f"`{each}`" for each in CAPABILITIES if each in LEVEL_GIVES[level])
        return f"| `{level.label}` | {', '.join(doors) or 'any other'} | {level.meaning} | {given} |"

    rows = [row(each) for each in sorted(Trust, reverse=True)]
    head = "| level | default for the doors | meaning | may get, when it asks |\n|---|---|---|---|"
    return "\n".join(["## Trust levels", "", head, *rows, ""])


def _grant_names() -> str:
    capabilities = [f"| `{each}` | true, false{', or a list' if each in LISTABLE else ''} |" for each in CAPABILITIES]
    limits = [f"| `{each}` | {'whole ' if each in WHOLE_LIMITS else ''}number above 0 |" for each in LIMITS]
    return "\n".join(["| name | values |", "|---|---|", *capabilities, *limits, ""])


if __name__ == "__main__":
    print(markdown(), end="")
