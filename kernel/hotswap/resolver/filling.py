"""Who fills a port after a change to a known solution."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from hotswap.resolver.after import After, Unsettled
from hotswap.resolver.known import asked, rank


class Filling:
    """One port of which the providers, their ranks or the askers are others."""

    def __init__(self, after: After, port: str) -> None:
        self._after = after
        self._port = port
        self._order = self._ranked(())
        self._for_now = self._ranked(after.new)
        """Newcomers stand behind here: they are not active yet when all is solved anew, and are the next time."""

    def _ranked(self, newcomers: Collection[str]) -> list[str]:
        after, port = self._after, self._port
        found, selected = after.candidates(port), after.request.selected
        wanted = {each for each in found if after.is_wanted(each)}
        return sorted(found, key=lambda each: rank(port, each, after.manifest(each), selected, wanted, newcomers))

    def fill(self) -> None:
        """Bind those who come, and those whose provider is no longer the first."""
        after, known, port = self._after, self._after.known, self._port
        askers, before = known.asking.get(port, ()), known.ranked(port, known.providing.get(port, ()))
        looked_at = 2 if before and before[0] in askers else 1  # the first gets its own port from the second
        if before[:looked_at] != self._order[:looked_at]:
            for each in askers:
                filler = _other(self._order, each)
                stays = each not in after.gone and each not in after.put
                if stays and known.chosen[each].ports[port] != filler:
                    after.bind(each, port, filler)
        for each, manifest in after.put.items():
            if port in asked(manifest, known.ports):
                after.bind(each, port, _other(self._order, each))

    def check(self) -> None:
        """Hold what fills the port against what makes a solution stable."""
        after, port = self._after, self._port
        coming = {each for each, manifest in after.put.items() if port in asked(manifest, after.known.ports)}
        staying = after.known.asking.get(port, set()).difference(after.gone, after.put)
        askers = coming | staying
        first, second = (*self._order, None, None)[:2]
        if first in askers:
            self._check_filler(second, first, {first})
        if askers - {first}:
            self._check_filler(first, "", askers - {first})

    def _check_filler(self, filler: str | None, but: str, askers: Collection[str]) -> None:
        after, port = self._after, self._port
        required = any(asked(after.manifest(each), after.known.ports)[port] for each in askers)
        for_now = _other(self._for_now, but)
        if filler is None or for_now is None:
            if required:
                raise Unsettled
            return
        if filler in after.gone or (for_now != filler and not after.is_core(for_now)):
            raise Unsettled
        if not required:
            return
        if not after.is_core(filler) and any(after.others(port, filler, each) for each in askers):
            raise Unsettled
        names = after.request.selected.get(port)
        if names and all((each.port, each.name) != (port, names[0]) for each in after.manifest(filler).provides):
            raise Unsettled


def _other(order: Sequence[str], asker: str) -> str | None:
    return next((each for each in order if each != asker), None)
