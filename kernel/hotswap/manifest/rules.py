"""The format of ``plugin.toml``: every table and key, in one place.

The reader checks by it, the shipped JSON Schema and docs/reference/manifest.md are written from it.
"""

from __future__ import annotations

from attrs import evolve

from hotswap.manifest.kinds import AnyTable, Choice, Either, Key, ListOf, MapOf, Positive, Table
from hotswap.manifest.model import PLUGIN_TYPES
from hotswap.manifest.values import (
    CLASS,
    ENTRY_POINT,
    ENV_VAR,
    FILE,
    FLAG,
    HOSTS,
    IDENTIFIER,
    LICENCE,
    PARAGRAPH,
    PATHS,
    PICTURE,
    PLUGIN_ID,
    PORT,
    RANGE,
    REQUIREMENTS,
    SCRIPTS,
    SETTING,
    TEXT,
    TEXTS,
    URL,
    VERSION,
    VERSIONS,
)

HOST_RANGE = Table(
    "a table of host versions",
    (
        Key("min_version", VERSION, "The oldest host the plugin works with.", required=True),
        Key("max_version", VERSION, "The newest host the plugin works with, itself included."),
        Key("tested_versions", VERSIONS, "Hosts the plugin was tested with.", ()),
    ),
)
REASONKIT_RANGE = evolve(HOST_RANGE, words="a table of ReasonKit versions")

PROVIDE = Table(
    "a table with class, name, exclusive",
    (
        Key(
            "class", CLASS, "The adapter's class in the entry-point module; dots reach into submodules.", required=True
        ),
        Key("name", PLUGIN_ID, "What the provider is called; the plugin's id when absent."),
        Key("exclusive", FLAG, "True when two of it cannot be open at once (a file lock, a TCP port).", False),
    ),
)
PROVIDES = MapOf(
    "a table of ports", PORT, Either((CLASS, PROVIDE, ListOf(Either((CLASS, PROVIDE)), "classes or tables")))
)

REQUIRE = Table(
    "a table with version, optional, rebind",
    (
        Key("version", RANGE, "Versions of the port that the plugin was written for.", "*"),
        Key("optional", FLAG, "True when the plugin also works without it.", False),
        Key(
            "rebind",
            Choice(("keep", "rebuild")),
            "After a swap: keep the handle, which follows by itself, or open the plugin anew.",
            "keep",
        ),
    ),
)
REQUIRES = MapOf("a table of ports", PORT, Either((RANGE, REQUIRE)))

DEPENDENCY = Table(
    "a table with version, optional",
    (
        Key("version", RANGE, "Versions of the plugin that will do.", "*"),
        Key("optional", FLAG, "True when its absence is no reason to refuse.", False),
    ),
)
DEPENDENCIES = MapOf("a table of plugins", PLUGIN_ID, Either((RANGE, DEPENDENCY)))
CONFLICTS = MapOf("a table of plugins", PLUGIN_ID, RANGE)

CAPABILITIES = Table(
    "a table of capabilities",
    (
        Key("network", HOSTS, "Open connections: to anywhere, or to the hosts listed.", False),
        Key("file_system_read", PATHS, "Read files: all of them, or below the paths listed.", False),
        Key("file_system_write", PATHS, "Write files: anywhere, or below the paths listed.", False),
        Key("storage_access", FLAG, "Use `context.storage`, confined to the plugin's own keys.", False),
        Key("llm_access", FLAG, "Use `context.ai`, within the plugin's token budget.", False),
        Key("config_access", FLAG, "Use `context.config`.", False),
        Key("secrets_access", FLAG, "Read the host's secrets.", False),
        Key("process_exec", FLAG, "Start other processes.", False),
        Key("env_access", FLAG, "Read environment variables.", False),
    ),
)

LIMITS = Table(
    "a table of limits",
    (
        Key("max_memory_mb", Positive(True), "Memory in MiB."),
        Key("max_cpu_seconds", Positive(False), "CPU time of one call, in seconds."),
        Key("max_execution_seconds", Positive(False), "Wall-clock time of one call, in seconds."),
        Key("max_requests_per_minute", Positive(True), "Network requests in any 60 seconds."),
        Key("max_fs_ops_per_minute", Positive(True), "File system operations in any 60 seconds."),
        Key(
            "max_tokens_per_minute",
            Positive(True),
            "Tokens, in and out together, that `context.ai` may use in any 60 seconds.",
        ),
    ),
)

PYTHON = Table(
    "a table about the Python code",
    (
        Key(
            "entry_point", ENTRY_POINT, "Where the code is: a module, or a path relative to plugin.toml.", required=True
        ),
        Key("class_name", IDENTIFIER, "The subclass of `Plugin` there, for a plugin with a lifecycle of its own."),
        Key("python_version", RANGE, "Versions of Python it runs on.", "*"),
        Key("dependencies", REQUIREMENTS, "Python distributions it needs, in pip's notation.", ()),
    ),
)
RUST = Table(
    "a table about Rust code",
    (
        Key("entry_point", FILE, "The crate's source.", ""),
        Key("crate_name", TEXT, "The crate's name.", ""),
        Key("features", TEXTS, "Features to build it with.", ()),
    ),
)

CONFIG = Table(
    "a table with schema, env_vars",
    (
        Key(
            "schema",
            AnyTable("a JSON Schema of type object", {"$ref": "https://json-schema.org/draft/2020-12/schema"}),
            "JSON Schema of the plugin's settings: validation, defaults, generated help.",
        ),
        Key(
            "env_vars",
            MapOf("a table of settings", SETTING, ENV_VAR),
            "Environment variables that fill settings; they win over hotswap.toml. Dots reach into tables.",
        ),
    ),
)

_ADDRESSES = (
    Key("homepage", URL, "The plugin's page.", ""),
    Key("repository", URL, "Where its source is.", ""),
    Key("documentation", URL, "Where its documentation is.", ""),
)
METADATA = Table(
    "a table for people and marketplaces",
    (
        Key("category", TEXT, "A shelf in a marketplace.", ""),
        Key("tags", TEXTS, "Words to filter by.", ()),
        Key("keywords", TEXTS, "Words to search by.", ()),
        *_ADDRESSES,
        Key("icon", PICTURE, "A picture: a path relative to plugin.toml, or an https address.", ""),
        Key("screenshots", ListOf(PICTURE, "pictures"), "Pictures of it at work.", ()),
    ),
)

_ONE_HOST = {
    "oneOf": [{"required": ["hotswap"]}, {"required": ["reasonkit"]}],
    "if": {"required": ["provides"], "properties": {"provides": {"minProperties": 1}}},
    "then": {"required": ["python"]},
}
PLUGIN = Table(
    "a table about the plugin",
    (
        Key("id", PLUGIN_ID, "What everything else calls the plugin.", required=True),
        Key("name", TEXT, "What people call it.", required=True),
        Key("version", VERSION, "Its semantic version, which Python's packaging can order too.", required=True),
        Key("type", Choice(tuple(sorted(PLUGIN_TYPES))), "What it mainly is.", required=True),
        Key("description", PARAGRAPH, "What it does, in a sentence or two.", ""),
        Key("author", TEXT, "Who wrote it, as `Name <address>`.", ""),
        Key("license", LICENCE, "SPDX expression.", ""),
        *(evolve(key, meaning=f"{key.meaning} As in `[plugin.metadata]`.", default=None) for key in _ADDRESSES),
        Key("activation", Choice(("lazy", "eager")), "Open it on first use, or when the host starts.", "lazy"),
        Key("hotswap", HOST_RANGE, "Hosts it works with. This or `[plugin.reasonkit]` has to be there."),
        Key("reasonkit", REASONKIT_RANGE, "In a ReasonKit manifest, the place of `[plugin.hotswap]`."),
        Key("provides", PROVIDES, "Adapters it offers: port = class, or a table, or a list of either."),
        Key("requires", REQUIRES, "Ports to be injected: port = versions of the port, or a table."),
        Key("dependencies", DEPENDENCIES, "Plugins it needs: id = versions, or a table."),
        Key("conflicts", CONFLICTS, "Plugins that must not be active beside it: id = versions."),
        Key("capabilities", CAPABILITIES, "What it asks to touch. Everything is false unless asked for."),
        Key("limits", LIMITS, "Budgets. What is absent is left to the host."),
        Key("python", PYTHON, "Its Python code. Has to be there when the plugin provides something."),
        Key("rust", RUST, "Rust code of a ReasonKit plugin: kept, not used."),
        Key("config", CONFIG, "Its settings."),
        Key("metadata", METADATA, "What a person or a marketplace wants to know."),
    ),
    _ONE_HOST,
)

BUILD = Table(
    "a table of build commands",
    (
        Key("command", PARAGRAPH, "Builds the plugin.", ""),
        Key("artifact", FILE, "What the command makes.", ""),
        Key("pre_build", SCRIPTS, "Commands that run before it.", ()),
        Key("post_build", SCRIPTS, "Commands that run after it.", ()),
    ),
)
TEST = Table(
    "a table of test commands",
    (
        Key("command", PARAGRAPH, "Runs the tests.", ""),
        Key("integration", PARAGRAPH, "Runs the integration tests.", ""),
        Key("benchmark", PARAGRAPH, "Runs the benchmarks.", ""),
    ),
)

MANIFEST = Table(
    "a plugin manifest",
    (
        Key("plugin", PLUGIN, "The plugin.", required=True),
        Key("build", BUILD, "Commands for tools of plugin authors; the kernel runs none of them."),
        Key("test", TEST, "Commands for tools of plugin authors; the kernel runs none of them."),
    ),
)

SECTIONS: tuple[tuple[str, Table | MapOf], ...] = (
    ("[plugin]", PLUGIN),
    ("[plugin.hotswap]", HOST_RANGE),
    ("[plugin.reasonkit]", REASONKIT_RANGE),
    ("[plugin.provides]", PROVIDES),
    ("[plugin.provides] PORT = { ... }", PROVIDE),
    ("[plugin.requires]", REQUIRES),
    ("[plugin.requires] PORT = { ... }", REQUIRE),
    ("[plugin.dependencies]", DEPENDENCIES),
    ("[plugin.dependencies] ID = { ... }", DEPENDENCY),
    ("[plugin.conflicts]", CONFLICTS),
    ("[plugin.capabilities]", CAPABILITIES),
    ("[plugin.limits]", LIMITS),
    ("[plugin.python]", PYTHON),
    ("[plugin.rust]", RUST),
    ("[plugin.config]", CONFIG),
    ("[plugin.metadata]", METADATA),
    ("[build]", BUILD),
    ("[test]", TEST),
)
"""The tables by their headings, in the order of the reference page."""
