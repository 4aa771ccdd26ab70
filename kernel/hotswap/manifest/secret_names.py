"""Which settings are secrets, by their schema or by their name, and how one is shown."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

MASK = "***"

_SECRET = re.compile(r"passw(or)?d|passphrase|(^|[_.-])pwd|secret|credential|private[_.-]?key", re.IGNORECASE)
_SECRET_TEXT = re.compile(
    r"(?i:(keys?|tokens?)($|[_.-]))|(Key|Token)s?($|[A-Z])|(?i:(^|[_.-])(auth|authorization|cookies?|dsn|pin)($|[_.-]))"
)
_IN_ADDRESS = re.compile(r"(?<=://)([^/?#@\s:]*):([^/?#\s]+)(?=@)")

_IN_QUERY = re.compile(r"(?<=[?&])([^?&=#\s]+)=([^&#\s]+)")


def is_secret(name: str, schema: Mapping[str, Any], value: Any) -> bool:
    """Return whether the setting ``name`` must not be shown.

    A name such as ``api_key`` or ``token`` is taken for a secret's unless it holds a number, as ``max_tokens`` does:
    masking too much is the smaller mistake. True and false are no secrets by their name.
    """
    if schema.get("writeOnly") is True or schema.get("format") == "password":
        return True
    if isinstance(value, bool):
        return False
    return bool(_SECRET.search(name) or (not isinstance(value, (int, float)) and _SECRET_TEXT.search(name)))


def masked_text(text: str) -> tuple[str, set[str]]:
    """Return ``text`` without what addresses in it keep secret, and those secrets.

    They are passwords (``postgres://user:password@host``) and parameters with a secret's name (``?token=...``).
    """
    found = {match[2] for match in _IN_ADDRESS.finditer(text)}
    text = _IN_ADDRESS.sub(rf"\1:{MASK}", text)
    if "://" not in text:
        return text, found

    def masked(match: re.Match[str]) -> str:
        if not is_secret(match[1], {}, match[2]):
            return match[0]
        found.add(match[2])
        return f"{match[1]}={MASK}"

    return _IN_QUERY.sub(masked, text), found
