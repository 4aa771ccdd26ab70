"""Media types: what a body is, by what its server says, its name, and its first bytes."""

from __future__ import annotations

import codecs
import mimetypes
import re
from email.message import Message
from pathlib import PurePath

from hotswap_ports.errors import InvalidContent

HTML = frozenset({"text/html", "application/xhtml+xml"})
MARKDOWN = frozenset({"text/markdown", "text/x-markdown"})

_TEXTUAL = frozenset(
    {
        "application/ecmascript", "application/graphql", "application/javascript", "application/json",
        "application/jsonl", "application/ld+json", "application/sql", "application/toml", "application/x-javascript",
        "application/x-ndjson", "application/x-sh", "application/x-tex", "application/x-yaml", "application/xml",
        "application/yaml",
    }
)  # fmt: skip
_UNKNOWN = frozenset({"", "application/octet-stream", "binary/octet-stream", "application/unknown"})
_BINARY_TEXT = frozenset({"text/rtf"})
_MAGIC = (
    (b"%PDF-", "application/pdf"),
    (b"%!PS", "application/postscript"),
    (b"{\\rtf", "application/rtf"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"PK\x03\x04", "application/zip"),
    (b"\x1f\x8b", "application/gzip"),
    (b"BZh", "application/x-bzip2"),
    (b"\xfd7zXZ\x00", "application/x-xz"),
    (b"\x28\xb5\x2f\xfd", "application/zstd"),
    (b"7z\xbc\xaf\x27\x1c", "application/x-7z-compressed"),
    (b"\x7fELF", "application/x-executable"),
    (b"SQLite format 3\x00", "application/vnd.sqlite3"),
    (b"OggS", "audio/ogg"),
    (b"ID3", "audio/mpeg"),
    (b"wOF2", "font/woff2"),
)
_PROLOGUE = rb"\s*(?:<!--(?:(?!-->).)*-->\s*|<\?xml[^>]*>\s*)*"
_LOOKS_LIKE_HTML = re.compile(_PROLOGUE + rb"<(?:!doctype\s+html|html|head|body)\b", re.I | re.S)
_LOOKS_LIKE_SVG = re.compile(_PROLOGUE + rb"(?:<!doctype\s+svg[^>]*>\s*)?<svg\b", re.I | re.S)
_CONTROLS = bytes(set(range(32)) - set(b"\t\n\r\f\x1b"))
_SNIFFED = 4096
_BOMS = (codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_BE)

_BY_NAME = mimetypes.MimeTypes()  # of the standard library alone: the system's tables differ from machine to machine
for _ending, _type in {
    ".md": "text/markdown", ".markdown": "text/markdown", ".mdx": "text/markdown", ".mkd": "text/markdown",
    ".htm": "text/html", ".html": "text/html", ".xhtml": "application/xhtml+xml", ".json": "application/json",
    ".txt": "text/plain", ".rst": "text/x-rst", ".toml": "application/toml", ".yaml": "application/yaml",
    ".yml": "application/yaml", ".ts": "text/x-typescript",
}.items():  # fmt: skip
    _BY_NAME.add_type(_type, _ending)


def parse_header(value: str) -> tuple[str, str | None]:
    """Return media type and charset of a ``Content-Type`` header, both lower case; empty and None for a bad one."""
    message = Message()
    try:
        message["content-type"] = value
        media_type = message.get_content_type() if "/" in value else ""
        charset = message.get_content_charset()
    except (ValueError, LookupError):
        return "", None
    return media_type.strip().lower(), charset


def is_textual(media_type: str) -> bool:
    """Return whether a body of this type may be read as text."""
    return (
        (media_type.startswith("text/") and media_type not in _BINARY_TEXT)
        or media_type in HTML
        or media_type in _TEXTUAL
        or (media_type.endswith(("+json", "+xml", "+yaml")) and not media_type.startswith("image/"))
    )


def check(media_type: str, where: object) -> None:
    """Raise InvalidContent, naming the type, where a server says that its body is no text."""
    if media_type not in _UNKNOWN and not is_textual(media_type):
        raise _not_text(media_type, where)


def settle(declared: str, body: bytes, where: object) -> str:
    """Return the media type of ``body``: what was declared, or what it looks like where nothing useful was.

    Raises:
        InvalidContent: it is binary, whatever was declared.
    """
    check(declared, where)
    found = _sniff(body)
    if not is_textual(found) or found == "image/svg+xml":
        raise _not_text(found, where)
    return declared if declared not in _UNKNOWN else found


def by_name(name: str) -> str:
    """Return the media type that a file's name suggests, empty where it suggests none."""
    guess, encoding = _BY_NAME.guess_type(PurePath(name).name, strict=True)
    return (guess or "") if encoding is None else f"application/{encoding}"


def _sniff(body: bytes) -> str:
    head = body[:_SNIFFED]
    for magic, media_type in _MAGIC:
        if head.startswith(magic):
            return media_type
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    if head[4:8] == b"ftyp":
        return "video/mp4"
    if head.startswith(_BOMS):
        return "text/plain"
    controls = len(head) - len(head.translate(None, _CONTROLS))
    if b"\x00" in head and not _wide(head):
        return "application/octet-stream"
    if controls > len(head) / 10 and not _wide(head):
        return "application/octet-stream"
    if _LOOKS_LIKE_SVG.match(head):
        return "image/svg+xml"
    return "text/html" if _LOOKS_LIKE_HTML.match(head) else "text/plain"


def _wide(head: bytes) -> bool:
    """Return whether every other byte is NUL throughout, as in mostly Latin UTF-16 without a mark."""
    even, odd = head[0::2].count(0), head[1::2].count(0)
    return len(head) >= 8 and max(even, odd) > len(head) * 0.35 and min(even, odd) == 0


def _not_text(media_type: str, where: object) -> InvalidContent:
    return InvalidContent(
        f"{where} is {media_type}, which has no text that could be read.",
        "Give a page, or a text, Markdown, HTML or JSON file.",
    )
