"""Two versions of a plugin, and which semantic version step lies between them.

======  ==============================================================================================================
step    what makes it one
======  ==============================================================================================================
major   who uses the plugin may have to change something: a provider or a setting is gone, a setting is required or
        takes less than it did, more is wanted of the host (a port, a plugin, a Python version or distribution), a
        conflict is new
minor   there is more: a provider, a setting, an optional requirement; or it wants to touch more, which a user has to
        grant
patch   nothing of that
======  ==============================================================================================================

Before 1.0.0 anything may change at a minor step, as semver.org has it (item 4): there ``major`` asks for a minor step.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import attrs
from attrs import frozen
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from hotswap.errors import AnotherPlugin, HotswapError, VersionStepTooSmall
from hotswap.manifest.change import Change as Change
from hotswap.manifest.change import Step as Step
from hotswap.manifest.model import Capabilities, Manifest
from hotswap.manifest.settings_comparison import changes_of_settings


@frozen
class Compared:
    """What lies between two versions of a plugin."""

    changes: list[Change]
    step: Step
    """The step that the changes ask for."""
    problem: HotswapError | None = None

    old: str = ""
    """The older version."""

    @property
    def summary(self) -> str:
        """The step in words."""
        if self.step is Step.NONE:
            return f"no change since {self.old}."
        return f"a {self.step.label} step from {self.old}."

    @classmethod
    def of(cls, old: Manifest, new: Manifest) -> Compared:
        """Compare a version with an older one; one that is the same in everything needs no step."""
        if old.id != new.id:
            return cls([], Step.NONE, AnotherPlugin(new.id, old.id))
        if attrs.evolve(old, path=None) == attrs.evolve(new, path=None):
            return cls([], Step.NONE, old=old.raw_version)
        found = changes(old, new)
        wanted, taken = step_wanted(found), step_taken(old.version, new.version)
        # Below 1.0.0 there is no number for what is new and breaks nothing: a patch will do.
        enough = Step.PATCH if wanted is Step.MINOR and old.version.major == 0 else wanted
        if taken >= enough:
            return cls(found, wanted, old=old.raw_version)
        stays = "its manifest is another one, and the version stays where it was"
        reasons = [each.text for each in found if each.step is wanted]
        reasons = reasons or [stays if old.version == new.version else "it goes back"]
        least = least_version(old.version, wanted)
        versions = (old.raw_version, new.raw_version, least)
        return cls(found, wanted, VersionStepTooSmall(new.id, *versions, wanted.label, reasons))


def changes(old: Manifest, new: Manifest) -> list[Change]:
    """Return what differs between two versions of a plugin, the most serious first."""
    found = [
        *_providers(old, new),
        *changes_of_settings(old.config.schema, new.config.schema),
        *_env_vars(old.config.env_vars, new.config.env_vars),
        *_capabilities(old.capabilities, new.capabilities),
        *_needs("port", {each.port: each for each in old.requires}, {each.port: each for each in new.requires}),
        *_needs("plugin", {each.id: each for each in old.dependencies}, {each.id: each for each in new.dependencies}),
        *_host(old, new),
    ]
    return sorted(found, key=lambda each: -each.step)


def step_wanted(found: list[Change]) -> Step:
    """Return the step that these changes ask for; a patch where there are none."""
    return max((each.step for each in found), default=Step.PATCH)


def step_taken(old: Version, new: Version) -> Step:
    """Return the step between two versions; none where it does not go forwards."""
    if new <= old:
        return Step.NONE
    before, after = (*old.release, 0, 0)[:3], (*new.release, 0, 0)[:3]
    for step, place in ((Step.MAJOR, 0), (Step.MINOR, 1), (Step.PATCH, 2)):
        if after[place] != before[place]:
            # Below 1.0.0 the minor number is the one that says that something breaks.
            early = before[0] == 0 and after[0] == 0
            return Step.MAJOR if early and step is Step.MINOR else step
    return Step.PATCH


def least_version(old: Version, step: Step) -> str:
    """Return the least version that a step from ``old`` leads to."""
    major, minor, patch = (*old.release, 0, 0)[:3]
    if step is Step.MAJOR:
        return f"{major + 1}.0.0" if major else f"0.{minor + 1}.0"
    return f"{major}.{minor + 1}.0" if step is Step.MINOR and major else f"{major}.{minor}.{patch + 1}"


def _providers(old: Manifest, new: Manifest) -> Iterator[Change]:
    before, after = ({(each.port, each.name): each for each in one.provides} for one in (old, new))
    for port, name in before.keys() - after.keys():
        yield Change(Step.MAJOR, f"the provider {name} of the port {port} is gone")
    for port, name in after.keys() - before.keys():
        yield Change(Step.MINOR, f"the provider {name} of the port {port} is new")


def _env_vars(old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[Change]:
    for name in sorted(old):
        if new.get(name) != old[name]:
            yield Change(Step.MAJOR, f"{name} is not read from {old[name]} any more")
    for name in sorted(new.keys() - old.keys()):
        yield Change(Step.MINOR, f"{name} can be read from {new[name]}")


def _capabilities(old: Capabilities, new: Capabilities) -> Iterator[Change]:
    for each in attrs.fields(Capabilities):
        before, after = getattr(old, each.name), getattr(new, each.name)
        if after and not before:
            yield Change(Step.MINOR, f"it wants the capability {each.name}")
        elif isinstance(before, tuple) and (after is True or set(after or ()) - set(before)):
            yield Change(Step.MINOR, f"it wants more of the capability {each.name}")


def _needs(what: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Change]:
    for name in sorted(new.keys() - old.keys()):
        optional = new[name].optional
        text = f"it {'can use' if optional else 'requires'} the {what} {name}"
        yield Change(Step.MINOR if optional else Step.MAJOR, text)
    for name in sorted(new.keys() & old.keys()):
        before, after = old[name], new[name]
        if before.optional and not after.optional:
            yield Change(Step.MAJOR, f"the {what} {name} is not optional any more")
        if not _within(before.specifier, after.specifier):
            yield Change(Step.MAJOR, f"it takes other versions of the {what} {name}: {after.specifier or 'any'}")


def _within(old: SpecifierSet, new: SpecifierSet) -> bool:
    """Return whether every version that the old range is likely to have held is held by the new one.

    Ranges are tried at their own ends, and right before and after them.
    """
    if old == new or not str(new):
        return True
    tried = {Version("0")}
    for each in (*old, *new):
        major, minor, patch = (*Version(each.version.removesuffix(".*")).release, 0, 0)[:3]
        tried |= {Version(f"{major}.{minor}.{number}") for number in (max(patch - 1, 0), patch, patch + 1)}
        tried |= {Version(f"{number}.0.0") for number in (max(major - 1, 0), major, major + 1)}
    return all(new.contains(each) for each in tried if old.contains(each))


def _host(old: Manifest, new: Manifest) -> Iterator[Change]:
    if new.host.min_version > old.host.min_version:
        yield Change(Step.MAJOR, f"it needs {new.dialect} {new.host.min_version}")
    last, was = new.host.max_version, old.host.max_version
    if last is not None and (was is None or last < was):
        yield Change(Step.MAJOR, f"it does not go with {new.dialect} after {last}")
    before, after = old.python, new.python
    if before is not None and after is not None:
        if not _within(before.python_version, after.python_version):
            yield Change(Step.MAJOR, f"it needs Python {after.python_version}")
        for each in sorted(set(after.dependencies) - set(before.dependencies)):
            yield Change(Step.MAJOR, f"it needs the Python distribution {each}")
    for each in sorted({one.id for one in new.conflicts} - {one.id for one in old.conflicts}):
        yield Change(Step.MAJOR, f"it does not go with the plugin {each}")
