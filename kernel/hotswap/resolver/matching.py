"""Questions to ``packaging``, each asked once: whether a range holds a version, and what a requirement line says."""

from __future__ import annotations

from functools import lru_cache

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version

_LIMIT = 20_000
answers: dict[tuple[int, int], tuple[SpecifierSet, Version, bool]] = {}
"""What ``holds`` remembers; the one loop that cannot afford the call reads it directly."""


def holds(specifier: SpecifierSet, version: Version) -> bool:
    """Return whether ``specifier`` allows ``version``; a pre-release counts like any version.

    Remembered by identity: hashing a ``SpecifierSet`` costs three times what the answer does. An entry keeps both
    objects alive, so that neither id can come to mean another one.
    """
    key = (id(specifier), id(version))
    known = answers.get(key)
    if known is None:
        if len(answers) >= _LIMIT:
            answers.clear()
        known = answers[key] = (specifier, version, specifier.contains(version, prereleases=True))
    return known[2]


def forget() -> None:
    """Drop all answers: for measuring, and for a host that has read its whole catalog anew."""
    answers.clear()


@lru_cache(maxsize=10_000)
def requirement(line: str) -> Requirement | None:
    """Return the requirement that ``line`` states; None when it is not one."""
    try:
        return Requirement(line)
    except InvalidRequirement:
        return None


@lru_cache(maxsize=10_000)
def applies(line: str, python: Version) -> bool:
    """Return whether the marker of the requirement ``line`` is true for ``python`` on this platform."""
    parsed = requirement(line)
    if parsed is None or parsed.marker is None:
        return True
    release = ".".join(str(each) for each in (*python.release, 0)[:2])
    return parsed.marker.evaluate({"python_version": release, "python_full_version": str(python), "extra": ""})
