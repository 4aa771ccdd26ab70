"""Charsets: bytes to text, by byte order mark, by what they are, and only then by what they say they are."""

from __future__ import annotations

import codecs
import logging
import re

from hotswap_ports.errors import InvalidContent

_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_META = re.compile(rb"""<meta[^>]{0,200}?charset\s*=\s*["']?\s*([A-Za-z0-9_.:-]{1,40})""", re.I)
_XML = re.compile(rb"""<\?xml[^>]{0,100}?encoding\s*=\s*["']([A-Za-z0-9_.:-]{1,40})""", re.I)
_HEAD = 4096  # the HTML standard has a charset declared within 1,024 bytes; real pages are late
_SAMPLE = 65536

# Supersets that browsers read these labels as (https://encoding.spec.whatwg.org/#names-and-labels).
_READ_AS = {
    "ascii": "cp1252", "iso8859-1": "cp1252", "iso8859-9": "cp1254", "gb2312": "gb18030", "gbk": "gb18030",
    "shift_jis": "cp932", "euc_kr": "cp949", "big5": "big5hkscs", "tis-620": "cp874", "iso8859-11": "cp874",
}  # fmt: skip
_ESCAPED = frozenset(
    {"iso2022_jp", "iso2022_jp_1", "iso2022_jp_2", "iso2022_jp_3", "iso2022_jp_ext", "iso2022_kr", "hz"}
)
_WIDE = frozenset({"utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"})
_ALLOWED = re.compile(
    r"cp\d+|iso8859-\d+|koi8-[rtu]|mac-\w+|gb\w+|big5\w*|euc_\w+|shift_jis\w*|johab|utf-8|tis-620|ptcp154"
)

logging.getLogger("charset_normalizer").addHandler(logging.NullHandler())


def decode(body: bytes, declared: str | None, where: object) -> str:
    """Return the text of ``body``.

    A byte order mark wins. UTF-8 is tried before ``declared`` (a header's charset), for text in another charset is
    hardly ever valid UTF-8, and headers are often wrong. Then what the document says of itself, then what its bytes
    look like.

    Raises:
        InvalidContent: no charset gives text.
    """
    for bom, codec in _BOMS:
        if body.startswith(bom):
            return body.decode(codec, errors="replace")
    head = body[:_HEAD]
    said = [_codec(declared)]
    said += [_codec(found[1].decode("ascii")) for found in (_XML.search(head), _META.search(head)) if found]
    if said[0] in _WIDE:
        return body.decode(said[0] or "", errors="replace")
    strict = [each for each in said if each in _ESCAPED] + ["utf-8"]
    for codec in [*strict, *(each for each in said if each and each not in _WIDE)]:
        try:
            return body.decode(codec)
        except UnicodeDecodeError:
            continue
    return _guess(body, where)


def _guess(body: bytes, where: object) -> str:
    from charset_normalizer import from_bytes

    matches = from_bytes(body[:_SAMPLE])
    best = matches.best()
    if best is None:
        raise InvalidContent(f"{where} is no text in any charset that could be recognised.")
    # Among equals it goes by the alphabet, and would read Western European text as Central European.
    equal = (each for each in matches if (each.chaos, each.coherence) == (best.chaos, best.coherence))
    western = any("cp1252" in each.could_be_from_charset for each in equal)
    return body.decode("cp1252" if western else best.encoding, errors="replace")


def _codec(label: str | None) -> str | None:
    """Return Python's name of a charset, None for one that is unknown, or that is no charset (``unicode_escape``)."""
    if not label:
        return None
    try:
        name = codecs.lookup(label.strip()).name
    except (LookupError, ValueError):
        return None
    name = _READ_AS.get(name, name)
    return name if name in _WIDE or name in _ESCAPED or _ALLOWED.fullmatch(name) else None
