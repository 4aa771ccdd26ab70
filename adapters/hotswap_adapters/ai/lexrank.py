"""Which sentences stand for the others, and which of those repeat each other.

LexRank (Erkan and Radev, 2004): the centrality of a sentence is its share of a random walk over similarities. MMR
(Carbonell and Goldstein, 1998): what is taken next weighs its worth against its likeness to what was taken.
"""

from __future__ import annotations

import math
import zlib
from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from hotswap_adapters.ai.words import content_stems

Array = npt.NDArray[np.float32]

DAMPING = 0.85
"""Share of the walk that follows similarities; the rest jumps anywhere, as in the paper."""
TOLERANCE = 1e-6
MOST_ROUNDS = 100
DIVERSITY = 0.3
"""Weight of likeness to what was taken, against 0.7 for worth."""
TERM_BUCKETS = 2048
FEWEST_FOR_THRESHOLD = 4


def similarities(vectors: Array, floor: float) -> Array:
    """Return cosines between all rows, spread so that ``floor`` and below is 0; shape ``(n, n)``."""
    spread: Array = np.clip((vectors @ vectors.T - floor) / (1 - floor), 0, 1).astype(np.float32)
    return spread


def centrality(similar: Array) -> Array:
    """Return the stationary distribution of LexRank, scaled so that the highest is 1; shape ``(n,)``.

    Similarities up to the median count as none (the paper's threshold, set by the text itself): in a text about one
    thing all sentences are alike somewhat, and the walk would find them all central.
    """
    if len(similar) > FEWEST_FOR_THRESHOLD:
        similar = np.maximum(similar - np.median(similar), 0)
    return _walk(len(similar), lambda mass: np.asarray(similar @ mass, dtype=np.float32))


def term_centrality(terms: Array) -> Array:
    """Return LexRank over the cosines of ``terms`` without ever holding all n x n of them."""
    return _walk(len(terms), lambda mass: np.asarray(terms @ (terms.T @ mass), dtype=np.float32))


def _walk(count: int, spread: Callable[[Array], Array]) -> Array:
    degrees: Array = np.maximum(spread(np.ones(count, dtype=np.float32)), 1e-9).astype(np.float32)
    mass: Array = np.full(count, 1 / max(count, 1), dtype=np.float32)
    for _ in range(MOST_ROUNDS):
        following = ((1 - DAMPING) / count + DAMPING * spread(mass / degrees)).astype(np.float32)
        following /= following.sum()
        moved = float(np.abs(following - mass).sum())
        mass = following
        if moved < TOLERANCE:
            break
    return mass / mass.max() if count else mass


def term_vectors(sentences: Sequence[str]) -> Array:
    """Return tf-idf vectors of unit length over hashed word stems, float32, shape ``(n, TERM_BUCKETS)``."""
    counts = [Counter(content_stems(each)) for each in sentences]
    spread = Counter(word for each in counts for word in each)
    rows = np.zeros((len(sentences), TERM_BUCKETS), dtype=np.float32)
    for row, count in zip(rows, counts, strict=True):
        for word, times in count.items():
            bucket = zlib.crc32(word.encode("utf-8", "replace")) % TERM_BUCKETS
            row[bucket] += (1 + math.log(times)) * math.log(1 + len(sentences) / spread[word])
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    unit: Array = np.divide(rows, norms, out=np.zeros_like(rows), where=norms > 0)
    return unit


def overlap(question: str, sentences: Sequence[str]) -> Array:
    """Return which part of the question's telling words each sentence has, weighted by rarity; in [0, 1]."""
    asked = set(content_stems(question))
    stems = [set(content_stems(each)) for each in sentences]
    spread = Counter(word for each in stems for word in each & asked)
    weights = {word: math.log(1 + len(sentences) / (1 + max(spread[word], 1))) for word in asked}
    total = math.fsum(weights.values())
    shares = [math.fsum(weights[word] for word in each & asked) / total if total else 0.0 for each in stems]
    return np.array(shares, dtype=np.float32)


def diverse(worth: Array, similar: Array, limit: int) -> list[int]:
    """Return at most ``limit`` row numbers by maximal marginal relevance, best first."""
    taken: list[int] = []
    left = np.ones(len(worth), dtype=bool)
    likeness = np.zeros(len(worth), dtype=np.float32)
    while len(taken) < limit and left.any():
        marginal = np.where(left, (1 - DIVERSITY) * worth - DIVERSITY * likeness, -np.inf)
        best = int(np.argmax(marginal))
        taken.append(best)
        left[best] = False
        likeness = np.maximum(likeness, similar[best])
    return taken
