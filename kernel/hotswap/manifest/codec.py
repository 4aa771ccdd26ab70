"""`Manifest` <-> JSON-able lists, for the catalog's cache: what was checked once is not checked again.

Positions instead of names, and None for a part that is as by default: a warm catalog costs microseconds a plugin.
What is read back is only checked to be of the right types; anything else is ``ValueError``, and the file is read anew.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

from hotswap.manifest.model import (
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
from hotswap.manifest.versions import specifier_of, version_of

FORMAT = 1
"""Goes up with every change of what stands where."""

_CAPABILITIES, _LIMITS, _METADATA, _BUILD, _TEST = Capabilities(), Limits(), Metadata(), Build(), TestCommands()
_CONFIG = ConfigSpec()
_MEMO = 16_384
_NUMBERS = ("max_memory_mb", "max_cpu_seconds", "max_execution_seconds")
_RATES = ("max_requests_per_minute", "max_fs_ops_per_minute", "max_tokens_per_minute")
_SCOPED = ("network", "file_system_read", "file_system_write")
_FLAGS = ("storage_access", "llm_access", "config_access", "secrets_access", "process_exec", "env_access")
_TEXTS = ("category", "homepage", "repository", "documentation", "icon")
_REBIND = {"keep": "keep", "rebuild": "rebuild"}
_ACTIVATION = {"lazy": "lazy", "eager": "eager"}
_DIALECT = {"hotswap": "hotswap", "reasonkit": "reasonkit"}
_BOOL = {True: True, False: False}
_COUNTS = (int, float)


def to_data(manifest: Manifest) -> list[Any]:
    """Return ``manifest`` as lists, tables, texts, numbers and booleans that ``json`` writes and `from_data` reads."""
    m = manifest
    path = "" if m.path is None else str(m.path)
    newest = "" if m.host.max_version is None else str(m.host.max_version)
    return [
        FORMAT,
        [m.id, m.name, m.raw_version, m.type, m.description, m.author, m.license, m.activation, m.dialect, path],
        [str(m.host.min_version), newest, *map(str, m.host.tested_versions)],
        m.python
        and [m.python.entry_point, m.python.class_name or "", str(m.python.python_version), *m.python.dependencies],
        [[each.port, each.class_name, each.name, each.exclusive] for each in m.provides],
        [[each.port, str(each.specifier), each.rebind, each.optional] for each in m.requires],
        [[each.id, str(each.specifier), each.optional] for each in m.dependencies],
        [[each.id, str(each.specifier), each.optional] for each in m.conflicts],
        _capabilities_data(m.capabilities),
        None if m.limits == _LIMITS else [getattr(m.limits, name) for name in _NUMBERS + _RATES],
        [dict(m.config.schema), dict(m.config.env_vars)] if m.config.schema or m.config.env_vars else None,
        _about_data(m.metadata),
        m.rust and [m.rust.entry_point, m.rust.crate_name, *m.rust.features],
        None if m.build == _BUILD else [m.build.command, m.build.artifact, [*m.build.pre_build], [*m.build.post_build]],
        None if m.test == _TEST else [m.test.command, m.test.integration, m.test.benchmark],
    ]


def _capabilities_data(capabilities: Capabilities) -> list[Any] | None:
    if capabilities == _CAPABILITIES:
        return None
    scoped = [getattr(capabilities, name) for name in _SCOPED]
    return [
        *(list(each) if isinstance(each, tuple) else each for each in scoped),
        *(getattr(capabilities, n) for n in _FLAGS),
    ]


def _about_data(metadata: Metadata) -> list[Any] | None:
    if metadata == _METADATA:
        return None
    texts = [getattr(metadata, name) for name in _TEXTS]
    return [texts, [*metadata.tags], [*metadata.keywords], [*metadata.screenshots]]


def from_data(data: Any) -> Manifest:
    """Return the manifest that `to_data` made ``data`` of. Raises ``ValueError`` for whatever it cannot have made."""
    try:
        return _manifest(data)
    except (TypeError, KeyError, AttributeError) as error:
        raise ValueError("this is no manifest that was written by this version of hotswap") from error


def _manifest(data: Any) -> Manifest:
    form, texts, host, python, provides, requires, needs, conflicts, *rest = data
    capabilities, limits, config, about, rust, build, test = rest
    if form != FORMAT:
        raise ValueError(f"the format is {FORMAT}, not this one")
    id_, name, version, type_, description, author, license_, activation, dialect, path = _texts(texts)
    return Manifest(
        id_,
        name,
        version_of(version),
        version,
        type_,
        _host(*_texts(host)),
        None if python is None else _python(*_texts(python)),
        description,
        author,
        license_,
        tuple([_provide(*each) for each in _items(provides)]),
        tuple([_require(*each) for each in _items(requires)]),
        tuple([_dependency(*each) for each in _items(needs)]),
        tuple([_dependency(*each) for each in _items(conflicts)]),
        _CAPABILITIES if capabilities is None else _capabilities(*capabilities),
        _LIMITS if limits is None else _limits(limits),
        _CONFIG if config is None else _config(*config),
        _METADATA if about is None else _about(*about),
        _ACTIVATION[activation],  # type: ignore[arg-type]
        _DIALECT[dialect],  # type: ignore[arg-type]
        None if rust is None else _rust(*_texts(rust)),
        _BUILD if build is None else _build(*build),
        _TEST if test is None else TestCommands(*_texts(test)),
        Path(path) if path else None,
    )


def _items(data: Any) -> list[Any]:
    if type(data) is not list:
        raise ValueError("a list is wanted")
    return data


def _texts(data: Any) -> list[str]:
    "".join(_items(data))  # a TypeError for any item that is no text, without a loop in Python
    return data  # type: ignore[no-any-return]


# Manifests say the same of their host, their ports and each other, over and over: equal parts share one object.


@lru_cache(_MEMO)
def _host(oldest: str, newest: str, *tested: str) -> HostRange:
    newest_version = version_of(newest) if newest else None
    return HostRange(version_of(oldest), newest_version, tuple([version_of(each) for each in tested]))


@lru_cache(_MEMO)
def _python(entry_point: str, class_name: str, version: str, *dependencies: str) -> PythonCode:
    return PythonCode(entry_point, class_name or None, specifier_of(version), dependencies)


def _provide(port: Any, class_name: Any, name: Any, exclusive: Any) -> Provide:
    _texts([port, class_name, name])
    return Provide(port, class_name, name, _BOOL[exclusive])


@lru_cache(_MEMO)
def _require(port: Any, versions: Any, rebind: Any, optional: Any) -> Require:
    _texts([port, versions])
    return Require(port, specifier_of(versions), _BOOL[optional], _REBIND[rebind])  # type: ignore[arg-type]


@lru_cache(_MEMO)
def _dependency(id_: Any, versions: Any, optional: Any) -> Dependency:
    _texts([id_, versions])
    return Dependency(id_, specifier_of(versions), _BOOL[optional])


def _capabilities(*data: Any) -> Capabilities:
    network, read, write = (tuple(_texts(each)) if type(each) is list else _BOOL[each] for each in data[:3])
    return Capabilities(network, read, write, *[_BOOL[each] for each in data[3:]])


def _limits(data: Any) -> Limits:
    for each in _items(data):
        if each is not None and type(each) not in _COUNTS:
            raise ValueError("a number is wanted")
    return Limits(*data)


def _config(schema: Any, env_vars: Any) -> ConfigSpec:
    if type(schema) is not dict or type(env_vars) is not dict:
        raise ValueError("a table is wanted")
    _texts(list(env_vars.values()))
    return ConfigSpec(schema, env_vars)


def _about(texts: Any, tags: Any, keywords: Any, screenshots: Any) -> Metadata:
    category, homepage, repository, documentation, icon = _texts(texts)
    return Metadata(
        category,
        tuple(_texts(tags)),
        tuple(_texts(keywords)),
        homepage,
        repository,
        documentation,
        icon,
        tuple(_texts(screenshots)),
    )


def _rust(entry_point: str, crate_name: str, *features: str) -> RustCode:
    return RustCode(entry_point, crate_name, features)


def _build(command: Any, artifact: Any, pre_build: Any, post_build: Any) -> Build:
    _texts([command, artifact])
    return Build(command, artifact, tuple(_texts(pre_build)), tuple(_texts(post_build)))
