"""How ``openai-compatible`` says it is, and what an order of failover makes of it, over the wire to loopback."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from attrs import evolve
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from hotswap import Kernel, Settings, State
from hotswap.boot import Backoff
from hotswap_adapters.ai import openai_compatible
from hotswap_adapters.ai.openai_compatible import OpenAICompatibleAI, OpenAICompatibleConfig
from hotswap_ports import AIProvider, Health, SummaryRequest, Unavailable
from tests.integration.cli_project import call, document
from tests.integration.openai_server import CHAT_MODEL, KEY, OpenAIServer, always, error, reserved, serving
from tests.waiting import until

TEXT = "The grey heron waits at the edge of the water. It strikes with its long neck."


@pytest.fixture(scope="module")
def running() -> Iterator[OpenAIServer]:
    with serving(OpenAIServer()) as server:
        yield server


@pytest.fixture
def server(running: OpenAIServer) -> Iterator[OpenAIServer]:
    running.requests.clear()
    yield running
    running.script.clear()


@pytest.fixture
async def ai(server: OpenAIServer) -> AsyncIterator[OpenAICompatibleAI]:
    async with OpenAICompatibleAI(OpenAICompatibleConfig(api_key=KEY, base_url=server.url, model=CHAT_MODEL)) as opened:
        yield opened


async def test_a_service_that_lists_its_models_is_healthy(ai: OpenAICompatibleAI, server: OpenAIServer) -> None:
    """One request tells that it is there and takes the key."""
    assert await ai.health() == Health()
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("response", "status", "says"),
    [
        (error(404, "no such path"), "healthy", ""),
        (error(405, "not so"), "healthy", ""),
        (error(429, "too fast"), "degraded", "answered 429: too fast"),
        (PlainTextResponse("<html>hello</html>"), "degraded", "cannot read the answer"),
        (JSONResponse({"hello": 1}), "degraded", "answers with what is no list of models"),
        (error(500, "oops"), "unhealthy", "answered 500: oops"),
        (error(503, "loading"), "unhealthy", "answered 503: loading"),
    ],
    ids=["404", "405", "429", "html", "json", "500", "503"],
)
async def test_an_answer_has_its_health(
    ai: OpenAICompatibleAI, server: OpenAIServer, response: Response, status: str, says: str
) -> None:
    """Nothing is tried twice, and a service that has no list of models is none the worse for it."""
    server.script.append(always(response))
    health = await ai.health()
    assert health.status == status
    assert says in health.message
    assert len(server.requests) == 1


async def test_a_refused_key_is_degraded_and_shows_nowhere(server: OpenAIServer) -> None:
    """The service is there, so calls go to it and say what is wrong."""
    config = OpenAICompatibleConfig(api_key="sk-wrong-0123456789", base_url=server.url)
    async with OpenAICompatibleAI(config) as ai:
        health = await ai.health()
    assert health.status == "degraded"
    assert "refused the credentials" in health.message
    assert "OPENAI_API_KEY" in health.message
    assert "sk-wrong" not in health.message


async def test_nobody_there_and_no_answer_are_unhealthy(
    ai: OpenAICompatibleAI, server: OpenAIServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says so soon, whatever the timeout of calls is."""
    monkeypatch.setattr(openai_compatible, "HEALTH_SECONDS", 0.2)

    async def silent(request: Request, body: object) -> Response:
        while not await request.is_disconnected():
            await asyncio.sleep(0.01)
        return Response()

    server.script.append(silent)
    health = await ai.health()
    assert (health.status, "took longer than 0.2 s" in health.message) == ("unhealthy", True)
    with reserved(OpenAIServer()) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
        async with OpenAICompatibleAI(OpenAICompatibleConfig(base_url=url)) as lonely:
            health = await lonely.health()
    assert health.status == "unhealthy"
    assert health.message.endswith("Check the network and the setting `base_url`.")


def settings(folder: Path, url: str, **changes: float) -> Settings:
    """Return settings with an order of failover for the port ``ai``."""
    config = {
        "openai-compatible": {"base_url": url, "api_key": KEY, "model": CHAT_MODEL, "max_retries": 0},
        "extractive-ai": {"embedder": "hashing"},
    }
    order = {"ai": ("openai-compatible", "extractive-ai")}
    return evolve(Settings(folder=folder, enabled=(), ports=order, config=config), **changes)


async def served_by(kernel: Kernel, name: str) -> None:
    """Wait until a provider serves the port ``ai``."""
    await until(lambda: kernel.ports()["ai"].serving == name, 30)


async def test_a_service_that_comes_goes_and_comes_again(tmp_path: Path) -> None:
    """Not there at the start, it is stood in for; it comes, and serves; it breaks, and is stood in for; it recovers."""
    server = OpenAIServer()
    with reserved(server) as listener:
        wanted = settings(tmp_path, server.url, health_interval=0.05, fail_back_after=0.1)
        async with Kernel(wanted, environ={}, backoff=Backoff(0.05, 1.0)) as kernel:
            ai = kernel.get(AIProvider)
            assert kernel.plugins()["openai-compatible"].state is State.WAITING
            assert "cannot reach" in kernel.ports()["ai"].unwell["openai-compatible"]
            assert not (await ai.summarize(SummaryRequest(TEXT))).generative
            with serving(server, listener):
                await served_by(kernel, "openai-compatible")
                assert (await ai.summarize(SummaryRequest(TEXT))).generative
                server.script.extend([always(error(503, "out of memory"))] * 100_000)
                await served_by(kernel, "extractive-ai")
                assert "out of memory" in kernel.ports()["ai"].unwell["openai-compatible"]
                assert not (await ai.summarize(SummaryRequest(TEXT))).generative
                server.script.clear()
                await served_by(kernel, "openai-compatible")
                assert (await ai.summarize(SummaryRequest(TEXT))).generative


async def test_the_first_call_that_fails_is_enough(tmp_path: Path) -> None:
    """The service goes away between two checks: one call fails, the plugin is asked, and the next provider serves."""
    server = OpenAIServer()
    with serving(server):
        async with Kernel(settings(tmp_path, server.url, health_interval=3600.0), environ={}) as kernel:
            ai = kernel.get(AIProvider)
            server.script.extend([always(error(503, "gone"))] * 2)  # the call, and the question after it
            with pytest.raises(Unavailable):
                await ai.summarize(SummaryRequest(TEXT))
            await served_by(kernel, "extractive-ai")
            assert not (await ai.summarize(SummaryRequest(TEXT))).generative


def test_the_command_line_works_without_the_service_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """run goes on with the next AI at once and names it; ports and doctor say why the first does not serve."""
    monkeypatch.setenv("HOTSWAP_CONFIG__EXTRACTIVE_AI__EMBEDDER", "hashing")
    (tmp_path / "heron.md").write_text(f"# Herons\n\n{TEXT}\n")
    with reserved(server := OpenAIServer()):
        order = '[ports]\nai = ["openai-compatible", "extractive-ai"]\n'
        toml = f'{order}[config.openai-compatible]\nbase_url = "{server.url}"\n'
        (tmp_path / "hotswap.toml").write_text(toml)
        done = call(tmp_path, "run", "research", str(tmp_path / "heron.md"))
        assert done.exit_code == 0
        assert "Extracted word for word" in done.stdout
        assert f"cannot reach {server.url}" in done.stderr
        shown = call(tmp_path, "ports")
        line = next(each for each in shown.stdout.splitlines() if each.startswith("ai: "))
        assert line.startswith("ai: openai-compatible is unwell: its plugin is waiting: PLUG-003: ")
        (found,) = (each for each in document(tmp_path, "ports")["ports"] if each["name"] == "ai")
        assert (found["serving"], list(found["unwell"])) == ("extractive-ai", ["openai-compatible"])
        examined = call(tmp_path, "doctor")
        assert examined.exit_code == 1
        assert "it says it is unhealthy" in examined.stdout
