"""What is asked of the resolver and what it answers: frozen values, cheap to import.

The rules
---------
A *solution* is a set of plugins, one version each, and a provider for each port that one of them requires, such that

1. every wanted plugin is in it, in a version its range allows; no excluded plugin is;
2. each plugin can be used here: its host range holds ``hosts[dialect]`` (both ends belong to it), its Python range
   holds ``python``, the distributions it names are installed (markers are evaluated for ``python``; of a requirement
   with extras the distribution itself is looked at), the ports it provides and requires exist in ``ports``, and its
   range for a required port holds that port's own version;
3. each required dependency is in it, in a version the range allows; an optional one is either absent or in range;
4. none of its ``conflicts`` is in it (one with its own id says nothing: two versions of a plugin never meet);
5. each required port is provided by *another* plugin in it. An optional port is bound where a provider is in the
   solution anyway and never pulls one in; else it is bound to ``None``, as is one this host does not know;
6. it can be started one plugin after another, each after all its required dependencies and after the provider of each
   port it requires. That is: required edges have no cycle for at least one choice of providers. Optional edges shape
   the order where they can and are dropped where they would close a circle;
7. each plugin is wanted, or required by another one in it (by id, or as the provider of a port).

A range holds a pre-release that lies in it; being picked last is what sets a pre-release apart. Which solution:
versions by preference (locked, active, newest final release, newest pre-release); providers selected in the settings,
then wanted (of these locked, active, any), then locked, active, any other; ties by id. These are preferences:
something less preferred is taken where the preferred one leads to no solution. The order of the input plays no part.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from attrs import field, frozen
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from hotswap.manifest.model import Manifest


@frozen
class Request:
    """Everything a solution depends on."""

    versions: Mapping[str, Sequence[Manifest]]
    """The catalog: plugin id -> its manifests, in any order."""
    wanted: Mapping[str, SpecifierSet]
    """Plugins the user enabled, and the versions allowed of each."""
    ports: Mapping[str, Version]
    """Ports this host knows, with the version of the port itself."""
    hosts: Mapping[str, Version]
    """Manifest dialect -> the host version it is held against."""
    python: Version
    """The interpreter that plugins would run in."""
    distributions: Callable[[str], Version | None]
    """Installed version of a Python distribution; None when it is not there."""
    selected: Mapping[str, tuple[str, ...]] = field(factory=dict)
    """Port -> names of the providers preferred for it, best first."""
    locked: Mapping[str, Version] = field(factory=dict)
    active: Mapping[str, Version] = field(factory=dict)
    excluded: frozenset[str] = frozenset()
    """Ids that may not be used, though they are in the catalog."""


@frozen
class Chosen:
    """One plugin of a solution."""

    id: str
    version: Version
    reason: str
    """Why it is there, as a sentence without a subject: ``enabled in the settings``."""
    required_by: tuple[str, ...] = ()
    """Ids of the plugins that require it, by id or for a port; sorted."""
    ports: Mapping[str, str | None] = field(factory=dict)
    """Each port it requires -> id of the plugin that fills it; None for an optional port that nobody fills."""


class Solution:
    """Plugins in start order: what is required comes before what requires it, ties by id."""

    __slots__ = ("_plugins", "_read")

    def __init__(self, plugins: tuple[Chosen, ...]) -> None:
        self._plugins: tuple[Chosen, ...] | None = plugins
        self._read: Callable[[], tuple[Chosen, ...]] = lambda: plugins

    @classmethod
    def later(cls, read: Callable[[], tuple[Chosen, ...]]) -> Solution:
        """Return a solution that is read when somebody asks what it says."""
        solution = cls(())
        solution._plugins, solution._read = None, read
        return solution

    @property
    def plugins(self) -> tuple[Chosen, ...]:
        """The plugins, with the reason for each."""
        if self._plugins is None:
            self._plugins = self._read()
        return self._plugins

    def versions(self) -> dict[str, Version]:
        """Return the version of each plugin, in start order."""
        return {each.id: each.version for each in self.plugins}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Solution) and (self is other or self.plugins == other.plugins)

    def __hash__(self) -> int:
        return hash(self.plugins)

    def __repr__(self) -> str:
        return f"Solution(plugins={self.plugins!r})"


@frozen
class Problem:
    """One rule that a set of versions breaks."""

    plugin: str
    text: str
    """A whole sentence without its full stop."""

    def __str__(self) -> str:
        return self.text


@frozen
class Origin:
    """A line of the problem, as a person would say it: where a clause of the formula comes from."""

    kind: str
    """wanted, excluded, depends, optional, conflicts, port, unusable, loop, or one (one version of each plugin)."""
    plugin: str
    """The plugin that says it; for wanted and excluded the plugin it is said of."""
    version: str = ""
    target: str = ""
    """The plugin or port it is said of."""
    text: str = ""
    """A range, or the reason why a version cannot be used."""
    cycle: tuple[str, ...] = ()


@frozen
class Refusal:
    """There is no solution: ``core`` is a set of lines that cannot hold together; none of them can be left out."""

    core: tuple[Origin, ...]
    gave_up: bool = False
    """True when the search used up its budget, so that nothing is proven."""
