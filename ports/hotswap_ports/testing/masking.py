"""What is taken out of a cassette before it is written: what a name says is a secret, and what the recorder is told."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection

MASK = "***"

_SECRET = re.compile(
    r"(^|[._-])(authorization|auth|bearer|cookies?|credentials?|jwt|passw(or)?d|passphrase|pwd|secrets?|session[._-]?id)$"
    r"|(^|[._-])(access|api|private|secret|subscription)[._-]?key$"
    r"|(^|(^|[._-])(access|api|auth|bearer|csrf|id|refresh|security|session|x)[._-]?)token$",
    re.IGNORECASE,
)
_HUMPS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_IN_ADDRESS = re.compile(r"(?<=://)([^/?#@\s:]*):([^/?#\s]+)(?=@)")
_IN_QUERY = re.compile(r"(?<=[?&])([^?&=#\s]+)=([^&#\s]+)")


def same(text: str) -> str:
    """Return a text as it is."""
    return text


class Masking:
    """Takes out secrets.

    Args:
        scrub: told every text: in values and in the keys of mappings, and of bytes what they are in UTF-8. Bytes that
            are none are told with each byte that does not belong as a lone surrogate (``surrogateescape``), so that
            what is left comes back byte for byte.
        keep: names that are no secrets, although they say so.
    """

    def __init__(self, scrub: Callable[[str], str] = same, keep: Collection[str] = ()) -> None:
        if isinstance(keep, str):
            keep = (keep,)
        self._scrub = scrub
        self._keep = frozenset(each.lower() for each in keep)

    def hides(self, name: object) -> bool:
        """Return whether what has this name is a secret: ``Authorization``, ``api_key``, ``accessToken``."""
        if not isinstance(name, str) or name.lower() in self._keep:
            return False
        return _SECRET.search(_HUMPS.sub("_", name)) is not None

    def text(self, text: str) -> str:
        """Return a text without secrets: passwords and secret parameters of URLs, and what the scrub takes out."""
        if "://" in text:
            text = _IN_ADDRESS.sub(rf"\1:{MASK}", text)
        scrubbed = self._scrub(_IN_QUERY.sub(self._parameter, text))
        if not isinstance(scrubbed, str):
            raise TypeError(f"scrub returned {scrubbed!r}, and no text")
        return scrubbed

    def data(self, data: bytes) -> bytes:
        """Return bytes without secrets."""
        text = data.decode("utf-8", "surrogateescape")
        return self.text(text).encode("utf-8", "surrogateescape")

    def _parameter(self, found: re.Match[str]) -> str:
        return f"{found[1]}={MASK}" if self.hides(found[1]) else found[0]
