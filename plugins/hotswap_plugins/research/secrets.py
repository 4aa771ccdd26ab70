"""Secrets inside addresses: a password, a token in the query. They are sent to the site and shown to nobody."""

from __future__ import annotations

import re
from urllib.parse import unquote_plus, urlsplit, urlunsplit

MASK = "***"
_NAME = re.compile(r"(?i)token|secret|passw|pwd|api[-_.]?key|signature|credential|session|^key$|^sig$|^auth$")
_SHORTEST = 3
"""A shorter secret is masked in its address alone: taking every "a" out of a message would hide the message."""


def masked(url: str) -> str:
    """Return ``url`` without user name, password and the values of parameters whose names say that they are secret."""
    parts = urlsplit(url)
    netloc = f"{MASK}@{parts.netloc.rpartition('@')[2]}" if "@" in parts.netloc else parts.netloc
    query = "&".join(_masked_parameter(each) for each in parts.query.split("&"))
    return urlunsplit((parts.scheme, netloc, parts.path, query, parts.fragment))


def redact(text: str, url: str) -> str:
    """Return ``text``, which may quote ``url``, without the secrets of that address."""
    text = text.replace(url, masked(url))
    for secret in sorted(_secrets(url), key=len, reverse=True):
        text = text.replace(secret, MASK)
    return text


def _masked_parameter(parameter: str) -> str:
    name, equals, value = parameter.partition("=")
    return f"{name}={MASK}" if equals and value and _NAME.search(unquote_plus(name)) else parameter


def _secrets(url: str) -> set[str]:
    parts = urlsplit(url)
    userinfo = parts.netloc.rpartition("@")[0]
    user, _, password = userinfo.partition(":")
    raw = [password or user]
    for parameter in parts.query.split("&"):
        name, _, value = parameter.partition("=")
        if _NAME.search(unquote_plus(name)):
            raw.append(value)
    return {each for secret in raw for each in (secret, unquote_plus(secret)) if len(each) >= _SHORTEST}
