"""``Site``: what a scraper is held against, bodies and the URLs under which they are served."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from attrs import field, frozen

from hotswap_ports.errors import PortError

FIRST = "The heron stands in the shallow river and waits for fish that swim too near to its long and patient legs."
SECOND = "In winter the river freezes over, and the heron moves south with the last of the swallows and the cranes."
THIRD = "When spring comes it returns to the same tall tree, and mends the nest that it left there in the autumn."

ARTICLE = f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Herons</title>
<meta name="author" content="Ada Wader"><meta property="article:published_time" content="2026-01-02T03:04:05+00:00">
</head><body>
<article><h1>Herons</h1>
<p>{FIRST} <a href="note.md#top">A note</a> says <b>more</b>.</p>
<p>{SECOND} See <a href="plain.txt">the list</a>, and again <a href="note.md">the note</a>.</p>
</article></body></html>
"""
ARTICLE_EDITED = ARTICLE.replace("</article>", f"<p>{THIRD}</p></article>")
NOTE = f"# A note\n\n{FIRST}\n\n- one [item](plain.txt)\n- another *item*\n"
PLAIN = f"{FIRST}\n\n{SECOND}\n"
BINARY = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + bytes(range(256))
PARTS = f"""<!doctype html>
<html lang="de-CH"><head><meta charset="utf-8"><title>Wading birds</title></head><body>
<article><h1>Wading birds</h1>
<p>{FIRST}</p>
<h2>Where they nest</h2>
<p>{SECOND}</p>
<ul><li>in tall trees near to the river</li><li>in reeds that nobody cuts</li></ul>
<table><tr><th>Bird</th><th>Eggs</th></tr><tr><td>Heron</td><td>four or five</td></tr></table>
<p>{THIRD} <a href="#nest">Here</a>, <a href="mailto:ada@example.org">Ada</a>, <a href="binary.png?x=1">picture</a>.</p>
</article></body></html>
"""
PARAGRAPHS = 1000
LONG = (
    "<!doctype html><html><head><title>Long</title></head><body><article><h1>Long</h1>"
    + "".join(f"<p>Heron number {number} waits. {FIRST} {SECOND}</p>" for number in range(PARAGRAPHS))
    + "</article></body></html>"
)


@frozen
class Site:
    """URLs under which the implementer serves the bodies above, and a way to change one of them.

    ``note`` and ``plain`` are ``note.md`` and ``plain.txt`` beside the article, which links to both. What is None is
    not asked for: supply what the technology has.
    """

    article: str
    note: str
    plain: str
    binary: str
    missing: str
    edit: Callable[[], None]
    """From now on the article is ARTICLE_EDITED."""
    parts: str | None = None
    """PARTS, beside the article."""
    long: str | None = None
    """LONG, as HTML."""
    moved: str | None = None
    """Leads to the article, as a redirect or a link does."""
    folder: str | None = None
    """Has the article, ``note``, ``plain`` and ``binary`` as entries."""
    stuck: str | None = None
    """Begins to answer, and never comes to an end."""
    etag: str | None = None
    """The validator that the unedited article comes with."""
    failing: Mapping[str, type[PortError]] = field(factory=dict)
    """Other URLs that cannot be read, and the error that each of them ends in."""
