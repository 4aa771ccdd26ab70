"""The file scraper against real files, folders, links and pipes."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import anyio
import pytest

from hotswap_adapters.scraper.file import FileScraper, FileScraperConfig
from hotswap_ports.errors import (
    FeatureUnsupported,
    InvalidContent,
    InvalidRequest,
    NotFound,
    PortError,
    Refused,
    TooLarge,
)
from hotswap_ports.scraper import Page, ScrapeRequest

POSIX = pytest.mark.skipif(sys.platform == "win32", reason="POSIX has these files")


@pytest.fixture
def here(tmp_path: Path) -> Path:
    return tmp_path.resolve()


async def read(path: Path, scraper: FileScraper | None = None, **request: int) -> Page:
    return await (scraper or FileScraper()).scrape(ScrapeRequest(path.as_uri(), **request))


async def failure(url: str, scraper: FileScraper | None = None) -> PortError:
    with pytest.raises(PortError) as caught:
        await (scraper or FileScraper()).scrape(ScrapeRequest(url))
    assert str(caught.value)
    return caught.value


def aged(path: Path) -> Path:
    """Return ``path`` with a time of change long ago."""
    os.utime(path, (1_700_000_000, 1_700_000_000))
    return path


async def test_a_name_with_anything_in_it(here: Path) -> None:
    """Blanks, umlauts, percent signs, question and hash marks are read by their encoded URL."""
    path = here / "a b ü 100% #1?.txt"
    path.write_text("Words.", encoding="utf-8")
    page = await read(path)
    assert page.text == "Words."
    assert page.title == path.name
    assert page.url == path.as_uri()
    localhost = await FileScraper().scrape(ScrapeRequest(path.as_uri().replace("file://", "FILE://localhost")))
    assert localhost.url == path.as_uri()


async def test_markdown(here: Path) -> None:
    """Prose stays, marks, code, images and link targets go; an item and a table's row are lines."""
    path = here / "README.md"
    path.write_text(
        "---\ntitle: From the front\nauthor: 'Ann Lee'\ndate: 2024-05-01T00:00\nlang: en\n---\n"
        "[![badge](b.svg)](https://ci.example/run)\n\n# Heading *one*\n\nA [link](docs/a.md#part 'title')\nand `code` "
        "over two lines.\\\nBroken here. ![picture](p.png)<br>\n\n```python\nprint('dropped')\n```\n\n"
        "1. First\n2. Second\n   - nested **bold**\n\n> Quoted [ref].\n\n| a | b |\n|---|---|\n| 1 | two |\n\n"
        "    indented code\n\n<p align=center>In <a href='/abs.md'>HTML</a></p>\n\n<https://auto.example>\n\n"
        "[ref]: https://ref.example/x\n",
        encoding="utf-8",
    )
    page = await read(path)
    assert page.text.split("\n\n") == [
        "Heading one",
        "A link and code over two lines. Broken here.",
        "First\nSecond\nnested bold",
        "Quoted ref.",
        "| a | b |\n| 1 | two |",
        "In HTML",
        "https://auto.example",
    ]
    assert (page.title, page.author, page.published, page.language) == ("From the front", "Ann Lee", "2024-05-01", "en")
    assert [(link.url, link.text) for link in page.links] == [
        ("https://ci.example/run", "badge"),
        ((here / "docs/a.md").as_uri(), "link"),
        ("https://ref.example/x", "ref"),
        ("file:///abs.md", "HTML"),
        ("https://auto.example/", "https://auto.example"),
    ]


async def test_markdown_without_a_heading_is_called_by_its_name(here: Path) -> None:
    """A title is there in any case; an HTML heading counts as one."""
    path = here / "notes.md"
    path.write_text("Words alone.", encoding="utf-8")
    assert (await read(path)).title == "notes.md"
    path.write_text("<h1 align=center>A title</h1>\n\n## Part\n", encoding="utf-8")
    assert (await read(path)).title == "A title"


async def test_html_is_read_as_from_the_web(here: Path) -> None:
    """Main text, language and links, also to the web and to files beside it."""
    path = here / "page.html"
    path.write_text(
        "<html lang=de-AT><title>Seite</title><p>Ein Satz mit <a href='b.html?x#y'>Verweis</a>, "
        "<a href='https://ann:pw@Example.org/x y'>Netz</a> und <a href='mailto:a@b.example'>Post</a>.</p></html>",
        encoding="utf-8",
    )
    page = await read(path)
    assert page.text == "Ein Satz mit Verweis, Netz und Post."
    assert (page.title, page.language, page.media_type) == ("Seite", "de-AT", "text/html")
    assert [link.url for link in page.links] == [(here / "b.html").as_uri(), "https://example.org/x%20y"]


@pytest.mark.parametrize(
    ("name", "media_type"),
    [
        ("a.py", "text/x-python"),
        ("a.ts", "text/x-typescript"),
        ("a.rst", "text/x-rst"),
        ("a.json", "application/json"),
        ("a.unknown", "text/plain"),
        ("Makefile", "text/plain"),
        ("a.gz", "text/plain"),
    ],
)
async def test_other_text_passes(here: Path, name: str, media_type: str) -> None:
    """Text is text, whatever its name says."""
    path = here / name
    path.write_bytes(b"\xef\xbb\xbfOne line.\r\nAnother.\r\n")
    page = await read(path)
    assert page.text == "One line.\nAnother."
    assert page.media_type == media_type


@pytest.mark.parametrize(
    ("name", "body", "named"),
    [
        ("a.pdf", b"%PDF-1.7", "application/pdf"),
        ("a.txt", b"\x89PNG\r\n\x1a\n", "image/png"),
        ("a", b"a\x00b", "octet-stream"),
        ("a.svg", b"<g/>", "svg"),
    ],
)
async def test_a_binary_is_named(here: Path, name: str, body: bytes, named: str) -> None:
    """What is no text is InvalidContent with its media type."""
    path = here / name
    path.write_bytes(body)
    with pytest.raises(InvalidContent, match=named):
        await read(path)


async def test_a_folder_lists_its_entries(here: Path) -> None:
    """Sorted, folders with a slash at the end; what is hidden, generated, or leads nowhere is left out."""
    for name in ("b.md", "a.md", ".hidden", "sub/c.md", ".git/config", "node_modules/x.js", "__pycache__/x.pyc"):
        (here / name).parent.mkdir(exist_ok=True)
        (here / name).write_text("x", encoding="utf-8")
    page = await read(here)
    assert page.media_type == "inode/directory"
    assert page.text == ""
    assert page.url == here.as_uri() + "/"
    assert page.title == here.name
    assert [(link.url, link.text) for link in page.links] == [
        ((here / "a.md").as_uri(), "a.md"),
        ((here / "b.md").as_uri(), "b.md"),
        ((here / "sub").as_uri() + "/", "sub"),
    ]
    fewer = await read(here, FileScraper(FileScraperConfig(skip=("sub", "a.md"))))
    assert [link.text for link in fewer.links] == ["__pycache__", "b.md", "node_modules"]


@POSIX
async def test_links_never_lead_in_a_circle(here: Path) -> None:
    """Following every link of a folder ends, symbolic links and all, and visits each file once."""
    (here / "sub" / "deep").mkdir(parents=True)
    (here / "sub" / "a.txt").write_text("x", encoding="utf-8")
    (here / "sub" / "up").symlink_to(here)
    (here / "sub" / "deep" / "self").symlink_to(here / "sub" / "deep")
    (here / "again").symlink_to(here / "sub")
    (here / "broken").symlink_to(here / "nowhere")
    (here / "loop").symlink_to(here / "loop")
    os.mkfifo(here / "pipe")
    seen: list[str] = []
    todo = [here.as_uri()]
    while todo:
        page = await FileScraper().scrape(ScrapeRequest(todo.pop()))
        seen.append(page.url)
        todo += [link.url for link in page.links if link.url not in seen and link.url not in todo]
    assert sorted(seen) == sorted(f"{here.as_uri()}/{rest}" for rest in ("", "sub/", "sub/a.txt", "sub/deep/"))


@POSIX
async def test_what_is_no_file_does_not_hang(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pipe, a socket and a device are InvalidContent at once."""
    monkeypatch.chdir(here)  # a socket's path must be short
    os.mkfifo("pipe")
    with socket.socket(socket.AF_UNIX) as listening, anyio.fail_after(5):
        listening.bind("socket")
        for path, kind in ((here / "pipe", "pipe"), (here / "socket", "socket"), (Path("/dev/zero"), "device")):
            with pytest.raises(InvalidContent, match=kind):
                await read(path)


async def test_what_is_not_there(here: Path) -> None:
    """Neither a missing file nor a file taken for a folder nor a link in a circle is there."""
    (here / "file").write_text("x", encoding="utf-8")
    for name in ("missing.txt", "file/below", "missing/below"):
        assert isinstance(await failure((here / name).as_uri()), NotFound)
    if sys.platform != "win32":
        (here / "loop").symlink_to(here / "loop")
        assert isinstance(await failure((here / "loop").as_uri()), NotFound)


@POSIX
async def test_what_may_not_be_read(here: Path) -> None:
    """A file and a folder without permission are Refused."""
    (here / "secret").write_text("x", encoding="utf-8")
    (here / "folder").mkdir()
    (here / "open").write_text("x", encoding="utf-8")
    program = (
        "import asyncio, os, sys\nfrom hotswap_adapters.scraper.file import FileScraper\n"
        "from hotswap_ports import Refused, ScrapeRequest\n"
        "asyncio.run(FileScraper().scrape(ScrapeRequest(sys.argv[1])))\n"  # everything is imported, then root is left
        "if os.getuid() == 0:\n    os.setgid(65534)\n    os.setuid(65534)\n"
        "for url in sys.argv[2:]:\n    try:\n        asyncio.run(FileScraper().scrape(ScrapeRequest(url)))\n"
        "    except Refused as error:\n        print('refused', error)\n"
    )
    os.chmod(here / "secret", 0)
    os.chmod(here / "folder", 0)
    urls = [(here / name).as_uri() for name in ("open", "secret", "folder")]
    done = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", program, *urls], capture_output=True, text=True, timeout=60, check=False
    )
    os.chmod(here / "folder", 0o700)
    assert done.stdout.count("refused") == 2, done.stderr


@pytest.mark.parametrize(
    "url",
    [
        "",
        "/etc/hosts",
        "file:",
        "file:relative",
        "file://elsewhere/etc/hosts",
        "file:///a%00b",
        "file:///" + "a" * 5000,
    ],
)
async def test_a_malformed_url_is_said_to_be(url: str) -> None:
    """It is InvalidRequest."""
    assert isinstance(await failure(url), InvalidRequest)


async def test_other_schemes_name_who_reads_them() -> None:
    """A web page is FeatureUnsupported, with a hint."""
    error = await failure("https://example.org/")
    assert isinstance(error, FeatureUnsupported)
    assert "http-scraper" in error.hint


async def test_a_size_is_a_limit_while_reading(here: Path) -> None:
    """A large file is not read to its end, and neither is one that says it has no size."""
    path = here / "large.txt"
    with path.open("wb") as file:
        file.truncate(3 << 30)
    started = time.monotonic()
    with pytest.raises(TooLarge):
        await read(path)
    assert time.monotonic() - started < 2
    endless = Path("/proc/self/maps")
    if endless.exists():
        assert endless.stat().st_size == 0
        with pytest.raises(TooLarge):
            await read(endless, max_bytes=100)


async def test_an_unchanged_file_is_not_opened(here: Path) -> None:
    """Size and time of change are enough; a touched file is compared by its digest."""
    path = here / "a.md"
    path.write_text("# One\n\nTwo.", encoding="utf-8")
    known = (await read(aged(path))).fingerprint
    assert known.last_modified == "1700000000000000000"
    path.write_text("# Two\n\nOne.", encoding="utf-8")
    again = await FileScraper().scrape(ScrapeRequest(aged(path).as_uri(), known=known))
    assert again.unchanged  # the same size at the same time: the file was not even looked at
    assert again.fingerprint == known
    path.write_text("# One\n\nTwo.", encoding="utf-8")
    assert (await FileScraper().scrape(ScrapeRequest(path.as_uri(), known=known))).unchanged


async def test_a_file_that_is_being_written_is_read_again(here: Path) -> None:
    """Times of the last two seconds prove nothing: the second write of a moment is noticed."""
    path = here / "a.md"
    path.write_text("One", encoding="utf-8")
    stamp = path.stat().st_mtime_ns
    known = (await read(path)).fingerprint
    assert known.etag is None
    path.write_text("Two", encoding="utf-8")
    os.utime(path, ns=(stamp, stamp))
    page = await FileScraper().scrape(ScrapeRequest(path.as_uri(), known=known))
    assert page.text == "Two"


async def test_a_folder_is_never_unchanged(here: Path) -> None:
    """Its entries may have changed where it has not: who follows it must get them."""
    (here / "a.md").write_text("x", encoding="utf-8")
    known = (await read(here)).fingerprint
    page = await FileScraper().scrape(ScrapeRequest(here.as_uri(), known=known))
    assert not page.unchanged
    assert page.links


@POSIX
async def test_roots_confine_it(here: Path) -> None:
    """Nothing outside is read: not by dots, not by a link, and its absence is not told apart from its presence."""
    root, outside = here / "root", here / "root-beside"
    for folder in (root, outside):
        folder.mkdir()
        (folder / "a.txt").write_text("x", encoding="utf-8")
    (root / "link").symlink_to(outside / "a.txt")
    (here / "way-in").symlink_to(root)
    scraper = FileScraper(FileScraperConfig(roots=(str(here / "way-in"),)))
    assert (await read(root / "a.txt", scraper)).text == "x"
    assert [link.text for link in (await read(root, scraper)).links] == ["a.txt"]
    for url in (
        (outside / "a.txt").as_uri(),
        (outside / "missing.txt").as_uri(),
        (root / "link").as_uri(),
        f"{root.as_uri()}/../root-beside/a.txt",
        f"{root.as_uri()}/%2e%2e/root-beside/a.txt",
        here.as_uri(),
        "file:///",
    ):
        assert isinstance(await failure(url, scraper), Refused)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere file names are Unicode")
async def test_names_are_bytes(here: Path) -> None:
    """A file whose name is no UTF-8 is read, by itself and as a folder's entry, and its title can be stored."""
    path = here / os.fsdecode(b"\xff\xfe.txt")
    path.write_text("The mill stands by the river.")
    page = await read(path)
    assert page.text == "The mill stands by the river."
    assert page.title == "\ufffd\ufffd.txt"
    (entry,) = (await read(here)).links
    assert (entry.url, entry.text) == (path.as_uri(), page.title)
    gone = await failure((here / os.fsdecode(b"\xff")).as_uri())
    assert str(gone).encode("utf-8")


@POSIX
def test_names_outside_of_the_locale_are_read(here: Path) -> None:
    """Under the locale C, whose names are ASCII, a file with another name is read all the same."""
    path = here / "Gr\u00fc\u00dfe.txt"
    path.write_text("The mill stands by the river.")
    code = (
        "import asyncio, sys\n"
        "from hotswap_adapters.scraper.file import FileScraper\n"
        "from hotswap_ports.scraper import ScrapeRequest\n"
        "page = asyncio.run(FileScraper().scrape(ScrapeRequest(sys.argv[1])))\n"
        "print(ascii(page.title), page.text)"
    )
    locale = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = subprocess.run(
        [sys.executable, "-c", code, path.as_uri()], env={**os.environ, **locale}, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.strip() == ascii(path.name) + " The mill stands by the river."


async def test_latin_text_is_recognised(here: Path) -> None:
    """A text in an old charset is read."""
    path = here / "old.txt"
    path.write_bytes("Größe und Käse für die Straße, naïve façade.".encode("latin-1"))
    assert "Größe" in (await read(path)).text


async def test_what_was_not_granted_is_not_read(here: Path) -> None:
    """A path that the host does not grant is refused, by a link to it as well, and no folder lists it."""
    (here / "open").mkdir()
    (here / "open" / "a.txt").write_text("Open.", encoding="utf-8")
    (here / "secret.txt").write_text("Secret.", encoding="utf-8")
    (here / "open" / "link.txt").symlink_to(here / "secret.txt")
    scraper = FileScraper(may_read=lambda path: Path(path).is_relative_to(here / "open"))
    assert (await read(here / "open" / "a.txt", scraper)).text == "Open."
    assert [each.text for each in (await read(here / "open", scraper)).links] == ["a.txt"]
    for path in (here / "secret.txt", here / "open" / "link.txt"):
        error = await failure(path.as_uri(), scraper)
        assert isinstance(error, Refused)
        assert "[grants.file-scraper]" in error.hint
