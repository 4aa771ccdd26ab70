"""The research workflow over its real adapters: files and a web server, SQLite files, the embedded AI, Markdown."""

from __future__ import annotations

import asyncio
import re
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from markdown_it import MarkdownIt

from hotswap_adapters.ai.extractive import ExtractiveAI, ExtractiveConfig
from hotswap_adapters.formatter.markdown import MarkdownFormatter
from hotswap_adapters.scraper.file import FileScraper
from hotswap_adapters.scraper.http import HttpScraper, HttpScraperConfig
from hotswap_adapters.search.sqlite import SqliteSearch, SqliteSearchConfig
from hotswap_adapters.storage.sqlite import SqliteStorage, SqliteStorageConfig
from hotswap_plugins.research import Research, ResearchConfig
from hotswap_ports import WorkflowResult
from hotswap_ports.testing import WorkflowContract
from tests.integration.web import Reply, Web, serving
from tests.research_twins import BareContext, TimelessResearch, paragraphs

HERON = """<html><head><title>Herons</title></head><body><main><h1>Herons</h1>
<p>Herons are wading birds that live near shallow rivers and lakes all over the world. They stand still for a long
time and wait for a fish to come near. A heron catches the fish with one quick thrust of its long bill.</p>
<p>In winter, when the water freezes, most herons move south, where rivers stay open. Some of them stay, and many
of those that stay do not live to see the spring. <a href="/nests">Nests</a> are built in tall trees.</p>
</main></body></html>"""
NESTS = """<html><head><title>Nests</title></head><body><main><h1>Nests</h1>
<p>The nest of a heron is a platform of sticks, high in a tree near the water. The same nest is used year after year,
and it grows each time that it is repaired. Four or five pale blue eggs are laid in April.</p></main></body></html>"""


@asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[Research]:
    """Open the workflow over everything that the defaults enable, kept in ``folder``; words are embedded by hashing."""
    async with AsyncExitStack() as stack:
        storage = await stack.enter_async_context(SqliteStorage(SqliteStorageConfig(str(folder / "data.db"))))
        search = await stack.enter_async_context(SqliteSearch(SqliteSearchConfig(str(folder / "search.db"))))
        web = await stack.enter_async_context(HttpScraper(HttpScraperConfig(requests_per_second=1000.0, attempts=1)))
        ai = await stack.enter_async_context(ExtractiveAI(ExtractiveConfig(embedder="hashing")))
        formatter = MarkdownFormatter()
        scrapers = {"http-scraper": web, "file-scraper": FileScraper()}
        formatters = {"markdown-formatter": formatter}
        config = ResearchConfig(timeout=10.0)
        yield TimelessResearch(scrapers, ai, storage, search, formatters, formatter, config, BareContext())


async def run(folder: Path, *sources: str, **inputs: Any) -> WorkflowResult:
    async with opened(folder) as research:
        return await research.run({"sources": sources, **inputs})


@pytest.fixture
async def web() -> AsyncIterator[Web]:
    async with serving() as server:
        server.routes["/"] = Reply(HERON, headers={"ETag": '"1"'})
        server.routes["/nests"] = Reply(NESTS)
        yield server


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    folder = tmp_path / "docs"
    (folder / "deep").mkdir(parents=True)
    (folder / "a.md").write_text(f"# Alpha\n\n{paragraphs('Alpha', words=120)}\n", encoding="utf-8")
    (folder / "deep" / "b.txt").write_text(paragraphs("Beta", "Gamma", words=150), encoding="utf-8")
    (folder / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(256)))
    return folder


class TestContract(WorkflowContract):
    @pytest.fixture
    async def workflow(self, tmp_path: Path) -> AsyncIterator[Research]:
        async with opened(tmp_path / "state") as research:
            yield research

    @pytest.fixture
    def inputs(self, docs: Path) -> Mapping[str, Any]:
        return {"sources": (str(docs),), "ask": "Which sentence is about beta?"}

    @pytest.fixture
    def partly(self, docs: Path) -> Mapping[str, Any]:
        return {"sources": (str(docs / "a.md"), str(docs / "missing.md"), str(docs / "picture.png"))}

    @pytest.fixture
    def hopeless(self, docs: Path) -> Mapping[str, Any]:
        return {"sources": (str(docs / "missing.md"), "http://127.0.0.1:1/")}


async def test_files_folders_and_pages_make_one_report(web: Web, docs: Path, tmp_path: Path) -> None:
    """What is read of each kind stands in one Markdown document that links back, word for word from its sources."""
    result = await run(tmp_path, str(docs), f"{web.base}/", max_pages=5, ask="Where do herons go in winter?")
    assert [each.title for each in result.report.sources] == ["Alpha", "b.txt", "Herons", "Nests"]
    assert result.problems == ()
    answer = result.report.answer
    assert answer is not None
    assert "herons move south" in answer.text
    assert "Herons" in {result.report.sources[each.source].title for each in answer.passages}
    links = set(re.findall('href="([^"]*)"', MarkdownIt("commonmark").render(result.rendered.text)))
    assert links == {f"{web.base}/", f"{web.base}/nests"}  # this renderer makes no links to files
    assert f"[source-1]: <{(docs.resolve() / 'a.md').as_uri()}>" in result.rendered.text
    assert "1 file without usable text left out" in result.rendered.text
    assert "nothing here was written by a model" in result.rendered.text


async def test_the_next_process_computes_only_what_changed(web: Web, docs: Path, tmp_path: Path) -> None:
    """With everything opened anew, an unchanged run costs nothing, and a change costs what it touches."""
    sources = (str(docs), f"{web.base}/")
    first = await run(tmp_path, *sources, max_pages=5)
    second = await run(tmp_path, *sources, max_pages=5)
    assert second.rendered == first.rendered
    assert (second.stats["unchanged"], second.stats["embedded"], second.stats["summarised"]) == (4, 0, 0)
    changed = (docs / "deep" / "b.txt").read_text(encoding="utf-8").replace("Gamma 3", "Gamma three")
    (docs / "deep" / "b.txt").write_text(changed, encoding="utf-8")
    (docs / "a.md").unlink()
    web.routes["/"] = Reply(HERON.replace("quick thrust", "slow thrust"), headers={"ETag": '"2"'})
    third = await run(tmp_path, *sources, max_pages=5, ask="gamma three begins a sentence")
    assert (third.stats["unchanged"], third.stats["summarised"], third.stats["embedded"]) == (1, 2, 2)
    assert third.report.answer is not None
    assert "Gamma three" in third.report.answer.text
    alone = await run(tmp_path, ask="Alpha 3 begins a sentence of ten words about alpha")
    assert alone.report.answer is not None
    assert not [each for each in alone.report.sources if each.title == "Alpha"]


async def test_a_host_that_is_down_is_a_problem(web: Web, docs: Path, tmp_path: Path) -> None:
    """One source that cannot be reached, one that is not there, one that is forbidden: the folder is reported."""
    web.routes["/robots.txt"] = Reply("User-agent: *\nDisallow: /secret", headers={"Content-Type": "text/plain"})
    result = await run(tmp_path, "http://127.0.0.1:1/", f"{web.base}/missing", f"{web.base}/secret", str(docs))
    assert [each.code for each in result.problems] == ["PORT-003", "PORT-004", "PORT-009"]
    assert result.stats["pages"] == 2


_RUN = """
import asyncio, sys
from pathlib import Path
from tests.integration.test_research import run
asyncio.run(run(Path(sys.argv[1]), sys.argv[2]))
"""


async def test_what_a_killed_process_leaves_is_whole(docs: Path, tmp_path: Path) -> None:
    """A process killed while it works leaves records only of what is indexed, and the next run completes the work."""
    for number in range(40):
        (docs / f"{number:02}.txt").write_text(paragraphs(f"Topic{number}", words=150), encoding="utf-8")
    state = tmp_path / "state"
    for turn in range(3):
        process = subprocess.Popen([sys.executable, "-c", _RUN, str(state), str(docs)])
        async with opened(state) as research:
            for _ in range(2000):
                pages = len((await research._ports.storage.list("research/pages/")).keys)
                if pages or process.poll() is not None:
                    break
                await asyncio.sleep(0.005)
        process.kill()
        process.wait()
        await assert_whole(state, tmp_path / f"copy-{turn}")
        for path in docs.glob("*.txt"):
            path.write_text(path.read_text(encoding="utf-8").replace(" 3 begins", " 3  begins, now,"), encoding="utf-8")
    result = await run(state, str(docs))
    assert result.stats["pages"] == 42
    await assert_whole(state, tmp_path / "copy")


async def assert_whole(state: Path, copy: Path) -> None:
    """Assert, on a copy since it is used up, that every passage that a record claims is in the index."""
    shutil.copytree(state, copy)
    async with opened(copy) as research:
        storage, search = research._ports.storage, research._ports.search
        claimed: set[str] = set()
        for key in (await storage.list("research/pages/")).keys:
            claimed |= set((await storage.get_json(key))["passages"])
        assert await search.remove(sorted(claimed)) == len(claimed)
