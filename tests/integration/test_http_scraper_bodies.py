"""The HTTP scraper against bodies of every kind: bombs, endless and slow ones, lies, charsets, binaries."""

from __future__ import annotations

import asyncio
import gzip
import os
import signal
import subprocess
import sys
import tracemalloc
import zlib
from collections.abc import AsyncIterator
from contextlib import suppress

import anyio
import pytest

from hotswap_adapters.scraper.http import HttpScraper, HttpScraperConfig
from hotswap_ports.errors import InvalidContent, TimedOut, TooLarge, Unavailable
from hotswap_ports.scraper import Page, ScrapeRequest
from tests.integration.web import Asked, Reply, Route, Web, serving

QUICK = HttpScraperConfig(retry_wait=0.01, requests_per_second=1000.0)
MIB = 1 << 20


@pytest.fixture
async def web() -> AsyncIterator[Web]:
    async with serving() as web:
        yield web


@pytest.fixture
async def scraper() -> AsyncIterator[HttpScraper]:
    async with HttpScraper(QUICK) as scraper:
        yield scraper


async def read(scraper: HttpScraper, web: Web, route: Route, *, timeout: float = 20.0, max_bytes: int = MIB) -> Page:
    web.routes["/page"] = route
    return await scraper.scrape(ScrapeRequest(f"{web.base}/page", timeout=timeout, max_bytes=max_bytes))


def typed(body: bytes, content_type: str, **headers: str) -> Reply:
    return Reply(body, headers={"Content-Type": content_type, **headers})


async def test_a_gzip_bomb_is_defused(scraper: HttpScraper, web: Web) -> None:
    """A quarter of a gigabyte in as much of a megabyte is stopped at the limit, and never unpacked."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    bomb = b"".join(packer.compress(bytes(MIB)) for _ in range(256)) + packer.flush()
    tracemalloc.start()
    try:
        with pytest.raises(TooLarge):
            await read(scraper, web, typed(bomb, "text/html", **{"Content-Encoding": "gzip"}), max_bytes=2 * MIB)
        assert tracemalloc.get_traced_memory()[1] < 16 * MIB
    finally:
        tracemalloc.stop()


async def test_a_bomb_in_a_bomb(scraper: HttpScraper, web: Web) -> None:
    """Packing twice does not help it."""
    bomb = gzip.compress(gzip.compress(bytes(256 * MIB), 1), 9)
    with pytest.raises(TooLarge):
        await read(scraper, web, typed(bomb, "text/html", **{"Content-Encoding": "gzip, gzip"}))


async def test_three_gigabytes_are_not_begun(scraper: HttpScraper, web: Web) -> None:
    """A page that says it is too large is refused before its body is read."""
    sent = 0

    async def huge(asked: Asked, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 3221225472\r\n\r\n")
        while True:
            writer.write(bytes(65536))
            await writer.drain()
            sent += 65536

    with pytest.raises(TooLarge, match="1,048,576 bytes"):
        await read(scraper, web, huge)
    await web.until_closed()
    assert sent < 16 * MIB  # what fits into the sockets' buffers


async def test_an_endless_body_is_stopped(scraper: HttpScraper, web: Web) -> None:
    """A body without a length is read to the limit, and its connection closed."""

    async def endless(asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            writer.write(b"1000\r\n" + b"x" * 4096 + b"\r\n")
            await writer.drain()

    with pytest.raises(TooLarge):
        await read(scraper, web, endless)
    await web.until_closed()


@pytest.mark.parametrize("head", [b"", b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n"])
async def test_a_slow_answer_runs_out_of_time(scraper: HttpScraper, web: Web, head: bytes) -> None:
    """A byte now and then does not prolong a call, neither in the head nor in the body."""

    async def drip(asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(head)
        while True:
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.02)

    with pytest.raises(TimedOut, match=r"/page took longer than 0\.3 s") as caught:
        await read(scraper, web, drip, timeout=0.3)
    assert caught.value.seconds == 0.3
    await web.until_closed()


async def test_a_cancelled_call_closes_its_connection(scraper: HttpScraper, web: Web) -> None:
    """Who is cancelled in the midst of a body leaves nothing open, and the scraper works on."""
    begun = asyncio.Event()

    async def stall(asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 1000\r\n\r\n<p>begun")
        await writer.drain()
        begun.set()
        while True:
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.01)

    call = asyncio.ensure_future(read(scraper, web, stall, timeout=60))
    await begun.wait()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    await web.until_closed()
    assert (await read(scraper, web, Reply("<p>Fine."))).text == "Fine."


async def test_a_body_shorter_than_it_says(scraper: HttpScraper, web: Web) -> None:
    """A connection that ends early is tried again, and half a page is no page."""

    async def short(asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 1000\r\n\r\n<p>Half a page")
        await writer.drain()

    with pytest.raises(Unavailable):
        await read(scraper, web, short)
    assert len(web.targets()) == 3


async def test_a_body_longer_than_it_says(scraper: HttpScraper, web: Web) -> None:
    """What comes after the length that was said is not read as part of the page."""

    async def long(asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 8\r\n\r\n<p>Short and more")
        await writer.drain()

    assert (await read(scraper, web, long)).text == "Short"


@pytest.mark.parametrize("answer", [b"nonsense\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\nx"])
async def test_an_answer_that_is_no_http(scraper: HttpScraper, web: Web, answer: bytes) -> None:
    """A server that speaks something else is Unavailable."""

    async def mumble(asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        await writer.drain()

    with pytest.raises(Unavailable):
        await read(scraper, web, mumble)


async def test_a_damaged_body(scraper: HttpScraper, web: Web) -> None:
    """A body that is not packed as it says is InvalidContent."""
    with pytest.raises(InvalidContent, match="decompress"):
        await read(scraper, web, typed(b"not gzip at all", "text/html", **{"Content-Encoding": "gzip"}))


async def test_a_packed_body_is_unpacked(scraper: HttpScraper, web: Web) -> None:
    """gzip is asked for and understood; the size is that of the text."""
    body = b"<p>" + b"Words again. " * 1000
    page = await read(scraper, web, typed(gzip.compress(body), "text/html", **{"Content-Encoding": "gzip"}))
    assert page.size == len(body)
    assert "gzip" in web.asked[-1].headers["accept-encoding"]


TEXT = "Größe und Käse, çà et là, naïve façade. Übermäßig schöne Bücher für die Straße."


@pytest.mark.parametrize(
    ("charset", "header", "meta"),
    [
        ("utf-8", "text/html; charset=utf-8", ""),
        ("utf-8", "text/html", ""),
        ("utf-8", "text/html; charset=iso-8859-1", ""),
        ("utf-8-sig", "text/html; charset=iso-8859-1", ""),
        ("iso-8859-1", "text/html; charset=iso-8859-1", ""),
        ("iso-8859-1", "text/html; charset=utf-8", ""),
        ("iso-8859-1", "text/html", "<meta charset=iso-8859-1>"),
        ("cp1252", "text/html; charset=unknown-9", '<meta http-equiv=x content="text/html; charset=windows-1252">'),
        ("utf-16", "text/html", ""),
        ("utf-16-le", "text/html; charset=utf-16le", ""),
    ],
)
async def test_charsets(scraper: HttpScraper, web: Web, charset: str, header: str, meta: str) -> None:
    """The text is right where header or page say so, where they say nothing, and where they are wrong."""
    body = f"<html><head>{meta}<title>Käse</title></head><body><p>{TEXT}</p></body></html>".encode(charset)
    page = await read(scraper, web, typed(body, header))
    assert page.text == TEXT
    assert page.title == "Käse"


@pytest.mark.parametrize("charset", ["shift_jis", "iso-2022-jp", "euc-jp", "gb2312", "big5", "koi8-r", "windows-1251"])
async def test_charsets_of_the_world(scraper: HttpScraper, web: Web, charset: str) -> None:
    """A charset that is declared is read."""
    text = "Привет, мир" if charset in ("koi8-r", "windows-1251") else "日本文字"
    page = await read(scraper, web, typed(f"<p>{text}</p>".encode(charset), f"text/html; charset={charset}"))
    assert page.text == text


@pytest.mark.parametrize("charset", ["unicode_escape", "rot13", "zip", "idna", "x" * 500, '"'])
async def test_a_charset_that_is_none(scraper: HttpScraper, web: Web, charset: str) -> None:
    """Codecs that are no charsets are not run on what a stranger sends."""
    assert (await read(scraper, web, typed(b"<p>a\\x41b</p>", f"text/html; charset={charset}"))).text == r"a\x41b"


@pytest.mark.parametrize(
    ("body", "header", "named"),
    [
        (b"%PDF-1.7 ...", "application/pdf", "application/pdf"),
        (b"%PDF-1.7 ...", "text/html", "application/pdf"),
        (b"%PDF-1.7 ...", "", "application/pdf"),
        (b"\x89PNG\r\n\x1a\n", "image/png", "image/png"),
        (b"\xff\xd8\xff\xe0", "application/octet-stream", "image/jpeg"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "", "image/svg+xml"),
        (b"PK\x03\x04abc", "text/plain", "application/zip"),
        (b"one NUL among many words \x00", "text/plain", "application/octet-stream"),
        (bytes(range(256)), "text/plain", "application/octet-stream"),
        (b"\x01\x02\x03\x04words", "text/html", "application/octet-stream"),
        (b"RIFF____WEBP", "", "image/webp"),
        (b"____ftypmp42", "", "video/mp4"),
        (b"moov", "video/mp4", "video/mp4"),
    ],
)
async def test_a_binary_is_named(scraper: HttpScraper, web: Web, body: bytes, header: str, named: str) -> None:
    """What is no text is InvalidContent with its media type, whatever the header says."""
    with pytest.raises(InvalidContent, match=named.replace("+", r"\+")):
        await read(scraper, web, typed(body, header))


async def test_a_binary_is_not_read(scraper: HttpScraper, web: Web) -> None:
    """A body whose type is no text's is refused by its head."""

    async def film(asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: video/mp4\r\n\r\n")
        await writer.drain()
        await asyncio.sleep(30)

    with anyio.fail_after(5), pytest.raises(InvalidContent, match="video/mp4"):
        await read(scraper, web, film)


@pytest.mark.parametrize(
    ("body", "header", "media_type", "text"),
    [
        ('{"a": 1}', "application/json", "application/json", '{"a": 1}'),
        ('{"a": 1}', "application/vnd.api+json", "application/vnd.api+json", '{"a": 1}'),
        ("one\r\ntwo", "text/plain", "text/plain", "one\ntwo"),
        ("# One\n\nTwo.", "text/markdown; charset=utf-8", "text/markdown", "One\n\nTwo."),
        ("<!-- x --> <!DOCTYPE html><p>Three", "", "text/html", "Three"),
        ("<p>Four", "application/xhtml+xml", "application/xhtml+xml", "Four"),
        ("<!---->" * 600 + "words", "", "text/plain", "<!---->" * 600 + "words"),
        ("", "text/html", "text/html", ""),
    ],
)
async def test_text_of_other_kinds(
    scraper: HttpScraper, web: Web, body: str, header: str, media_type: str, text: str
) -> None:
    """Plain text, Markdown and JSON pass; a body without a type is looked at."""
    page = await read(scraper, web, typed(body.encode(), header))
    assert page.media_type == media_type
    assert page.text == text


@pytest.mark.parametrize(
    "html",
    [
        "<div>" * 20000 + "words" + "</div>" * 20000,
        "<a href='x'>" * 20000,
        "<b>" * 50000 + "words",
        "<p>" + "&" * 100000,
        "<!--" * 50000,
        "<html lang='" + "x" * 1000 + "'><base href='http://['><a href='//['>a</a><a href='javascript:x'>b</a>",
        "<table>" * 3000 + "<tr><td>words",
        "<ul><li>" * 3000 + "words",
    ],
)
async def test_hostile_html_does_no_harm(scraper: HttpScraper, web: Web, html: str) -> None:
    """Whatever it is, it ends in a page or in a port error, soon."""
    with anyio.fail_after(20), suppress(InvalidContent):
        assert (await read(scraper, web, Reply(html))).size > 0


async def test_a_page_is_read_while_the_loop_runs(scraper: HttpScraper, web: Web) -> None:
    """Extracting a large page leaves the event loop free for others."""
    html = "<article>" + "<p>A paragraph with some words in it that go on for a while.</p>" * 4000
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            await asyncio.sleep(0.01)
            ticks += 1

    ticking = asyncio.ensure_future(tick())
    page = await read(scraper, web, Reply(html))
    ticking.cancel()
    assert page.text.count("\n\n") > 1000
    assert ticks >= 5


@pytest.mark.skipif(sys.platform == "win32", reason="signals are sent as POSIX has them")
async def test_ctrl_c_ends_it(web: Web) -> None:
    """A program interrupted in the midst of a body ends, and its connection with it."""
    begun = asyncio.Event()

    async def stall(asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<p>begun")
        await writer.drain()
        begun.set()
        while True:
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.01)

    web.routes["/page"] = stall
    program = (
        "import asyncio\nfrom hotswap_adapters.scraper.http import HttpScraper\n"
        "from hotswap_ports.scraper import ScrapeRequest\n"
        "async def main():\n    async with HttpScraper() as scraper:\n"
        f"        await scraper.scrape(ScrapeRequest('{web.base}/page'))\n"
        "asyncio.run(main())\n"
    )
    child = await asyncio.create_subprocess_exec(sys.executable, "-c", program, stderr=subprocess.PIPE)
    await asyncio.wait_for(begun.wait(), 20)
    os.kill(child.pid, signal.SIGINT)
    _, errors = await asyncio.wait_for(child.communicate(), 10)
    assert errors.rstrip().endswith(b"KeyboardInterrupt")
    assert b"ResourceWarning" not in errors
    await web.until_closed()


ARTICLE = """<!doctype html><html lang="en-GB"><head><title>On herons | Site</title>
<meta name="author" content="Ann Lee"><meta property="article:published_time" content="2024-03-02T10:00:00Z"></head>
<body><nav><a href="/home">Home</a> <a href="/about">About us</a></nav><h2>Keyboard shortcuts</h2>
<article><h1>On herons</h1>
<p>Herons are long-legged, long-necked, freshwater and coastal birds, and <code>Ardeidae</code> is their <b>family</b>
of 72 known species.<br>Some are called egrets.</p>
<h2>Where they live</h2>
<ul><li>In marshes and by slow rivers everywhere</li><li>On coasts<ul><li>of the north in summer</li></ul>
and isles</li></ul>
<pre><code>def heron():
    return "not prose"</code></pre>
<blockquote><p>The heron stands so still that one forgets it is there at all.</p></blockquote>
<table><tr><th>Species</th><th>Length</th></tr><tr><td>Grey heron</td><td>98 cm</td></tr></table>
<p>They eat fish, frogs, insects and now and then a small mammal that comes too near to the water's edge.</p>
</article><footer>Copyright of the site, all rights reserved</footer></body></html>"""


async def test_an_article_is_taken_apart(scraper: HttpScraper, web: Web) -> None:
    """Headings and paragraphs apart, items and rows as lines; no menu, footer or listing; and who, when, in what."""
    page = await read(scraper, web, Reply(ARTICLE))
    assert page.text.split("\n\n") == [
        "On herons",
        "Herons are long-legged, long-necked, freshwater and coastal birds, and Ardeidae is their family of 72 known "
        "species. Some are called egrets.",
        "Where they live",
        "In marshes and by slow rivers everywhere\nOn coasts and isles\nof the north in summer",
        "The heron stands so still that one forgets it is there at all.",
        "| Species | Length |\n| Grey heron | 98 cm |",
        "They eat fish, frogs, insects and now and then a small mammal that comes too near to the water's edge.",
    ]
    assert (page.title, page.author, page.published, page.language) == ("On herons", "Ann Lee", "2024-03-02", "en-GB")
    assert [link.url for link in page.links] == [f"{web.base}/home", f"{web.base}/about"]


async def test_a_heading_from_elsewhere_is_no_title(scraper: HttpScraper, web: Web) -> None:
    """A page is called what it says, not what a pop-up in it says."""
    html = ARTICLE.replace("<h1>On herons</h1>", "").replace("<h2>Keyboard", "<h1>Keyboard").replace("<nav>", "")
    assert (await read(scraper, web, Reply(html))).title == "On herons | Site"


async def test_a_short_page_is_read_whole(scraper: HttpScraper, web: Web) -> None:
    """Where there is no main text, what a reader sees is the text, each block a paragraph."""
    html = (
        "<title>T</title><script>no()</script><style>p{}</style><nav>Menu</nav><div>One<p>Two <b>bo</b>ld</p>three"
        "<br>four</div><form><input></form><footer>Foot</footer>"
    )
    assert (await read(scraper, web, Reply(html))).text == "One\n\nTwo bold\n\nthree\n\nfour"


async def test_links_follow_the_base(scraper: HttpScraper, web: Web) -> None:
    """Relative links are resolved as a browser does it; what leads nowhere on the web is left out."""
    html = (
        "<base href='/docs/'><a href=a>A</a><a href='?q#x'><img></a><a href='/docs/?q'>Q</a><a href='mailto:x'>M</a>"
        "<a href='file:///etc'>F</a><a>N</a><area href='b' alt='B'><a href='HTTP://EXAMPLE.org:80/../c d'>C</a>"
        "<a href='http://u:p@example.org/'>U</a><a href='//b\u00fccher.example/\u00e4'>I</a><a href='\n/e\nf '>E</a>"
    )
    page = await read(scraper, web, Reply(html))
    assert [(link.url, link.text) for link in page.links] == [
        (f"{web.base}/docs/a", "A"),
        (f"{web.base}/docs/?q", "Q"),
        (f"{web.base}/docs/b", "B"),
        ("http://example.org/c%20d", "C"),
        ("http://example.org/", "U"),
        ("http://xn--bcher-kva.example/%C3%A4", "I"),
        (f"{web.base}/ef", "E"),
    ]


@pytest.mark.parametrize("markdown", ["![" * 100_000, "[a](" * 100_000, "A line of *words*.\n\n" * 150_000])
async def test_hostile_markdown_does_no_harm(scraper: HttpScraper, web: Web, markdown: str) -> None:
    """Brackets without end, and a book, are read as they stand."""
    body = typed(markdown.encode(), "text/markdown")
    page = await read(scraper, web, body, max_bytes=10 * MIB)
    assert page.text.startswith(markdown[:18])


async def test_markup_that_breaks_the_extraction(
    scraper: HttpScraper, web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where finding the main text fails, the visible text is there."""

    def fail(*args: object, **kwargs: object) -> None:
        raise AssertionError("as lxml does on some markup")

    monkeypatch.setattr("trafilatura.bare_extraction", fail)
    page = await read(scraper, web, Reply("<title>T</title><p>Words."))
    assert (page.title, page.text) == ("T", "Words.")
