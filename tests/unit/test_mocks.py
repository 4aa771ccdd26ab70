"""Mocks: told what to answer, when to fail and how long to wait; everything else their twins do."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, ClassVar

import pytest

from hotswap_ports import (
    AIFeatures,
    CompletionChunk,
    CompletionRequest,
    Conflict,
    EmbeddingRequest,
    Embeddings,
    FeatureUnsupported,
    Hit,
    InvalidRequest,
    Label,
    Message,
    ModelInfo,
    NotFound,
    NotWritable,
    Page,
    Port,
    PortError,
    RateLimited,
    Report,
    ScrapeRequest,
    ScraperFeatures,
    SearchFeatures,
    SearchQuery,
    SearchResult,
    Storage,
    StorageFeatures,
    SummaryRequest,
    TimedOut,
    TooLarge,
    ToolFeatures,
    ToolResult,
    Unavailable,
    Vector,
)
from hotswap_ports.errors import port_error_classes
from hotswap_ports.testing import (
    Call,
    MemoryAI,
    MemoryStorage,
    Mock,
    MockAI,
    MockFormatter,
    MockScraper,
    MockSearch,
    MockStorage,
    MockTool,
    MockWorkflow,
    WrongAnswer,
    WrongTest,
    mock_of,
)


class Time:
    """A clock that sleeping moves on."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds


def ask(text: str) -> CompletionRequest:
    return CompletionRequest((Message("user", text),))


async def test_what_no_rule_speaks_for_the_twin_answers() -> None:
    """A mock without rules does what a storage does, and notes every call with its outcome."""
    storage = MockStorage()
    await storage.put("a", b"1")
    assert await storage.get("a") == b"1"
    with pytest.raises(Conflict):
        await storage.put("a", b"2", expect=9)
    assert [(each.method, each.number, each.subject) for each in storage.calls()] == [
        ("put", 1, "a"),
        ("get", 1, "a"),
        ("put", 2, "a"),
    ]
    assert storage.calls("get")[0].result == b"1"
    assert isinstance(storage.calls("put")[1].error, Conflict)
    assert storage.calls("put", value=b"2") == storage.calls()[2:]
    assert storage.calls("put")[0].arguments == {"key": "a", "value": b"1", "expect": None}


async def test_answers_by_pattern_and_function_the_latest_rule_first() -> None:
    """A glob, a regular expression, arguments, a function of the call, an async one; a later rule outweighs."""
    ai = MockAI()
    ai.on("complete").answer("I do not know.")
    ai.on("complete", "*heron*").answer("In the river.", "Still there.")
    ai.on("complete", re.compile(r"\d+ times")).answer(lambda call: f"{call.subject}, for the {call.number}th")
    ai.on("complete", lambda call: call.arguments["request"].model == "slow").answer(_later)

    async def said(text: str, model: str | None = None) -> str:
        return (await ai.complete(CompletionRequest((Message("user", text),), model))).text

    assert await said("What?") == "I do not know."
    assert [await said("Where is the heron?") for _ in range(3)] == ["In the river.", "Still there.", "Still there."]
    assert await said("say it 3 times") == "say it 3 times, for the 5th"
    assert await said("heron", model="slow") == "later"


async def _later(call: Call) -> str:
    await asyncio.sleep(0)
    return "later"


async def test_a_text_becomes_what_the_method_returns() -> None:
    """Completion, stream, summary, page, bytes, document: each from a text, as a test writes it."""
    ai, scraper, storage = MockAI(), MockScraper({"https://a.example.org/": "Herons."}), MockStorage()
    ai.on("*").answer("Herons wait.")
    completion = await ai.complete(ask("What do herons do?"))
    assert (completion.text, completion.usage.input_tokens, completion.usage.output_tokens) == ("Herons wait.", 5, 3)
    chunks = [each async for each in ai.stream(ask("And?"))]
    assert ("".join(each.text for each in chunks), chunks[-1].finish_reason) == ("Herons wait.", "stop")
    assert (await ai.summarize(SummaryRequest(("Long.",)))).text == "Herons wait."
    assert ai.tokens.total_tokens == (5 + 3) + (2 + 3) + (1 + 2)
    page = await scraper.scrape(ScrapeRequest("https://a.example.org/"))
    assert (page.text, page.size, page.url) == ("Herons.", 7, "https://a.example.org/")
    storage.on("get", "name").answer("Grey heron")
    storage.on("read", "name").answer("Grey heron")
    assert await storage.get("name") == b"Grey heron"
    stored = await storage.read("name")
    assert stored is not None
    assert (stored.key, stored.value, stored.version) == ("name", b"Grey heron", 1)
    formatter = MockFormatter()
    formatter.on("format", "Herons").answer("A document.")
    assert (await formatter.format(Report("Herons"))).text == "A document."
    assert (await formatter.format(Report("Fish"))).text == "Fish\n"


@pytest.mark.parametrize("failure", sorted(port_error_classes(), key=lambda each: each.__name__))
async def test_every_port_error_can_be_demanded_by_its_class(failure: type[PortError]) -> None:
    """A class is enough: what else its errors carry is filled in."""
    storage = MockStorage()
    storage.on("get").fail(failure)
    with pytest.raises(failure) as raised:
        await storage.get("a")
    assert type(raised.value) is failure
    assert storage.calls()[0].error is raised.value


async def test_failures_every_nth_call_after_some_and_only_so_often() -> None:
    """``every``, ``after``, ``times`` and ``once`` say which of the calls that match are meant."""
    scraper = MockScraper({"https://a.example.org/": Page("https://a.example.org/", "Herons.")})
    scraper.on("scrape").every(3).fail(Unavailable("down"))
    assert await _fates(scraper, 7) == ["ok", "ok", "down", "ok", "ok", "down", "ok"]
    scraper.reset()
    scraper.on("scrape").answer("Herons.")
    scraper.on("scrape").after(2).times(2).fail(NotFound("gone"))
    assert await _fates(scraper, 6) == ["ok", "ok", "gone", "gone", "ok", "ok"]
    scraper.on("scrape").once().fail(lambda call: TimedOut(call.subject, 3))
    assert await _fates(scraper, 2) == ["https://a.example.org/ took longer than 3 s.", "ok"]


async def _fates(scraper: MockScraper, calls: int) -> list[str]:
    fates = []
    for _ in range(calls):
        try:
            await scraper.scrape(ScrapeRequest("https://a.example.org/"))
        except PortError as error:
            fates.append(str(error))
        else:
            fates.append("ok")
    return fates


async def test_latency_and_a_failure_after_a_delay() -> None:
    """What a rule says happens after its delay; the delays of all rules that match add up."""
    time, storage = Time(), MockStorage()
    storage.timing(time, time.sleep)
    storage.on("*").delay(0.5)
    storage.on("put", "slow/*").delay(2).fail(TimedOut)
    await storage.put("fast", b"")
    assert time.now == 0.5
    with pytest.raises(TimedOut):
        await storage.put("slow/a", b"")
    assert time.now == 2.5


async def test_a_rate_limit_says_when_to_come_back() -> None:
    """Calls beyond the limit are refused until the first of the window is old enough."""
    time, ai = Time(), MockAI()
    ai.timing(time, time.sleep)
    ai.limit(2, seconds=60, method="complete")
    await ai.complete(ask("1"))
    time.now = 10
    await ai.complete(ask("2"))
    with pytest.raises(RateLimited) as refused:
        await ai.complete(ask("3"))
    assert refused.value.retry_after == 50
    assert await ai.count_tokens("not limited") == 2
    time.now = 60
    await ai.complete(ask("4"))


def test_a_limit_holds_for_what_is_not_awaited_without_a_loop_too() -> None:
    """A plain method may be called in any thread."""
    greeter = MockGreeter(Polite())
    greeter.limit(1, seconds=3600, method="language")
    assert greeter.language() == "en"
    with pytest.raises(RateLimited):
        greeter.language()


async def test_streams_are_paced_and_cut() -> None:
    """A stream waits before each item, and breaks off in the middle, with an error or without."""
    time, ai = Time(), MockAI()
    ai.timing(time, time.sleep)
    ai.on("stream").answer("one two three four")
    ai.on("stream", "quiet").cut(after=2, failure=None)
    ai.on("stream", "loud").pace(0.1).cut(after=3, failure=Unavailable("the line is dead"))
    assert [each.text async for each in ai.stream(ask("quiet"))] == ["one", " two"]
    heard: list[str] = []
    with pytest.raises(Unavailable, match="dead"):
        await _listen(ai, "loud", heard)
    assert heard == ["one", " two", " three"]
    assert time.now == pytest.approx(0.3)
    assert [each.text for each in ai.calls("stream")[1].result] == heard


async def _listen(ai: MockAI, text: str, heard: list[str]) -> None:
    async for each in ai.stream(ask(text)):
        heard.append(each.text)  # noqa: PERF401 - what was heard before it broke off counts


async def test_a_reader_that_stops_early_closes_the_stream_and_is_no_failure() -> None:
    """The twin's stream is closed with the mock's."""
    closed = []

    class Slow(MemoryAI):
        async def stream(self, request: CompletionRequest) -> AsyncIterator[Any]:
            try:
                async for each in super().stream(request):
                    yield each
            finally:
                closed.append(True)

    ai = MockAI(Slow("one two three"))
    stream: Any = ai.stream(ask("?"))
    await anext(stream)
    await stream.aclose()
    assert closed == [True]
    assert ai.calls()[0].ended
    assert ai.calls()[0].error is None


async def test_a_cancelled_call_ends_with_its_cancellation() -> None:
    """A delay is where a test cancels a call; the mock notes that."""
    storage = MockStorage()
    storage.on("get").delay(3600)
    task = asyncio.create_task(storage.get("a"))
    while not storage.calls():
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert isinstance(storage.calls()[0].error, asyncio.CancelledError)


async def test_what_a_call_is_about() -> None:
    """Patterns see the query of a search, the ids of documents, the inputs of a workflow, the arguments of a tool."""
    search, workflow, tool = MockSearch(), MockWorkflow(), MockTool()
    await search.search(SearchQuery("herons"))
    await search.remove(["a", "b"])
    await workflow.run({"words": ("heron",), "times": 2})
    assert [each.subject for each in search.calls()] == ["herons", "a b"]
    await tool.call({"text": "heron", "times": 2})
    assert workflow.calls()[0].subject == "words=('heron',) times=2"
    assert tool.calls()[0].subject == "text=heron times=2"


async def test_a_mocked_tool_takes_what_its_features_say() -> None:
    """They are put in the place of the twin's; a text is the value and the words, another answer as it stands."""
    tool = MockTool()
    tool.features = ToolFeatures("The time in a town.", {"type": "object", "properties": {"town": {"type": "string"}}})
    tool.on("call", "town=Bath").answer("noon")
    tool.on("call", "town=Rome").answer(ToolResult({"hour": 13}, "one o'clock", 0.9))
    assert await tool.call({"town": "Bath"}) == ToolResult("noon", "noon")
    assert (await tool.call({"town": "Rome"})).value == {"hour": 13}
    assert (await tool.call({"town": "Ulm"})).value == {"town": "Ulm"}
    with pytest.raises(InvalidRequest, match="town"):
        await tool.call({"town": 1})


async def test_a_mock_stands_over_any_implementation() -> None:
    """So a real adapter can be watched, and made to fail now and then."""
    twin = MemoryStorage(max_value_bytes=3)
    storage = MockStorage(twin)
    with pytest.raises(TooLarge):
        await storage.put("a", b"four")
    assert storage.features.max_value_bytes == 3


class Greeter(Port):
    """A port of somebody else's."""

    PORT: ClassVar[str] = "greeter"
    VERSION: ClassVar[str] = "1.0.0"

    async def greet(self, name: str, *, loud: bool = False) -> str:
        """Greet."""
        raise NotImplementedError

    def language(self) -> str:
        """Return what it speaks."""
        raise NotImplementedError


class Polite(Greeter):
    async def greet(self, name: str, *, loud: bool = False) -> str:
        return f"hello {name}"

    def language(self) -> str:
        return "en"


class MockGreeter(Mock, Greeter):
    """A mock of it is two names."""


async def test_what_is_not_awaited_is_mocked_as_what_it_is() -> None:
    """A plain method answers and fails by rules, is noted, and gives what its twin gives; it cannot be kept waiting."""
    greeter = MockGreeter(Polite())
    assert greeter.language() == "en"
    rule = greeter.on("language").every(2).answer("de", lambda call: f"no. {call.number}")
    assert [greeter.language() for _ in range(4)] == ["en", "de", "en", "no. 5"]
    assert len(rule.calls) == 2
    greeter.on("language").once().fail(Unavailable("dumb"))
    with pytest.raises(Unavailable, match="dumb"):
        greeter.language()
    assert [each.method for each in greeter.calls("language")] == ["language"] * 6
    with pytest.raises(InvalidRequest, match=r"delay\(\) is for what is awaited"):
        greeter.on("language").delay(1)
    greeter.reset()
    greeter.on("*").delay(3600)
    assert greeter.language() == "en"
    greeter.on("language").answer(_later)
    with pytest.raises(WrongTest, match="language is not awaited"):
        greeter.language()


async def test_calls_are_numbered_by_method_and_anew_after_a_reset() -> None:
    """Each method counts for itself, whoever asks in between, and ``reset`` begins with 1 again."""
    storage = MockStorage()
    for method in ("read", "exists", "read", "get", "read"):
        await getattr(storage, method)("key")
    assert [each.number for each in storage.calls("read")] == [1, 2, 3]
    assert [each.number for each in storage.calls("get")] == [1]
    storage.reset()
    await storage.read("key")
    assert [each.number for each in storage.calls()] == [1]


async def test_a_port_of_ones_own_is_mocked_by_naming_it() -> None:
    """The methods come from the port, signatures and all."""
    greeter = MockGreeter(Polite())
    assert isinstance(greeter, Greeter)
    assert await greeter.greet("you", loud=True) == "hello you"
    greeter.on("greet", loud=True).answer("HELLO")
    assert await greeter.greet("you", loud=True) == "HELLO"
    with pytest.raises(TypeError):
        await greeter.greet()  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (lambda mock: mock.on("gett"), "has no method 'gett'"),
        (lambda mock: mock.on("get", kee="a"), "has no parameter kee"),
        (lambda mock: mock.on("get").answer(), "at least one value"),
        (lambda mock: mock.on("get").every(0), "at least 1"),
        (lambda mock: mock.on("get").delay(-1), "not below zero"),
        (lambda mock: mock.on("get").delay("1"), "is a number"),
        (lambda mock: mock.on("get").delay(float("nan")), "is a number"),
        (lambda mock: mock.on("gett"), "Did you mean 'get'"),
        (lambda mock: mock.calls("gett"), "Did you mean 'get'"),
        (lambda mock: mock.calls("get", kee="a"), "has no parameter kee. Did you mean 'key'"),
        (lambda mock: mock.on("get", 3), "3 is no pattern: give a text"),
        (lambda mock: mock.on("get", ["a"]), "is no pattern"),
        (lambda mock: mock.on("get", re.compile(b"a")), "is no pattern"),
        (lambda mock: mock.calls("get", 3), "3 is no pattern"),
        (lambda mock: mock.on("get").fail("boom"), r"such as fail\(Unavailable\('boom'\)\)"),
        (lambda mock: mock.on("get").fail(dict), "cannot be raised"),
        (lambda mock: mock.on("get").fail(UnicodeDecodeError), r"write fail\(UnicodeDecodeError\(...\)\)"),
        (lambda mock: mock.on("get").every("2"), "whole number of at least 1, and not '2'"),
        (lambda mock: mock.on("get").times(0), "whole number of at least 1"),
        (lambda mock: mock.on("get").after(-1), "whole number of at least 0"),
        (lambda mock: mock.on("get").cut(after=1), r"cut\(\) is for what is a stream, and get is not"),
        (lambda mock: mock.on("get").pace(1), r"pace\(\) is for what is a stream"),
        (lambda mock: mock.on("*").pace(1), "nothing here is"),
        (lambda mock: mock.limit(0, 1), r"fail\(RateLimited\) refuses all"),
        (lambda mock: mock.limit(1, -1), "above zero, and not -1"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused(wrong: Callable[[MockStorage], object], says: str) -> None:
    """A misspelt name would let a test pass for the wrong reason; it is told at once, and with what to write."""
    with pytest.raises(InvalidRequest, match=says):
        wrong(MockStorage())


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (lambda mock: mock.on("stream").cut(after=-1), "number of items is a whole number of at least 0"),
        (lambda mock: mock.on("stream").cut(1, "boom"), "cannot be raised"),
        (lambda mock: mock.on("complete", model="gpt"), r"model is a field of request: write on\(\"complete\", lambda"),
    ],
)
def test_a_rule_for_a_stream_or_a_request_that_makes_no_sense_is_refused(wrong: Any, says: str) -> None:
    """The field of a request is no parameter, and the hint is what to write."""
    with pytest.raises(InvalidRequest, match=says):
        wrong(MockAI())


async def test_what_a_function_fails_with_has_to_be_an_error() -> None:
    """A function that returns none is a mistake of the test, which no handler of the code under test hides."""
    storage = MockStorage()
    storage.on("get").fail(lambda call: "boom")  # type: ignore[arg-type, return-value]
    with pytest.raises(WrongTest, match="get was to fail with is no error: the function returned 'boom'"):
        await storage.get("a")


@pytest.mark.parametrize(
    ("mock", "method", "answer", "says"),
    [
        (MockStorage, "put", "x", r"on\('put'\).answer\('x'\): storage.put returns int, and not str"),
        (MockStorage, "put", None, "returns int, and not None"),
        (MockStorage, "put", True, "returns int, and not bool"),
        (MockStorage, "delete", 1, "returns bool, and not int"),
        (MockStorage, "get", 3, r"returns bytes \| None, and not int"),
        (MockStorage, "put", int, "returns int, and not the class int"),
        (MockAI, "count_tokens", "seven", "ai.count_tokens returns int, and not str"),
        (MockAI, "complete", None, "returns Completion, and not None"),
        (MockAI, "complete", 3, "returns Completion, and not int"),
        (MockAI, "complete", {}, "returns Completion, and not dict"),
        (MockAI, "models", ("gpt",), r"returns tuple\[ModelInfo, ...\], and not tuple of str"),
        (MockAI, "models", [ModelInfo("gpt")], r"returns tuple\[ModelInfo, ...\], and not list of ModelInfo"),
        (MockAI, "stream", ["one"], "returns CompletionChunks, as an iterable, and not list of str"),
        (MockAI, "stream", iter([CompletionChunk("one")]), "can be read once: give a list, or a function"),
        (MockAI, "*", 3.5, "and not float"),
        (MockSearch, "search", [], "returns SearchResult, and not list"),
        (MockSearch, "search", "heron", "returns SearchResult, and not str"),
        (MockScraper, "scrape", b"", "returns Page, and not bytes"),
        (MockWorkflow, "run", "done", "returns WorkflowResult, and not str"),
    ],
)
async def test_an_answer_that_the_port_cannot_give_is_an_error_in_the_test(
    mock: type[Any], method: str, answer: object, says: str
) -> None:
    """At the rule for a value, at the call for a function; it names the rule, the method, and what was wanted."""
    with pytest.raises(WrongAnswer, match=says):
        mock().on(method).answer(answer)
    assert not issubclass(WrongAnswer, Exception)


async def test_what_a_function_answers_is_held_to_the_port_as_well() -> None:
    """Of a stream each item as it comes; a count that cannot be is found by the call."""
    ai, storage, search, embedded = MockAI(), MockStorage(), MockSearch(), Vector.of([1.0], "m")
    storage.on("put").answer(lambda call: "x")
    with pytest.raises(WrongAnswer, match=r"on\('put'\).answer\(<lambda>\): storage.put returns int, and not str"):
        await storage.put("a", b"")
    ai.on("stream").answer(lambda call: [CompletionChunk("one"), "two"])
    with pytest.raises(WrongAnswer, match="returns CompletionChunks, as an iterable, and not list of str"):
        [each async for each in ai.stream(ask("?"))]
    ai.on("embed").answer(Embeddings((embedded,), "m", 1))
    with pytest.raises(WrongAnswer, match=r"ai\.embed returns 3 vectors of 1 dimensions, and not 1 vectors"):
        await ai.embed(EmbeddingRequest(("a", "b", "c")))
    assert (await ai.embed(EmbeddingRequest(("a",)))).vectors == (embedded,)
    ai.on("classify").answer((Label("bird", 1.0),))
    with pytest.raises(WrongAnswer, match="the labels bird, fish, and not bird"):
        await ai.classify("heron", ("fish", "bird"))
    search.on("search").answer(SearchResult((Hit("a", 1, "", ""), Hit("b", 1, "", "")), "lexical"))
    with pytest.raises(WrongAnswer, match="at most 1, and not 2"):
        await search.search(SearchQuery("heron", limit=1))


async def test_no_handler_of_the_code_under_test_hides_a_wrong_answer() -> None:
    """It is no Exception, and the mock has noted it."""
    storage = MockStorage()
    storage.on("get").answer(lambda call: 3)

    async def careless() -> bytes | None:
        try:
            return await storage.get("a")
        except Exception:
            return None

    with pytest.raises(WrongAnswer):
        await careless()
    assert isinstance(storage.calls()[0].error, WrongTest)


async def test_derived_methods_follow_the_rules_of_what_they_are_built_on() -> None:
    """The port's own code runs over the mocked methods; what was asked for is noted, and not what that is made of."""
    storage = MockStorage()
    put = storage.on("put").fail(NotWritable("full"))
    with pytest.raises(NotWritable):
        await storage.put_json("k", {})
    read = storage.on("read", "k").answer(b'{"a": 1}')
    assert (await storage.get("k"), await storage.exists("k")) == (b'{"a": 1}', True)
    assert await storage.get_json("k") == {"a": 1}
    assert [each.method for each in storage.calls()] == ["put_json", "get", "exists", "get_json"]
    assert [each.method for each in put.calls] == ["put"]
    assert [each.within.method for each in read.calls if each.within] == ["get", "exists", "get"]
    storage.on("get_json").answer({"b": 2})
    assert await storage.get_json("k") == {"b": 2}
    assert await storage.get("k") == b'{"a": 1}'


async def test_a_rule_for_all_methods_applies_once_to_what_is_derived() -> None:
    """What a derived method is made of is no further call of the code under test."""
    time, storage = Time(), MockStorage()
    storage.timing(time, time.sleep)
    storage.on("*").delay(1)
    assert await storage.get_json("k") is None
    assert time.now == 1
    storage.on("*").every(2).fail(Unavailable("down"))
    assert await storage.exists("k") is False
    with pytest.raises(Unavailable):
        await storage.exists("k")


async def test_a_twin_that_has_code_of_its_own_for_a_derived_method_answers_by_it() -> None:
    """It may do better than the port."""

    class Quick(MemoryStorage):
        async def exists(self, key: str) -> bool:
            return True

    assert await MockStorage(Quick()).exists("k")


async def test_features_that_are_not_there_are_refused() -> None:
    """Whether a rule would answer or the twin; an error that a rule demands goes first."""
    ai, scraper, search, formatter = MockAI(), MockScraper(), MockSearch(), MockFormatter()
    ai.on("complete", "told").answer("yes")
    ai.features = AIFeatures()
    for text in ("told", "untold"):
        with pytest.raises(FeatureUnsupported):
            await ai.complete(ask(text))
        with pytest.raises(FeatureUnsupported):
            await anext(ai.stream(ask(text)))
    with pytest.raises(FeatureUnsupported):
        await ai.embed(EmbeddingRequest(("a",)))
    ai.on("complete").fail(Unavailable("down"))
    with pytest.raises(Unavailable):
        await ai.complete(ask("told"))
    scraper.on("scrape").answer("Herons.")
    scraper.features = ScraperFeatures(frozenset({"https"}))
    for request in (ScrapeRequest("https://a.example.org/", javascript=True), ScrapeRequest("ftp://a.example.org/")):
        with pytest.raises(FeatureUnsupported):
            await scraper.scrape(request)
    search.on("search").answer(SearchResult((), "lexical"))
    search.features = SearchFeatures(frozenset({"vector"}))
    with pytest.raises(FeatureUnsupported):
        await search.search(SearchQuery("heron"))
    formatter.on("format").answer("A document.")
    with pytest.raises(FeatureUnsupported):
        await formatter.format(Report("Herons"), format="pdf")
    storage = MockStorage()
    storage.on("put").answer(1)
    storage.features = StorageFeatures(max_value_bytes=2)
    with pytest.raises(TooLarge):
        await storage.put_json("a", "heron")


async def test_rules_that_had_no_say_are_found() -> None:
    """By their calls, or all at once; a rule that a later one leaves nothing to has none; pages need not be read."""
    scraper = MockScraper({"https://a.example.org/": "Herons."})
    assert not scraper.unused()
    first = scraper.on("scrape", "https://b.*").answer("Fish.")
    outweighed = scraper.on("scrape").once().fail(Unavailable("down"))
    late = scraper.on("scrape").once().answer("Late.")
    assert scraper.unused() == (first, outweighed, late)
    await scraper.scrape(ScrapeRequest("https://c.example.org/"))
    assert late.calls == scraper.calls()
    assert scraper.unused() == (first, outweighed)
    assert (
        str(scraper.unused())
        == "(on('scrape', 'https://b.*').answer('Fish.'), on('scrape').times(1).fail(Unavailable('down')))"
    )


async def test_a_rule_that_shapes_a_stream_has_a_say_in_it() -> None:
    """Also where a later rule answers."""
    ai = MockAI()
    cut = ai.on("stream").cut(after=1, failure=None)
    ai.on("stream").answer("one two")
    assert [each.text async for each in ai.stream(ask("?"))] == ["one"]
    assert cut.calls == ai.calls()
    assert not ai.unused()


async def test_a_mock_without_a_twin_says_that_nobody_answers() -> None:
    """A rule has to, and the features are those that the port begins with."""
    storage = mock_of(Storage)
    assert storage.features == StorageFeatures()
    with pytest.raises(WrongTest, match=r"Nobody answers storage.read: say on\('read'\)"):
        await storage.get("a")
    storage.on("read").answer(None)
    assert await storage.exists("a") is False


def test_a_mock_of_no_port_is_refused() -> None:
    """A subclass has to name a port."""
    with pytest.raises(TypeError, match="names no port"):
        type("Nothing", (Mock,), {})


async def test_concurrent_calls_are_told_apart() -> None:
    """Each call has its own outcome, whatever order they end in."""
    storage = MockStorage()
    storage.on("get", "a").answer(_slow(asyncio.Event()))
    storage.on("get", "b").answer(b"b")
    first = asyncio.create_task(storage.get("a"))
    await asyncio.sleep(0)
    assert await storage.get("b") == b"b"
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    assert [each.result for each in storage.calls()] == [None, b"b"]


def _slow(never: asyncio.Event) -> Callable[[Call], Awaitable[bytes]]:
    async def answer(call: Call) -> bytes:
        await never.wait()
        return b""

    return answer
