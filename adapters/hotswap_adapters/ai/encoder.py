"""Embeddings off the event loop: one thread, small pieces, and a memory of what was embedded."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numpy as np

from hotswap_adapters.ai.embedders import Embedder, Matrix, Purpose
from hotswap_ports.errors import Unavailable

T = TypeVar("T")

MOST_WINDOWS = 12
"""Windows of one text that are embedded; of a longer one as many, spread evenly, stand for the whole."""

Loader = Callable[[], Embedder]


class Encoder:
    """Embeds in a thread of its own, a chunk at a time: a cancelled call stops at the end of its chunk.

    Calls at once take turns chunk by chunk. The last ``cache_size`` vectors are kept, by purpose and text.
    """

    def __init__(self, embedder: Embedder, thread: ThreadPoolExecutor, cache_size: int) -> None:
        self.embedder = embedder
        self._thread = thread
        self._cache: OrderedDict[tuple[Purpose, str], Matrix] = OrderedDict()
        self._cache_size = cache_size
        self._closed = False

    @classmethod
    async def open(cls, load: Loader, cache_size: int) -> Encoder:
        """Start the thread and load the model in it."""
        thread = ThreadPoolExecutor(1, thread_name_prefix="extractive-ai")
        try:
            embedder = await asyncio.get_running_loop().run_in_executor(thread, load)
        except BaseException:
            thread.shutdown(wait=False, cancel_futures=True)
            raise
        return cls(embedder, thread, cache_size)

    def close(self) -> None:
        """Let the chunk that has begun end; a call that has more of them to do is Unavailable."""
        self._closed = True
        self._thread.shutdown(wait=False)  # cancelling what waits would look to its callers as if they were cancelled

    async def run(self, work: Callable[[], T]) -> T:
        """Run other work in the same thread."""
        if self._closed:
            raise Unavailable("extractive-ai was closed during the call.", "Try again.")
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    async def encode(self, texts: Sequence[str], purpose: Purpose = "passage") -> Matrix:
        """Return unit vectors, float32, shape ``(len(texts), dimensions)``."""
        found: dict[str, Matrix] = {}
        pieces: dict[str, list[str]] = {}
        for text in texts:
            kept = self._cache.get((purpose, text))
            if kept is None:
                pieces.setdefault(text, windows(text, self.embedder.window))
            else:
                self._cache.move_to_end((purpose, text))
                found[text] = kept
        made = await self._encode_pieces([each for part in pieces.values() for each in part], purpose)
        for text, parts in pieces.items():
            found[text] = self._keep(purpose, text, _mean([made[each] for each in parts]))
        if not texts:
            return np.zeros((0, self.embedder.dimensions), dtype=np.float32)
        return np.stack([found[each] for each in texts])

    async def _encode_pieces(self, pieces: Sequence[str], purpose: Purpose) -> dict[str, Matrix]:
        made: dict[str, Matrix] = {}
        for chunk in chunks(list(dict.fromkeys(pieces)), self.embedder):
            rows = await self.run(lambda chunk=chunk: self.embedder.encode(chunk, purpose))  # type: ignore[misc]
            made.update(zip(chunk, rows, strict=True))
        return made

    def _keep(self, purpose: Purpose, text: str, vector: Matrix) -> Matrix:
        self._cache[purpose, text] = vector
        while len(self._cache) > self._cache_size:
            self._cache.popitem(last=False)
        return vector


def windows(text: str, size: int) -> list[str]:
    """Cut a text into pieces of at most ``size`` characters, at spaces where there are some; at most MOST_WINDOWS."""
    if len(text) <= size:
        return [text]
    starts = range(0, len(text), size)
    if len(starts) > MOST_WINDOWS:
        step = (len(text) - size) / (MOST_WINDOWS - 1)
        return [text[round(step * each) :][:size] for each in range(MOST_WINDOWS)]
    pieces, start = [], 0
    while start < len(text):
        end = start + size
        space = text.rfind(" ", start + size // 2, end) if end < len(text) else -1
        end = space + 1 if space > 0 else end
        pieces.append(text[start:end])
        start = end
    return pieces


def chunks(pieces: Sequence[str], embedder: Embedder) -> Iterator[list[str]]:
    """Group pieces so that one call of the embedder stays short."""
    chunk: list[str] = []
    size = 0
    for piece in pieces:
        if chunk and size + len(piece) > embedder.chunk:
            yield chunk
            chunk, size = [], 0
        chunk.append(piece)
        size += len(piece) + 20
    if chunk:
        yield chunk


def _mean(vectors: Sequence[Matrix]) -> Matrix:
    if len(vectors) == 1:
        return vectors[0]
    total: Matrix = np.sum(vectors, axis=0, dtype=np.float32)
    norm = float(np.linalg.norm(total))
    return total / np.float32(norm) if norm else total
