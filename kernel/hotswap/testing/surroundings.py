"""What stands around a plugin under test in the place of a host: settings, and something for each port it needs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

from attrs import evolve
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from hotswap.errors import CallInvalid, SettingsInvalid
from hotswap.manifest import Manifest
from hotswap.manifest.model import HostRange, Provide, PythonCode
from hotswap.planner import HOSTS, PYTHON, installed
from hotswap.port_directory import PortDirectory
from hotswap.resolver import Request, Solution, resolve
from hotswap.settings import Settings
from hotswap.settings_tables import Layer, TableCheck
from hotswap_ports import Port, is_port
from hotswap_ports.testing import mock_of, mocks

MOCKS = "mocks"
"""Id of the plugin that the mocks are said to be of."""


def settings_for(plugin: str, seconds: float, *, config: object, trust: object, grants: object) -> Settings:
    """Return settings under which a plugin is the only one enabled; each step may take so many seconds.

    Raises:
        SettingsInvalid: they are not what could stand in ``hotswap.toml``.
    """
    timeouts = {"open_timeout": seconds, "drain_timeout": seconds}
    tables = {
        "plugins": timeouts,
        "config": {plugin: {} if config is None else config},
        "trust": {plugin: trust},
        "grants": {plugin: {} if grants is None else grants},
    }
    check = TableCheck(Layer("the arguments of PluginHarness", Path.cwd(), tables))
    if check.problems:
        hint = "config, grants and trust are what stands under these names in hotswap.toml; timeout is in seconds."
        raise SettingsInvalid("the arguments of PluginHarness", check.problems, hint)
    values: Mapping[str, Any] = {**timeouts, **check.values}
    return Settings(enabled=(plugin,), **{name: value for name, value in values.items() if name != "plugins"})


def needed(manifest: Manifest) -> list[str]:
    """Return the ports that a plugin may ask for: those it requires, and those it may use by its context."""
    capabilities = manifest.capabilities
    of_context = {"storage": capabilities.storage_access, "ai": capabilities.llm_access}
    named = [*(each.port for each in manifest.requires), *(name for name in of_context if of_context[name])]
    return list(dict.fromkeys(named))


def stand_ins(
    manifest: Manifest, given: Mapping[type[Port], Port | None], ports: PortDirectory
) -> Iterator[tuple[type[Port], Any]]:
    """Yield what serves each port: what was given, or a mock; nothing where None was given.

    Raises:
        CallInvalid: what was given is no such port.
        PortUnknown: there is no such port.
    """
    by_name = {each.PORT: adapter for each, adapter in given.items()}
    for name in dict.fromkeys([*needed(manifest), *by_name]):
        port = ports.get(name, where=f"which {manifest.id} requires")
        if name not in by_name:
            yield port, _mock(port)
        elif (adapter := by_name[name]) is not None:
            if isinstance(adapter, type) or not isinstance(adapter, port):
                hint = f"Make one, such as {{{port.__name__}: Mock(...)}}: an object, and not its class."
                raise CallInvalid(
                    "PluginHarness(mocks=...)", f"for {port.__name__} an open one, or None", adapter, hint
                )
            yield port, adapter


def solved(manifest: Manifest, ports: PortDirectory) -> Solution:
    """Return what a kernel would make of a plugin beside one that provides whatever it requires.

    The plugins that it names as dependencies are not looked for: it is alone.

    Raises:
        HotswapError: a kernel would not use it here: the host, Python, a distribution or a port is not what it wants.
    """
    alone = evolve(manifest, dependencies=(), conflicts=())
    code = PythonCode("mocks")
    serves = tuple(Provide(each.port, MOCKS, MOCKS) for each in manifest.requires if each.port in ports.versions())
    beside = Manifest(MOCKS, MOCKS, Version("1"), "1", "bundle", HostRange(Version("0")), code, provides=serves)
    return resolve(
        Request(
            versions={alone.id: [alone], MOCKS: [beside]},
            wanted={alone.id: SpecifierSet()},
            ports=ports.versions(),
            hosts=HOSTS,
            python=PYTHON,
            distributions=installed,
        )
    )


def port_named(call: str, port: object) -> type[Port]:
    """Return ``port``, if it is the class of one.

    Raises:
        CallInvalid: it is not.
    """
    if not isinstance(port, type) or not is_port(port):
        raise CallInvalid(call, "the class of a port, such as Storage", port)
    return cast("type[Port]", port)


def _mock(port: type[Port]) -> Any:
    """Return the usual mock of a port; of one that nobody has written one for, one whose rules have to answer."""
    usual = {each.mocked.PORT: each for each in (getattr(mocks, name) for name in mocks.__all__)}
    made: Any = usual.get(port.PORT)
    return made() if made is not None and made.mocked is port else mock_of(port)
