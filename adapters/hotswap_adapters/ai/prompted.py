"""``PromptedAI``: summaries, key phrases and labels for any adapter that can complete."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import Awaitable, Callable, Sequence

from hotswap_adapters.ai import portions, prompts
from hotswap_ports.ai import (
    AIProvider,
    Completion,
    CompletionRequest,
    KeyPhrase,
    Label,
    Message,
    Summary,
    SummaryRequest,
    SummarySentence,
    Usage,
)
from hotswap_ports.errors import InvalidRequest

PROMPT_TOKENS = 300
"""What the instructions take of the context."""
SENTENCE_TOKENS = 80
PHRASE_TOKENS = 16
SCORE_TOKENS = 12
ANSWER_TOKENS = 1024
"""What an answer may take beside its sentences, phrases or scores: some models think aloud first."""
MOST_ROUNDS = 3
"""How often summaries of portions are summarised again; what is still too long after that is cut."""
AT_ONCE = 4
"""Portions that are summarised at the same time."""


class PromptedAI(AIProvider):
    """Asks a model through ``complete``; the subclass supplies that and the rest of the port.

    Args:
        context_tokens: what the model reads and writes in one call; longer texts are summarised in portions, and the
            summaries summarised.
        max_input_tokens: most of a request's text that is read, shared out among its texts from their beginnings.
        timeout: seconds for each call of the model.
        temperature: of these prompts; None leaves it to the model.
    """

    def __init__(
        self, context_tokens: int, max_input_tokens: int, timeout: float, temperature: float | None = 0.0
    ) -> None:
        self._context_tokens = context_tokens
        self._max_input_tokens = max_input_tokens
        self._call_timeout = timeout
        self._temperature = temperature

    @property
    @abstractmethod
    def default_model(self) -> str:
        """The model that is asked, for a summary that asked none."""

    async def summarize(self, request: SummaryRequest) -> Summary:
        """Have the model write a summary; a text without words gives none, and the model is not asked.

        A sentence names its source where there is one text with words in it.

        Raises:
            InvalidContent: the model's answer is no summary.
        """
        most = request.max_sentences
        if most < 1:
            raise InvalidRequest(f"max_sentences must be at least 1, not {most}.")
        given = [at for at, text in enumerate(request.texts) if text.strip()]
        if not given:
            return Summary((), generative=True, model=self.default_model)
        answer_tokens = self._answer_tokens(most * SENTENCE_TOKENS)
        room = self._room(answer_tokens)

        async def ask(text: str) -> tuple[list[str], Completion]:
            answer = await self._ask(prompts.summary(text, most, request.focus), answer_tokens)
            return prompts.read_sentences(answer.text, most), answer

        text = "\n\n".join(portions.shares([request.texts[at] for at in given], self._max_input_tokens))
        sentences, answers = await _reduce(text, room, ask)
        source = given[0] if len(given) == 1 else None
        return Summary(
            tuple(SummarySentence(each, source) for each in sentences),
            generative=True,
            model=answers[-1].model if answers else self.default_model,
            usage=_total(answers),
        )

    async def key_phrases(self, text: str, *, limit: int = 10) -> tuple[KeyPhrase, ...]:
        """Have the model name phrases; their scores only say their order. Of a long text the beginning is read.

        Raises:
            InvalidContent: the model's answer has no phrases.
        """
        if limit < 1:
            raise InvalidRequest(f"limit must be at least 1, not {limit}.")
        if not text.strip():
            return ()
        tokens = self._answer_tokens(limit * PHRASE_TOKENS)
        head = portions.head(text, self._room(tokens))
        answer = await self._ask(prompts.key_phrases(head, limit), tokens)
        found = prompts.read_phrases(answer.text, limit)
        return tuple(KeyPhrase(each, 1 - at / len(found)) for at, each in enumerate(found))

    async def classify(self, text: str, labels: tuple[str, ...]) -> tuple[Label, ...]:
        """Have the model rate each label. Of a long text the beginning is read.

        Raises:
            InvalidContent: the model's answer rates no labels.
        """
        if not labels or len(set(labels)) != len(labels):
            raise InvalidRequest("Labels must be given, and each once.")
        if len(labels) == 1 or not text.strip():
            return tuple(Label(each, 1 / len(labels)) for each in labels)
        tokens = self._answer_tokens(len(labels) * SCORE_TOKENS)
        head = portions.head(text, self._room(tokens))
        answer = await self._ask(prompts.labels(head, labels), tokens)
        scores = prompts.read_scores(answer.text, labels)
        scored = [Label(name, score) for name, score in zip(labels, scores, strict=True)]
        return tuple(sorted(scored, key=lambda each: -each.score))

    async def _ask(self, messages: tuple[Message, ...], max_tokens: int) -> Completion:
        return await self.complete(
            CompletionRequest(
                messages, max_tokens=max_tokens, temperature=self._temperature, timeout=self._call_timeout
            )
        )

    def _answer_tokens(self, wanted: int) -> int:
        return min(wanted + ANSWER_TOKENS, self._context_tokens // 2)

    def _room(self, answer_tokens: int) -> int:
        return max(64, self._context_tokens - answer_tokens - PROMPT_TOKENS)


Ask = Callable[[str], Awaitable[tuple[list[str], Completion]]]


async def _reduce(text: str, room: int, ask: Ask) -> tuple[list[str], list[Completion]]:
    """Summarise portions, then the summaries, until one call is enough."""
    answers: list[Completion] = []
    for _ in range(MOST_ROUNDS):
        parts = portions.portions(text, room)
        if len(parts) <= 1:
            break
        found = await _together(parts, ask)
        answers.extend(answer for _, answer in found)
        text = "\n".join(sentence for sentences, _ in found for sentence in sentences)
    if not text.strip():  # with a focus: nothing bears on it
        return [], answers
    sentences, answer = await ask(portions.head(text, room))
    return sentences, [*answers, answer]


async def _together(parts: Sequence[str], ask: Ask) -> list[tuple[list[str], Completion]]:
    turns = asyncio.Semaphore(AT_ONCE)

    async def one(part: str) -> tuple[list[str], Completion]:
        async with turns:
            return await ask(part)

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(part)) for part in parts]
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from errors  # the first one; it cancelled the others
    return [each.result() for each in tasks]


def _total(answers: Sequence[Completion]) -> Usage:
    first, *others = [each.usage for each in answers] or [Usage()]
    return sum(others, first)
