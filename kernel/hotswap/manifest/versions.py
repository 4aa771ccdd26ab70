"""Versions and version ranges, parsed once each: a catalog of a thousand plugins holds the same few over and over."""

from __future__ import annotations

import re
from functools import lru_cache

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version

SEMVER = (
    r"^(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)"
    r"(-(0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*)(\.(0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*))*)?"
    r"(\+[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?$"
)
"""The grammar of semver.org 2.0.0, in the notation that Python and JSON Schema share."""

_ONE = r"(~=|===?|!=|<=?|>=?)\s*[^,;\s=<>~!][^,;\s]*"  # a version begins with no sign: else there are 2**n ways to fail
SPECIFIER = rf"^\s*(\*|{_ONE}(\s*,\s*{_ONE})*)\s*$"
"""The outline of a PEP 440 range, or ``*`` for any version."""

_MEMO = 16_384  # distinct texts; past that the oldest are parsed again


@lru_cache(_MEMO)
def version_of(text: str) -> Version:
    """Return the version that ``text`` says; equal texts share one object. Raises ``InvalidVersion`` of packaging."""
    return Version(text)


@lru_cache(_MEMO)
def specifier_of(text: str) -> SpecifierSet:
    """Return the range that ``text`` says, ``*`` and an empty text being any version.

    Equal texts share one object: nobody may set its ``prereleases``. Raises ``packaging.specifiers.InvalidSpecifier``.
    """
    return SpecifierSet("" if text.strip() == "*" else text)


def why_not_semantic(text: str) -> str:
    """Return why ``text`` is no version for a plugin, or an empty string when it is one.

    A plugin's version has two readers: people know semantic versions, and the resolver orders them with packaging.
    """
    if not re.fullmatch(SEMVER, text):
        return "it is written MAJOR.MINOR.PATCH with an optional pre-release, as in 1.4.0 or 2.0.0-rc.1"
    prerelease = "-" in text.partition("+")[0]
    try:
        # packaging reads `1.0.0-1` as a release *after* 1.0.0, semver as one before it
        readable = version_of(text).is_prerelease == prerelease
    except InvalidVersion:
        readable = False
    return (
        "" if readable else "Python's packaging cannot order this pre-release: write -alpha.N, -beta.N, -rc.N or -dev.N"
    )


def why_no_range(text: str) -> str:
    """Return why ``text`` is no version range, with what to write instead, or an empty string when it is one."""
    bare = text.strip()
    if re.fullmatch(r"v?[0-9][0-9A-Za-z.+-]*", bare):
        number = bare.lstrip("v")
        return f'a range begins with a comparison: write "=={number}" for exactly that, or ">={number}"'
    if not bare:
        return 'write "*" for any version'
    try:
        specifier_of(text)
    except InvalidSpecifier:
        return 'it is written as in ">=1.2,<2", "~=1.4" or "*"'
    return "" if re.fullmatch(SPECIFIER, text) else 'it is written as in ">=1.2,<2", "~=1.4" or "*"'
