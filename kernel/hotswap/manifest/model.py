"""What a ``plugin.toml`` says, as frozen values. Reading one imports no plugin code."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from attrs import field, frozen
from packaging.specifiers import SpecifierSet
from packaging.version import Version

PLUGIN_TYPES: frozenset[str] = frozenset(
    {
        "scraper", "ai", "storage", "search", "formatter", "workflow", "tool", "hook", "bundle", "utility",
        "thinktool", "llm_provider", "data_source", "protocol",
    }
)  # fmt: skip
"""The plugin types known to this host; the last four come from ReasonKit manifests, which share others."""


@frozen
class Provide:
    """One adapter that a plugin offers for a port."""

    port: str
    class_name: str
    """Name of the class in the plugin's entry-point module; a dotted name reaches into a submodule."""
    name: str
    """What the provider is called; the plugin's id unless the manifest says otherwise."""
    exclusive: bool = False
    """True when two generations cannot be open at once (a file lock, a TCP port)."""


@frozen
class Require:
    """A port that a plugin wants injected."""

    port: str
    specifier: SpecifierSet = field(factory=SpecifierSet)
    """Versions of the *port* (``Port.VERSION``) that the plugin was written for."""
    optional: bool = False
    rebind: Literal["keep", "rebuild"] = "keep"
    """``keep``: the handle follows a swap by itself. ``rebuild``: the consumer is opened anew after a swap."""


@frozen
class Dependency:
    """Another plugin that has to be active (or, in ``conflicts``, must not be)."""

    id: str
    specifier: SpecifierSet = field(factory=SpecifierSet)
    optional: bool = False


@frozen
class HostRange:
    """Versions of hotswap that a plugin works with; both ends belong to the range."""

    min_version: Version
    max_version: Version | None = None
    tested_versions: tuple[Version, ...] = ()


@frozen
class Capabilities:
    """What a plugin asks to touch. ``network`` may name hosts, the file system ones paths; True means all of them."""

    network: bool | tuple[str, ...] = False
    file_system_read: bool | tuple[str, ...] = False
    file_system_write: bool | tuple[str, ...] = False
    storage_access: bool = False
    llm_access: bool = False
    config_access: bool = False
    secrets_access: bool = False
    process_exec: bool = False
    env_access: bool = False


@frozen
class Limits:
    """Budgets of a plugin; None leaves one to the host."""

    max_memory_mb: int | None = None
    max_cpu_seconds: float | None = None
    max_execution_seconds: float | None = None
    max_requests_per_minute: int | None = None
    max_fs_ops_per_minute: int | None = None
    max_tokens_per_minute: int | None = None
    """Tokens (in and out together) that ``context.ai`` may use in any 60 seconds."""


@frozen
class PythonCode:
    """Where a plugin's code is and what it needs around it."""

    entry_point: str
    """A module name, or a path relative to ``plugin.toml``."""
    class_name: str | None = None
    python_version: SpecifierSet = field(factory=SpecifierSet)
    dependencies: tuple[str, ...] = ()
    """Requirements on Python distributions, in the notation of pip."""


@frozen
class ConfigSpec:
    """The JSON Schema of a plugin's settings, and the environment variables that may fill them."""

    schema: Mapping[str, Any] = field(factory=dict, hash=False)  # a table has no hash, and a manifest should have one
    env_vars: Mapping[str, str] = field(factory=dict, hash=False)


@frozen
class Metadata:
    """What a person or a marketplace wants to know."""

    category: str = ""
    tags: tuple[str, ...] = ()
    keywords: tuple[str, ...] = ()
    homepage: str = ""
    repository: str = ""
    documentation: str = ""
    icon: str = ""
    screenshots: tuple[str, ...] = ()


@frozen
class RustCode:
    """``[plugin.rust]`` of a ReasonKit manifest: kept, not used."""

    entry_point: str = ""
    crate_name: str = ""
    features: tuple[str, ...] = ()


@frozen
class Build:
    """``[build]``: commands for tools of plugin authors; the kernel runs none of them."""

    command: str = ""
    artifact: str = ""
    pre_build: tuple[str, ...] = ()
    post_build: tuple[str, ...] = ()


@frozen
class TestCommands:
    """``[test]``: commands for tools of plugin authors."""

    command: str = ""
    integration: str = ""
    benchmark: str = ""


@frozen
class Manifest:
    """One ``plugin.toml``, checked."""

    id: str
    name: str
    version: Version
    """The semantic version, as packaging reads it; ``raw_version`` is as the author wrote it."""
    raw_version: str
    type: str
    host: HostRange
    python: PythonCode | None = None
    """None for a manifest that carries no Python code (a ReasonKit plugin in Rust)."""
    description: str = ""
    author: str = ""
    license: str = ""
    provides: tuple[Provide, ...] = ()
    requires: tuple[Require, ...] = ()
    dependencies: tuple[Dependency, ...] = ()
    conflicts: tuple[Dependency, ...] = ()
    capabilities: Capabilities = Capabilities()
    limits: Limits = Limits()
    config: ConfigSpec = field(factory=ConfigSpec)
    metadata: Metadata = Metadata()
    activation: Literal["lazy", "eager"] = "lazy"
    dialect: Literal["hotswap", "reasonkit"] = "hotswap"
    rust: RustCode | None = None
    build: Build = Build()
    test: TestCommands = TestCommands()
    path: Path | None = None
    """The ``plugin.toml`` it was read from; None for one that was built in memory."""

    def provides_port(self, port: str) -> bool:
        """Return whether any provider here is for ``port``."""
        return any(each.port == port for each in self.provides)

    @property
    def may_rest(self) -> bool:
        """Whether nothing is lost when the plugin is opened by the first call that needs it.

        So not one with a lifecycle of its own, nor one that provides nothing a call could come through. A plugin that
        registers hooks in an adapter's constructor has to say ``activation = "eager"``.
        """
        if self.activation == "eager" or self.type == "hook" or not self.provides:
            return False
        return self.python is not None and self.python.class_name is None
