"""What the kernel tells about its plugins and ports. Looking changes nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

import attrs

from hotswap.catalog import trust_of
from hotswap.changes import Changes
from hotswap.errors import HotswapError, PluginNotFound, PortUnfilled, ProviderNotFound
from hotswap.lifecycle import Lifecycle, Note
from hotswap.port_directory import PortDirectory
from hotswap.states import STUCK, Cause, PluginStatus, PortStatus, State, Why


class Report:
    """The state of one kernel at the moment of asking."""

    def __init__(
        self,
        changes: Changes,
        lifecycle: Lifecycle,
        ports: PortDirectory,
        trials: Mapping[str, object] = MappingProxyType({}),
    ) -> None:
        self._changes = changes
        self._catalog = changes.planner.catalog
        self._lifecycle = lifecycle
        self._ports = ports
        self._trials = trials

    def plugins(self) -> dict[str, PluginStatus]:
        """Return what is known of each plugin that was found or wanted, by id."""
        chosen = {each.id: each.required_by for each in self._changes.solution.plugins}
        known = sorted({*self._catalog.ids(), *self._lifecycle.notes})
        return {each: self.plugin(each, chosen.get(each, ())) for each in known}

    def plugin(self, plugin: str, required_by: tuple[str, ...] = ()) -> PluginStatus:
        """Return what is known of one plugin."""
        note = self._lifecycle.notes.get(plugin, Note(State.DISCOVERED, State.DISCOVERED.meaning))
        instance = self._lifecycle.instances.get(plugin)
        versions = self._catalog.versions(plugin)
        known = instance.prepared.found if instance else self._lifecycle.dormant.found(plugin)
        found = known or (versions[0] if versions else None)
        status = PluginStatus(plugin, "", note.state, note.reason, note.blocked_by, note.error)
        if found is None:
            return status
        provides: dict[str, tuple[str, ...]] = {}
        for port, name in found.provides:
            provides[port] = (*provides.get(port, ()), name)
        return attrs.evolve(
            status,
            version=found.raw_version,
            door=found.door,
            path=str(found.path),
            trust=trust_of(found, self._changes.settings),
            provides=provides,
            required_by=required_by,
        )

    def ports(self) -> dict[str, PortStatus]:
        """Return what is known of each port, by name."""
        wiring = self._lifecycle.wiring
        found = {}
        for port in sorted(self._ports, key=lambda each: each.PORT):
            name = port.PORT
            serving = wiring.serving(name)
            if isinstance(serving, PortUnfilled):
                serving = self.unfilled(name)
            found[name] = PortStatus(
                name,
                port.VERSION,
                "" if isinstance(serving, HotswapError) else serving.provider.name,
                tuple(wiring.names(name)),
                self._catalog.providers_of(name),
                tuple(wiring.selected.get(name, ())),
                str(serving) if isinstance(serving, HotswapError) else "",
                str(self._trials.get(name, "")),
                self._stood_in_for(name),
            )
        return found

    def _stood_in_for(self, port: str) -> dict[str, str]:
        """Return the names of a selection that cannot serve as they should, each with the reason."""
        wiring = self._lifecycle.wiring
        found = {name: reason for (of, name), reason in wiring.unwell.items() if of == port}
        for name in wiring.selected.get(port, ()):
            for plugin in self._catalog.provider(port, name) if name not in wiring.providers(port) else ():
                note = self._lifecycle.notes.get(plugin)
                if note is not None and note.state in STUCK:
                    found[name] = f"its plugin is {note.state.value}: {note.reason}"
        return found

    def _unwell(self, plugin: str) -> list[str]:
        """Say of each provider of a plugin that is unwell why, and who serves its port."""
        wiring = self._lifecycle.wiring
        found = []
        for (port, name), reason in wiring.unwell.items():
            generation = wiring.providers(port).get(name)
            if generation is not None and generation.provider.plugin == plugin:
                serving = wiring.serving(port)
                instead = "nobody" if isinstance(serving, HotswapError) else serving.provider.name
                found.append(f"as {name!r} it is unwell ({reason}), and {instead} serves {port!r}")
        return found

    def unfilled(self, port: str) -> PortUnfilled:
        """Return the error of a port that nobody serves, with who could and why they do not."""
        could = self._catalog.providers_of(port)
        notes = {each: self._lifecycle.notes.get(each) for each in could}
        wanted = {each: note for each, note in notes.items() if note is not None and note.state in STUCK}
        why = "; ".join(f"{each} is {note.state.value}: {note.reason}" for each, note in wanted.items())
        return PortUnfilled(port, [each for each in could if each not in wanted] or could, why=why)

    def absent(self, port: str, name: str, known: Iterable[str]) -> ProviderNotFound:
        """Return the error of a provider that is not open, with the plugin that could provide it and why it does not.

        Args:
            known: the names of those that are open.
        """
        for plugin in self._catalog.provider(port, name):
            note = self._lifecycle.notes.get(plugin)
            why = f"{plugin} is {note.state.value}: {note.reason}" if note is not None and note.state in STUCK else ""
            return ProviderNotFound(port, name, known, why=why, plugin=plugin)
        return ProviderNotFound(port, name, known)

    def why(self, plugin: str) -> Why:
        """Explain a plugin's state, down to the deepest cause.

        Raises:
            PluginNotFound: nobody knows a plugin of that id.
        """
        known = {*self._catalog.ids(), *self._lifecycle.notes}
        if plugin not in known:
            raise PluginNotFound(plugin, known)
        causes: list[Cause] = []
        todo = [plugin]
        seen: set[str] = set()
        while todo:
            each = todo.pop(0)
            if each not in seen:
                seen.add(each)
                status = self.plugin(each)
                text = status.reason or status.state.meaning
                causes.append(Cause(each, status.state, "; ".join([text, *self._unwell(each)])))
                todo[:0] = status.blocked_by
        return Why(tuple(causes))
