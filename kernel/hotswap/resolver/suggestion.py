"""The smallest change that would solve a request: each one is made and solved again before it is named."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from attrs import evolve
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from hotswap.manifest.model import Manifest
from hotswap.resolver.index import Index
from hotswap.resolver.matching import holds
from hotswap.resolver.model import Origin, Request, Solution
from hotswap.resolver.usability import obstacles

_TRIALS = 25

_Change = tuple[Request, Callable[[Solution], str]]
"""A changed request, and what to say when it has a solution."""


def suggest(request: Request, core: Sequence[Origin]) -> str:
    """Return what to change, as a sentence; an empty string when no single change was found.

    In this order: allow another version of something enabled, lift an exclusion, install a Python distribution, install
    another version of a plugin, disable something (what is not active yet first).
    """
    from hotswap.resolver.solving import decide  # solving leads here: this is the way back

    for number, (changed, sentence) in enumerate(_changes(request, core)):
        if number >= _TRIALS:
            break
        answer = decide(changed)
        if isinstance(answer, Solution):
            return sentence(answer)
    return ""


def _changes(request: Request, core: Sequence[Origin]) -> Iterator[_Change]:
    wanted = dict.fromkeys(each.plugin for each in core if each.kind == "wanted")
    for plugin in wanted:
        if str(request.wanted[plugin]):
            yield _loose(request, plugin), _allow(plugin, request.wanted[plugin])
    named = dict.fromkeys(name for each in core for name in (each.plugin, each.target) if name in request.versions)
    index = Index(request)
    providers = dict.fromkeys(name for each in core if each.kind == "port" for name in index.providers(each.target))
    for plugin in {**named, **providers}:
        if plugin in request.excluded:
            yield evolve(request, excluded=request.excluded - {plugin}), _say(f"Take {plugin} out of what is excluded.")
    yield from _installable(request, core)
    yield from _other_versions(request, core, list(named))
    if len(request.wanted) > 1:
        for plugin in sorted(wanted, key=lambda each: (each in request.active or each in request.locked, each)):
            rest = {each: specifier for each, specifier in request.wanted.items() if each != plugin}
            sentence = f"`hotswap plugin disable {plugin}`: all the rest can be had without it."
            yield evolve(request, wanted=rest), _say(sentence)


def _installable(request: Request, core: Sequence[Origin]) -> Iterator[_Change]:
    for plugin in dict.fromkeys(each.plugin for each in core if each.kind == "unusable"):
        manifests = sorted(request.versions[plugin], key=lambda each: each.version, reverse=True)
        for manifest in manifests:
            found = obstacles(manifest, request)
            if found and all(each.install for each in found) and manifest.python is not None:
                freed = evolve(manifest, python=evolve(manifest.python, dependencies=()))
                lines = " ".join(f"'{each.install}'" for each in found)
                sentence = f"`pip install {lines}`: then {plugin} {manifest.version} can be used."
                yield _with(request, freed), _say(sentence)


def _other_versions(request: Request, core: Sequence[Origin], named: Sequence[str]) -> Iterator[_Change]:
    """Imagine a version of a plugin that is in every range asked for and asks for nothing."""
    for plugin in named:
        ranges = {each.text: None for each in core if each.kind == "depends" and each.target == plugin}
        manifests = request.versions[plugin]
        if not ranges or plugin in request.excluded:
            continue
        own = request.wanted.get(plugin)
        specifiers = [SpecifierSet(each) for each in ranges] + ([own] if own is not None else [])
        known = {each.version for each in manifests}
        newest = max(manifests, key=lambda each: each.version)
        free = [each for each in _versions(specifiers) if each not in known]
        if free:
            version = next((each for each in free if each > newest.version), free[0])
            other = evolve(newest, version=version, dependencies=(), conflicts=(), requires=(), python=None)
            other = evolve(other, host=evolve(newest.host, min_version=Version("0"), max_version=None))
            there = ", ".join(str(each) for each in sorted(known, reverse=True)[:4])
            texts = sorted({str(each) for each in specifiers} - {""})
            text = ",".join(texts)
            what = f"{plugin} {text}"
            if not texts or len(texts) > 2:
                what = f"a version of {plugin} that is in all of these ranges, {version} for one"
            yield _with(request, other), _say(f"Install {what} (found: {there}).")


def _say(sentence: str) -> Callable[[Solution], str]:
    return lambda answer: sentence


def _loose(request: Request, plugin: str) -> Request:
    """Ask for any version of a plugin: the newest, and not the one that is there by chance."""
    locked, active = (
        {key: each for key, each in of.items() if key != plugin} for of in (request.locked, request.active)
    )
    return evolve(request, wanted={**request.wanted, plugin: SpecifierSet()}, locked=locked, active=active)


def _allow(plugin: str, held: SpecifierSet) -> Callable[[Solution], str]:
    return lambda answer: f"Allow {plugin} {answer.versions()[plugin]}: it was asked for as {held}."


def _with(request: Request, manifest: Manifest) -> Request:
    others = [each for each in request.versions[manifest.id] if each.version != manifest.version]
    return evolve(request, versions={**request.versions, manifest.id: [*others, manifest]})


def _versions(specifiers: Sequence[SpecifierSet]) -> Iterator[Version]:
    """Return versions in every one of the ranges, looked for at their ends and right after them."""
    ends = {Version(part.version.removesuffix(".*")) for each in specifiers for part in each if part.operator != "==="}
    tried = set(ends)
    for end in ends:
        major, minor, micro = (*end.release, 0, 0, 0)[:3]
        tried |= {Version(f"{major}.{minor}.{micro + 1}"), Version(f"{major}.{minor + 1}"), Version(f"{major + 1}")}
    for version in sorted(tried):
        if all(holds(each, version) for each in specifiers):
            yield version
