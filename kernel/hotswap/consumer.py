"""Who is given handles, so that no plugin is injected into itself and each generation has its own."""

from __future__ import annotations

from collections.abc import Collection, Mapping

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
        own: dict[str, frozenset[str]] = {}
        for each in manifest.provides:
            own[each.port] = own.get(each.port, frozenset()) | {each.name}
        return cls(f"{manifest.id}#{number}", manifest.id, own)

    def others(self, port: str, names: Collection[str]) -> Collection[str]:
        """Return ``names`` of providers of a port without the consumer's own."""
        own = self.own.get(port)
        return [each for each in names if each not in own] if own else names

    def besides(self, port: str) -> str:
        """Return the plugin that a handle of ``port`` must not lead to; empty for none."""
        return self.plugin if port in self.own else ""


APPLICATION = Consumer()
