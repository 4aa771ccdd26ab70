"""Who is given handles, so that no plugin is injected into itself and each generation has its own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from attrs import field, frozen

from hotswap.manifest.model import Manifest


@frozen
class Consumer:
    """Who is given something: one generation of a plugin, or the application."""

    key: str = ""
    """``id#number``, by which its handles are kept; empty for the application."""
    plugin: str = ""
    own: Mapping[str, frozenset[str]] = field(factory=dict)
    """Port -> names of the providers that the plugin itself has: it is never injected into itself."""

    @classmethod
    def of(cls, manifest: Manifest, number: int) -> Consumer:
        """Return the consumer that generation ``number`` of a plugin is."""
        ports = {each.port for each in manifest.provides}
        own = {port: frozenset(each.name for each in manifest.provides if each.port == port) for port in ports}
        return cls(f"{manifest.id}#{number}", manifest.id, own)

    def others(self, port: str, names: Iterable[str]) -> list[str]:
        """Return ``names`` of providers of a port without the consumer's own."""
        own = self.own.get(port, frozenset())
        return [each for each in names if each not in own]

    def besides(self, port: str) -> str:
        """Return the plugin that a handle of ``port`` must not lead to; empty for none."""
        return self.plugin if port in self.own else ""


APPLICATION = Consumer()
