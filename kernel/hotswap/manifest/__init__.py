"""``plugin.toml``: what it says (model), reading and checking it (reader), its JSON Schema (schema)."""

from hotswap.manifest.model import (
    PLUGIN_TYPES,
    Build,
    Capabilities,
    ConfigSpec,
    Dependency,
    HostRange,
    Limits,
    Manifest,
    Metadata,
    Provide,
    PythonCode,
    Require,
    RustCode,
    TestCommands,
)

__all__ = [
    "PLUGIN_TYPES",
    "Build",
    "Capabilities",
    "ConfigSpec",
    "Dependency",
    "HostRange",
    "Limits",
    "Manifest",
    "Metadata",
    "Provide",
    "PythonCode",
    "Require",
    "RustCode",
    "TestCommands",
]
