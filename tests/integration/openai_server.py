"""A server on loopback that speaks OpenAI's protocol: it can also be slow, cut off, out of order and hostile."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import threading
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from hotswap_ports.ai import EmbeddingRequest
from hotswap_ports.testing import MemoryAI

KEY = "sk-test-0123456789abcdef"
CHAT_MODEL = "test-chat"
EMBEDDING_MODEL = "test-embed"

Handler = Callable[[Request, dict[str, Any]], Awaitable[Response]]


class OpenAIServer:
    """Answers sensibly by itself; ``script`` holds handlers that answer the next calls instead, one each."""

    def __init__(self) -> None:
        self.script: deque[Handler] = deque()
        self.requests: list[dict[str, Any]] = []
        """The bodies of all calls so far."""
        self.headers: list[dict[str, str]] = []
        self.left_early = threading.Event()
        """Set when a client went away before its stream had ended."""
        self.answer: Callable[[dict[str, Any]], str] = sensible_answer
        self.url = ""
        self._embedder = MemoryAI()

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/v1/chat/completions", self._chat, methods=["POST"]),
                Route("/v1/embeddings", self._embeddings, methods=["POST"]),
                Route("/v1/models", self._models),
            ]
        )

    async def _begin(self, request: Request) -> tuple[dict[str, Any], Response | None]:
        raw = await request.body()
        body: dict[str, Any] = json.loads(raw) if raw else {}
        self.requests.append(body)
        self.headers.append(dict(request.headers))
        if self.script:
            return body, await self.script.popleft()(request, body)
        if request.headers.get("authorization") != f"Bearer {KEY}":
            return body, error(401, f"Incorrect API key provided: {request.headers.get('authorization')}")
        if body.get("model", CHAT_MODEL) not in (CHAT_MODEL, EMBEDDING_MODEL):
            return body, error(404, f"The model `{body['model']}` does not exist")
        return body, None

    async def _chat(self, request: Request) -> Response:
        body, response = await self._begin(request)
        if response is not None:
            return response
        text, ended = cut(self.answer(body), body)
        if body.get("stream"):
            return self.stream(events(text, with_usage=bool(body.get("stream_options")), **ended))
        return JSONResponse(completion(text, **ended))

    async def _embeddings(self, request: Request) -> Response:
        body, response = await self._begin(request)
        if response is not None:
            return response
        assert all(body["input"])  # the real service refuses empty texts
        vectors = (await self._embedder.embed(EmbeddingRequest(tuple(body["input"])))).vectors
        data = [{"object": "embedding", "index": at, "embedding": list(each)} for at, each in enumerate(vectors)]
        usage = {"prompt_tokens": len(data), "total_tokens": len(data)}
        return JSONResponse({"object": "list", "data": data[::-1], "model": EMBEDDING_MODEL, "usage": usage})

    async def _models(self, request: Request) -> Response:
        _, response = await self._begin(request)
        listed = [
            {"id": CHAT_MODEL, "object": "model", "owned_by": "test", "max_model_len": 4096},
            {"id": EMBEDDING_MODEL, "object": "model", "owned_by": "test"},
            {"id": "whisper-1", "object": "model", "owned_by": "test"},
        ]
        return response or JSONResponse({"object": "list", "data": listed})

    def stream(self, parts: list[str], *, gate: asyncio.Event | None = None, cut: bool = False) -> Response:
        """Send server-sent events; after the first, wait for ``gate``; ``cut`` ends without the end of the body."""

        async def body() -> AsyncIterator[bytes]:
            try:
                for at, part in enumerate(parts):
                    yield f"data: {part}\n\n".encode()
                    if gate is not None and at == 0:
                        await gate.wait()
                if cut:
                    raise ConnectionAbortedError("cut on purpose")
            except asyncio.CancelledError:
                self.left_early.set()
                raise

        return StreamingResponse(body(), media_type="text/event-stream")


def completion(text: str | None, reason: str = "stop", **changes: Any) -> dict[str, Any]:
    """Return the body of an answer."""
    message = {"role": "assistant", "content": text}
    body = {
        "id": "c-1",
        "object": "chat.completion",
        "created": 1,
        "model": CHAT_MODEL,
        "choices": [{"index": 0, "message": message, "finish_reason": reason}],
        "usage": counts(),
    }
    return body | changes


def cut(text: str, body: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return an answer as far as the stop texts and the most tokens let it come, and how it ended, if not by itself.

    A token is a word here.
    """
    for stop in body.get("stop", ()):
        text = text.partition(stop)[0]
    most, pieces = body.get("max_tokens", 1 << 30), re.findall(r"\s*\S+", text)
    return (text, {}) if len(pieces) <= most else ("".join(pieces[:most]), {"reason": "length", "usage": counts(most)})


def counts(made: int = 7) -> dict[str, int]:
    """Return what the service says that a call used."""
    return {"prompt_tokens": 11, "completion_tokens": made, "total_tokens": 11 + made}


def events(
    text: str, *, with_usage: bool = True, reason: str | None = "stop", usage: dict[str, int] | None = None
) -> list[str]:
    """Return the events of a streamed answer, word by word."""
    base = {"id": "c-1", "object": "chat.completion.chunk", "created": 1, "model": CHAT_MODEL}

    def choice(delta: dict[str, str], ended: str | None = None) -> str:
        return json.dumps(base | {"choices": [{"index": 0, "delta": delta, "finish_reason": ended}]})

    found = [choice({"role": "assistant", "content": ""})]
    found += [choice({"content": piece}) for piece in re.findall(r"\s*\S+|\s+", text)]
    if reason is not None:
        found.append(choice({}, reason))
        if with_usage:
            found.append(json.dumps(base | {"choices": [], "usage": usage or counts()}))
        found.append("[DONE]")
    return found


def error(status: int, message: str, headers: dict[str, str] | None = None) -> Response:
    """Return an error as OpenAI words them."""
    return JSONResponse({"error": {"message": message, "type": "error"}}, status_code=status, headers=headers)


def always(response: Response) -> Handler:
    """Return a handler that gives this response."""

    async def handler(request: Request, body: dict[str, Any]) -> Response:
        return response

    return handler


def data_of(body: dict[str, Any]) -> str:
    """Return what stands between the marks of a prompt."""
    found = re.search(r"<data-(\w+)>\n(.*)\n</data-\1>", body["messages"][-1]["content"], re.DOTALL)
    return found[2] if found else ""


def sensible_answer(body: dict[str, Any]) -> str:
    """Answer prompts of the adapter as an obedient model would, and anything else in a few words."""
    asked = body["messages"][-1]["content"]
    data = data_of(body)
    if wanted := body.get("response_format", {}).get("json_schema", {}).get("schema", {}).get("properties"):
        return json.dumps(dict.fromkeys(wanted, "the river"))
    if "Summarise" in asked:
        most = int(re.findall(r"at most (\d+) sentences", asked)[-1])
        focus = re.findall(r"bears on this question: (\".*?\")\. If", asked)
        bears = words(json.loads(focus[-1])) if focus else None
        sentences = re.split(r"(?<=[.!?])\s+", data)
        return json.dumps([each for each in sentences if bears is None or bears & words(each)][:most])
    if "key phrases" in asked:
        most = int(re.findall(r"at most (\d+) key phrases", asked)[-1])
        found = list(dict.fromkeys(re.findall(r"\w{4,}", data)))
        return "Here you are:\n```json\n" + json.dumps(found[:most]) + "\n```"
    if "these labels" in asked:
        labels = json.loads(re.findall(r"fits the text: (\[.*\])\. Answer", asked)[-1])
        return json.dumps([len(words(each) & words(data)) / (1 + len(words(each))) for each in labels])
    return "In the shallow river. 鷺 — naïve 🙂"


def words(text: str) -> set[str]:
    """Return the longer words of a text."""
    return {each.casefold() for each in re.findall(r"\w{4,}", text)}


@contextmanager
def reserved(server: OpenAIServer) -> Iterator[socket.socket]:
    """Keep a free port of loopback for a server that is not there yet: until it is, connections are refused."""
    # Named, the protocol makes asyncio send at once: else each answer waits 40 ms for an acknowledgement.
    with socket.socket(proto=socket.IPPROTO_TCP) as listener:
        listener.bind(("127.0.0.1", 0))
        server.url = f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
        yield listener


@contextmanager
def serving(server: OpenAIServer, listener: socket.socket | None = None) -> Iterator[OpenAIServer]:
    """Serve in a thread, on a reserved port or a free one of loopback; ``server.url`` is the base URL."""
    with nullcontext(listener) if listener is not None else reserved(server) as listener:
        config = uvicorn.Config(server.app(), log_level="critical", lifespan="off", timeout_graceful_shutdown=1)
        runner = uvicorn.Server(config)
        started = threading.Event()

        async def run() -> None:
            serve = asyncio.ensure_future(runner.serve(sockets=[listener]))
            while not runner.started and not serve.done():
                await asyncio.sleep(0.005)
            started.set()
            await serve

        thread = threading.Thread(target=lambda: asyncio.run(run()), name="openai-server")
        thread.start()
        try:
            assert started.wait(10)
            yield server
        finally:
            runner.should_exit = True
            thread.join(10)
