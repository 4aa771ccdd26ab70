"""A second run of the research workflow fetches and computes only what changed, and a killed one leaves no lies."""

from __future__ import annotations

import asyncio
import json

import attrs
import pytest

from hotswap_plugins.research import ResearchConfig
from hotswap_plugins.research.identity import MARK_ID
from hotswap_plugins.research.records import Record, Records
from hotswap_plugins.research.sources import Target
from hotswap_ports import (
    Fingerprint,
    InvalidContent,
    InvalidRequest,
    ModelInfo,
    NotFound,
    NotWritable,
    Page,
    PortError,
    RateLimited,
    ScrapeRequest,
    Unavailable,
)
from hotswap_ports.testing import MemoryStorage
from tests.research_twins import Bench, RecordingAI, RecordingSearch, paragraphs

URL = "https://p.example/"
LONG = paragraphs(*"ABCDEF", words=150)


@pytest.fixture
def bench() -> Bench:
    made = Bench()
    made.put(URL, LONG, title="Page")
    return made


async def indexed_ids(bench: Bench) -> set[str]:
    return set(bench.search._entries) - {MARK_ID}


async def test_an_unchanged_page_costs_nothing(bench: Bench) -> None:
    """A second run sends what is known, and summarises, embeds and indexes nothing; the report is the same."""
    first = await bench.run(URL)
    bench.forget()
    second = await bench.run(URL)
    assert second.report == first.report
    assert [each.known is not None for each in bench.requested()] == [True]
    assert not any((bench.ai.embedded, bench.ai.summarised, bench.search.indexed, bench.search.removed))
    assert dict(second.stats) == {
        "pages": 1, "read": 0, "unchanged": 1, "summarised": 0, "passages": 6, "embedded": 0, "indexed": 0,
        "removed": 0, "failed": 0, "skipped": 0,
    }  # fmt: skip


async def test_an_unchanged_site_is_followed_by_its_stored_links(bench: Bench) -> None:
    """Links of a page that did not change are known from the last time."""
    bench.put(URL, LONG, f"{URL}next")
    bench.put(f"{URL}next", "Another page.", f"{URL}last")
    bench.put(f"{URL}last", "The last page.")
    await bench.run(URL, max_pages=3)
    result = await bench.run(URL, max_pages=3)
    assert (result.stats["pages"], result.stats["unchanged"], result.stats["read"]) == (3, 3, 0)


async def test_a_changed_page_embeds_what_is_new(bench: Bench) -> None:
    """Only passages with another text are embedded and indexed; those that are gone leave the index."""
    await bench.run(URL)
    bench.forget()
    bench.put(URL, LONG.replace("C 3 begins", "C three begins"), title="Page")
    result = await bench.run(URL)
    assert len(bench.ai.embedded) == len(bench.search.indexed) == len(bench.search.removed) == 1
    assert "C three" in bench.ai.embedded[0]
    record = await bench.record(URL)
    assert record is not None
    assert await indexed_ids(bench) == set(record.passages)
    assert (result.stats["embedded"], result.stats["removed"], result.stats["summarised"]) == (1, 1, 1)


async def test_other_bytes_with_the_same_text_cost_nothing(bench: Bench) -> None:
    """A page whose text is the same is not computed again, and what it says of itself is kept as it is now."""
    await bench.run(URL)
    bench.forget()
    bench.scraper.pages[URL] = Page(URL, LONG, "New title", fingerprint=Fingerprint(etag='"2"', sha256="0" * 64))
    result = await bench.run(URL)
    assert (result.stats["unchanged"], result.stats["read"]) == (1, 1)
    assert not any((bench.ai.embedded, bench.ai.summarised, bench.search.indexed))
    assert result.report.sources[0].title == "New title"
    record = await bench.record(URL)
    assert record is not None
    assert record.fingerprint.etag == '"2"'


async def test_a_page_that_is_gone_is_forgotten(bench: Bench) -> None:
    """A 404 removes the page from index and storage, and is a problem."""
    await bench.run(URL)
    bench.put(URL, NotFound("404"))
    with pytest.raises(NotFound):
        await bench.run(URL)
    assert await bench.record(URL) is None
    assert await indexed_ids(bench) == set()
    assert not (await bench.storage.list("research/pages/")).keys
    assert not (await bench.storage.list("research/texts/")).keys


async def test_a_page_that_is_no_text_any_more_is_forgotten(bench: Bench) -> None:
    """What turned into a binary file, or into nothing, does not answer questions any more."""
    for now in (InvalidContent("binary"), " "):
        bench.put(URL, LONG)
        await bench.run(URL)
        bench.put(URL, now)
        with pytest.raises(InvalidContent):
            await bench.run(URL)
        assert await indexed_ids(bench) == set()


async def test_a_file_that_left_its_folder_is_forgotten(bench: Bench) -> None:
    """What was in a folder the last time and is not listed now is removed; so is a folder with all below it."""
    root = "file:///srv/docs"
    bench.put_folder(root, f"{root}/a.txt", f"{root}/b.txt", f"{root}/sub")
    bench.put_folder(f"{root}/sub", f"{root}/sub/c.txt")
    for name in ("a", "b", "sub/c"):
        bench.put(f"{root}/{name}.txt", f"Text of {name}.")
    await bench.run(root)
    bench.put_folder(root, f"{root}/a.txt")
    result = await bench.run(root)
    assert (result.stats["removed"], result.stats["unchanged"]) == (2, 1)
    assert await bench.indexed() == 1
    del bench.scraper.pages[root]
    with pytest.raises(NotFound):
        await bench.run(root)
    assert await bench.indexed() == 0
    assert not (await bench.storage.list("research/pages/")).keys


async def test_a_given_path_that_is_gone_is_forgotten(bench: Bench) -> None:
    """A file given by its path that does not exist any more is removed before the error."""
    url = "file:///no/such/place/notes.txt"
    bench.put(url, "Some notes.")
    await bench.run(url)
    assert await bench.indexed() == 1
    with pytest.raises(NotFound, match=r"no file or folder '/no/such/place/notes\.txt'"):
        await bench.run("/no/such/place/notes.txt")
    assert await bench.indexed() == 0


async def test_a_file_in_the_place_of_a_folder(bench: Bench) -> None:
    """When a folder becomes a file, or a file a folder, what was there before is forgotten."""
    root = "file:///srv/thing"
    bench.put_folder(root, f"{root}/a.txt")
    bench.put(f"{root}/a.txt", "Text of a.")
    await bench.run(root)
    bench.put(root, "Now it is a file.")
    assert (await bench.run(root)).stats["removed"] == 1
    assert await bench.record(f"{root}/a.txt") is None
    bench.put_folder(root, f"{root}/a.txt")
    assert (await bench.run(root)).stats["removed"] == 1
    assert await bench.indexed() == 1


async def test_another_ai_computes_anew_without_fetching(bench: Bench) -> None:
    """With another model, the stored text is summarised and embedded again, and the page is not sent again."""
    await bench.run(URL)
    bench.forget()

    class Other(RecordingAI):
        async def models(self) -> tuple[ModelInfo, ...]:
            return (ModelInfo("other-model", kind="embedding", dimensions=256),)

    bench.ai = Other()
    result = await bench.run(URL)
    assert (result.stats["read"], result.stats["embedded"], result.stats["summarised"]) == (0, 6, 1)
    assert [each.known is not None for each in bench.requested()] == [True]
    assert await bench.indexed() == 6
    assert (await bench.run(URL)).stats["unchanged"] == 1


async def test_a_lost_text_is_fetched_again(bench: Bench) -> None:
    """When the stored text is not the one that the record is about, the page is read without what is known."""
    await bench.run(URL)
    await bench.storage.put(f"research/texts/{Target.of(URL).key}", b"something else")
    bench.config = ResearchConfig(page_sentences=2)
    bench.forget()
    result = await bench.run(URL)
    assert (result.stats["read"], result.stats["summarised"], result.stats["embedded"]) == (1, 1, 0)
    assert [each.known is not None for each in bench.requested()] == [True, False]


async def test_an_exchanged_index_is_filled_again(bench: Bench) -> None:
    """A record tells which index holds its passages; in another one they are indexed anew, summaries are kept."""
    await bench.run(URL)
    bench.forget()
    bench.search = RecordingSearch()
    result = await bench.run(URL)
    assert (result.stats["indexed"], result.stats["summarised"], result.stats["read"]) == (6, 0, 0)
    assert (await bench.run(URL)).stats["unchanged"] == 1


@pytest.mark.parametrize(
    "value",
    [
        b"no json", b"[]", b"{}", b'"x"', b'{"format": 1}', b'{"format": 1, "url": 3}', b"\xff",
        json.dumps({"format": 1, **attrs.asdict(Record("u")), "passages": [1]}).encode(),
        json.dumps({"format": 1, **attrs.asdict(Record("u")), "extra": 1}).encode(),
        json.dumps({"format": 0, **attrs.asdict(Record("u"))}).encode(),
    ],
)  # fmt: skip
async def test_a_record_of_another_format_is_as_good_as_none(bench: Bench, value: bytes) -> None:
    """Whatever lies where a record should be is overwritten, and the page is read and computed."""
    await bench.run(URL)
    await bench.storage.put(f"research/pages/{Target.of(URL).key}", value)
    overview = (await bench.storage.list("research/overviews/")).keys[0]
    await bench.storage.put(overview, value)
    result = await bench.run(URL)
    assert (result.stats["read"], result.stats["summarised"]) == (1, 1)
    assert (await bench.run(URL)).stats["unchanged"] == 1


async def test_the_overview_is_made_once(bench: Bench) -> None:
    """The summary of all pages is made again only when a page, the AI or a setting is another one."""
    bench.put("https://q.example/", "Another page. It has two sentences.")
    await bench.run(URL, "https://q.example/")
    bench.forget()
    await bench.run(URL, "https://q.example/")
    assert bench.ai.summarised == []
    bench.config = ResearchConfig(summary_sentences=1)
    await bench.run(URL, "https://q.example/")
    assert len(bench.ai.summarised) == 1
    bench.put("https://q.example/", "Another page. It has three sentences. This is new.")
    await bench.run(URL, "https://q.example/")
    assert len(bench.ai.summarised) == 3


async def test_what_is_stored_is_kept_while_the_ai_is_away(bench: Bench) -> None:
    """An AI that cannot be asked who it is changes nothing about what was made, and the report says so; one that will
    not say is told apart.
    """

    class Away(RecordingAI):
        error: PortError = Unavailable("The server is down.")

        async def models(self) -> tuple[ModelInfo, ...]:
            raise self.error

    await bench.run(URL)
    bench.ai = Away()
    result = await bench.run(URL)
    assert result.stats["unchanged"] == 1
    assert result.report.notes[-1].startswith("The AI cannot be reached")
    bench.ai.error = InvalidRequest("There is no list of models.")
    assert (await bench.run(URL)).stats["summarised"] == 1
    assert (await bench.run(URL)).stats["unchanged"] == 1


async def test_an_ai_exchanged_during_a_run_is_noticed(bench: Bench) -> None:
    """What was made while the AI changed is marked, noted, and made anew the next time."""

    class Changing(RecordingAI):
        name = "first"

        async def models(self) -> tuple[ModelInfo, ...]:
            return (ModelInfo(self.name),)

    ai = bench.ai = Changing()
    ai.before = lambda: setattr(ai, "name", "second")
    result = await bench.run(URL)
    assert "The AI was exchanged" in result.report.notes[-1]
    result = await bench.run(URL)
    assert (result.stats["summarised"], result.report.notes) == (1, ())
    assert (await bench.run(URL)).stats["unchanged"] == 1


async def test_an_ai_that_fails_for_one_page_spares_the_others(bench: Bench) -> None:
    """A page that the AI cannot work on is a problem, is not recorded, and is tried again the next time."""
    bench.put("https://bad.example/", "Bad page.")

    def fail_on_bad() -> None:
        if any("Bad" in each for texts in bench.ai.summarised for each in texts):
            bench.ai.before = lambda: None
            raise RateLimited("Too many calls.", 3.0)

    bench.ai.before = fail_on_bad
    bench.config = ResearchConfig(concurrency=1)
    result = await bench.run("https://bad.example/", URL)
    assert [(each.source, each.code) for each in result.problems] == [("https://bad.example/", "PORT-005")]
    assert await bench.record("https://bad.example/") is None
    assert (await bench.run("https://bad.example/", URL)).stats["pages"] == 2


async def test_an_index_that_cannot_be_written_ends_the_run(bench: Bench) -> None:
    """A full disk is the run's error, once, and no record claims what was not indexed."""
    await bench.run("https://q.example/", URL)
    bench.put("https://q.example/", "New page.")
    bench.put(URL, "Also new.")

    def full() -> None:
        raise NotWritable("The disk is full.")

    bench.search.before_index = full
    with pytest.raises(NotWritable, match="full"):
        await bench.run("https://q.example/", URL)
    assert await bench.record("https://q.example/") is None
    record = await bench.record(URL)
    assert record is not None
    assert set(record.passages) <= await indexed_ids(bench)


@pytest.mark.parametrize("moment", range(1, 32))
async def test_a_kill_at_any_moment_leaves_no_lie(bench: Bench, moment: int) -> None:
    """However many awaits in a run is cancelled, records claim only what is indexed, and the next run completes."""
    bench.put("https://q.example/", "A page about herons. It is short.")
    await bench.run(URL, "https://q.example/")
    bench.put(URL, LONG.replace("B 1", "B one").replace("E 2", "E two"))
    bench.put("https://q.example/", NotFound("404"))
    task = asyncio.get_running_loop().create_task(bench.run(URL, "https://q.example/"))
    slow(bench)
    for _ in range(moment):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    for url in (URL, "https://q.example/"):
        record = await bench.record(url)
        assert record is None or set(record.passages) <= await indexed_ids(bench)
    result = await bench.run(URL, "https://q.example/", ask="C 3 begins")
    assert result.stats["pages"] == 1
    assert result.report.answer is not None
    assert all("B 1" not in each.text for each in result.report.answer.passages)


def slow(bench: Bench) -> None:
    """Let every call to the storage and the index yield to the loop before and after, so that each can be cut off."""

    for port, names in ((bench.storage, ("put", "delete", "read")), (bench.search, ("index", "remove", "search"))):
        for name in names:
            call = getattr(port, name)

            async def yielding(*arguments: object, call: object = call, **named: object) -> object:
                await asyncio.sleep(0)
                result = await call(*arguments, **named)  # type: ignore[operator]
                await asyncio.sleep(0)
                return result

            setattr(port, name, yielding)


async def test_a_passage_without_a_record_is_no_answer(bench: Bench) -> None:
    """What is indexed without a record answers nothing, and stays: a run beside this one may be about to claim it."""
    await bench.run(URL)
    await bench.storage.delete(f"research/pages/{Target.of(URL).key}")
    result = await bench.run(ask="C 3 begins a sentence")
    assert result.report.answer is not None
    assert result.report.answer.passages == ()
    assert await bench.indexed() == 6
    assert (await bench.run(URL)).stats["indexed"] == 6


async def test_two_runs_at_once_do_not_corrupt(bench: Bench) -> None:
    """Whichever of two runs that see different pages records last, its passages are in the index."""

    class Alternating(type(bench.scraper)):  # type: ignore[misc]
        async def scrape(self, request: ScrapeRequest) -> Page:
            await asyncio.sleep(0)
            number = len(self.requests)
            self.requests.append(request)
            return Page(URL, LONG.replace("D 4", f"D version{number}"), fingerprint=Fingerprint(sha256=str(number)))

    bench.scraper = Alternating()
    slow(bench)
    for _ in range(3):
        await asyncio.gather(bench.run(URL), bench.run(URL), bench.run(URL))
        record = await bench.record(URL)
        assert record is not None
        assert set(record.passages) <= await indexed_ids(bench)


async def test_a_record_that_changed_meanwhile_is_left_alone() -> None:
    """Saving holds the record against the version that was read."""
    records = Records(MemoryStorage())
    assert await records.save("k", Record("first"), 0)
    assert not await records.save("k", Record("second"), 0)
    stored = await records.load("k")
    assert stored.record == Record("first")
