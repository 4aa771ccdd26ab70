"""The kinds of values that ``plugin.toml`` is made of: ids, versions, licences, addresses, names of code."""

from __future__ import annotations

import keyword
import re
from functools import lru_cache

from hotswap.manifest.kinds import LINE, PROSE, Either, Flag, ListOf, Text
from hotswap.manifest.versions import SEMVER, SPECIFIER, why_no_range, why_not_semantic

_NAME = r"[A-Za-z_][A-Za-z0-9_]*"


def why_no_licence(text: str) -> str:
    """Return why ``text`` is no SPDX expression, or an empty string when it is one."""
    return "" if licence_of(text) else "write identifiers from the SPDX list, as in MIT or Apache-2.0 OR BSD-3-Clause"


@lru_cache(1024)
def licence_of(text: str) -> str:
    """Return the SPDX expression in its canonical spelling (``mit`` becomes ``MIT``); empty when it is none."""
    from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression

    try:
        return canonicalize_license_expression(text)
    except InvalidLicenseExpression:
        return ""


@lru_cache(4096)
def why_no_requirement(text: str) -> str:
    """Return why ``text`` is no requirement on a Python distribution (PEP 508), or an empty string when it is one."""
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        Requirement(text)
    except InvalidRequirement:
        return 'write it as pip takes it: "httpx>=0.27" or "numpy>=1.26; python_version < \'3.13\'"'
    return ""


def why_no_entry_point(text: str) -> str:
    """Return why ``text`` names no code inside the plugin, or an empty string when it does."""
    if reason := why_no_file(text):
        return reason
    if "/" in text or text.endswith(".py"):
        return ""
    return "" if _is_dotted_name(text) else 'a module is written as in "polite_scraper", a file as in "src/main.py"'


def why_no_file(text: str) -> str:
    """Return why ``text`` does not stay inside the folder of ``plugin.toml``, or an empty string when it does."""
    if text.startswith(("/", "~")) or "\\" in text or ":" in text:
        return "it is relative to plugin.toml and written with /"
    if ".." in text.split("/"):
        return "it may not leave the folder of plugin.toml"
    return ""


def why_no_class(text: str) -> str:
    """Return why ``text`` cannot name a class, or an empty string when it can."""
    return "" if _is_dotted_name(text) else 'it is a Python name, as in "PoliteScraper" or "browser.BrowserScraper"'


def _is_dotted_name(text: str) -> bool:
    return all(re.fullmatch(_NAME, part) and not keyword.iskeyword(part) for part in text.split("."))


INSIDE = r"^(?![/~])(?!(.*/)?\.\.(/|$))[^\\:\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]+$"
"""A path that is relative and does not climb."""

TEXT = Text("a text of one line that is not empty", LINE)
PARAGRAPH = Text("a text", PROSE, longest=20_000)
TEXTS = ListOf(TEXT, "texts")
SCRIPTS = ListOf(PARAGRAPH, "texts")
FLAG = Flag()
PLUGIN_ID = Text("a plugin id (lower-case letters, digits and dashes, a letter first)", r"^[a-z][a-z0-9-]*$")
PORT = Text("a port's name (lower-case letters, digits, and . _ - between them)", r"^[a-z][a-z0-9]*([._-][a-z0-9]+)*$")
VERSION = Text("a semantic version", SEMVER, why_not_semantic)
VERSIONS = ListOf(VERSION, "semantic versions")
RANGE = Text("a version range", SPECIFIER, why_no_range)
LICENCE = Text("an SPDX licence expression", LINE, why_no_licence)
ENTRY_POINT = Text("a module, or a path relative to plugin.toml", INSIDE, why_no_entry_point)
FILE = Text("a path relative to plugin.toml", INSIDE, why_no_file)
CLASS = Text("the name of a class", rf"^{_NAME}(\.{_NAME})*$", why_no_class)
IDENTIFIER = Text("the name of a class", rf"^{_NAME}$", lambda text: why_no_class(text) if "." not in text else "")
REQUIREMENTS = ListOf(Text("a requirement on a Python distribution", LINE, why_no_requirement), "requirements")
URL = Text(
    "an address that begins with http:// or https://",
    r"^https?://[^\s/?#@\\\u0000-\u0020\u007f-\u009f\u2028-\u202e]+([/?#][^\s\\\u0000-\u0020\u007f-\u009f\u2028-\u202e]*)?$",
)
PICTURE = Text(
    "a path relative to plugin.toml, or an address that begins with https://",
    rf"^(https://[^\s\\\u0000-\u0020]+|{INSIDE[1:-1]})$",
    lambda text: "" if text.startswith("https://") else why_no_file(text),
)
ENV_VAR = Text("the name of an environment variable", r"^[A-Za-z_][A-Za-z0-9_]*$")
SETTING = Text("the name of a setting, with dots into a table", LINE)
HOST = Text(
    "a host name, as in api.example.org or *.example.org:8443",
    r"^((\*\.)?[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?)*|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?$",
)
HOSTS = Either((FLAG, ListOf(HOST, "host names")))
PATHS = Either((FLAG, ListOf(TEXT, "paths")))
