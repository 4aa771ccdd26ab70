"""The steps of ``ExtractiveAI`` that need no event loop: sentences gathered, put on a short list, picked."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import islice

import numpy as np
import numpy.typing as npt
from attrs import frozen

from hotswap_adapters.ai import key_phrases, lexrank
from hotswap_adapters.ai.embedders import Matrix, Scale
from hotswap_adapters.ai.key_phrases import Candidate
from hotswap_adapters.ai.sentences import split
from hotswap_ports.ai import KeyPhrase, SummarySentence

MOST_CHARACTERS = 1_000_000
"""Characters of one request that are read, shared out among its texts."""
PHRASE_CHARACTERS = 300_000
"""Characters that are read for key phrases, from the beginning."""
MOST_SPLIT = 50_000
"""Sentences of one text that are looked at; a text has more of them only when it is no text."""
RANKED_CHARACTERS = 400
"""Characters of a sentence by which it is compared with others."""
MOST_SENTENCES = 2000
"""Sentences that are compared with each other; of more, evenly spread ones."""
SAMPLE = 8
"""Sentences whose mean vector stands for a whole text when its key phrases are weighed."""

LEAD_WEIGHT = 0.25
"""How much more the first sentence of a text is worth, falling with its position: writers say first what matters."""
LEANING_WEIGHT = 0.85
"""What a sentence is worth that leans on the one before it (It, However), or asks."""
WIDE_CHARACTERS = 320
"""A longer sentence is worth no more than a leaning one: it is near to all others because it has all their words."""
POINTING_WEIGHT = 0.6
"""What a sentence is worth that sends the reader elsewhere (See, For more)."""
SHARED_WORDS = 0.35
"""Share of the question's telling words, by rarity, from which a sentence that is only possibly near bears on it."""
SHARED_LITTLE = 0.2
"""Share that is enough for a sentence that is near."""
FEWEST_FOR_MEDIAN = 20
RELEVANCE_WEIGHT = 0.8
"""With a focus: weight of relevance against centrality."""

_LEANS = re.compile(
    r"(?:It|This|That|These|Those|He|She|They|However|But|And|So|Also|Thus|Then|Therefore|Moreover|Furthermore"
    r"|Er|Sie|Es|Dies|Diese|Aber|Und|Doch|Il|Elle|Cela|Mais|Et)\b"
)


_POINTS = re.compile(
    r"(?:See|Visit|Check|Click|Read|Please|Contact|For (?:more|further|details)|Siehe|Voir|Véase)\b", re.I
)


@frozen
class Row:
    """A sentence and where it stands."""

    source: int
    position: int
    """Number of the sentence in its text, from 0."""
    text: str


def gather(texts: Sequence[str]) -> list[Row]:
    """Return the sentences that read as prose, each once; whatever there is where none does."""
    rows: list[tuple[Row, bool]] = []
    seen: set[str] = set()
    share = MOST_CHARACTERS // max(len(texts), 1)
    for source, text in enumerate(texts):
        for position, sentence in enumerate(islice(split(text[:share]), MOST_SPLIT)):
            folded = " ".join(sentence.text.casefold().split())
            if folded not in seen and any(each.isalnum() for each in folded):
                seen.add(folded)
                rows.append((Row(source, position, sentence.text), sentence.prose))
    prose = [row for row, reads in rows if reads]
    return spread(prose or [row for row, _ in rows], MOST_SENTENCES)


def spread(rows: Sequence[Row], most: int) -> list[Row]:
    """Return at most ``most`` of them at even distances, the first among them."""
    if len(rows) <= most:
        return list(rows)
    return [rows[at * len(rows) // most] for at in range(most)]


def shortlist(rows: list[Row], focus: str, most: int) -> list[Row]:
    """Return the ``most`` best by their words alone, in reading order: LexRank over tf-idf, and the focus's words."""
    if len(rows) <= most:
        return rows
    texts = [each.text for each in rows]
    worth = lexrank.term_centrality(lexrank.term_vectors(texts)) * _weights(rows)
    if focus:
        worth = lexrank.overlap(focus, texts) + 0.2 * worth
    return [rows[at] for at in sorted(np.argsort(-worth, kind="stable")[:most])]


def pick(
    rows: Sequence[Row], vectors: Matrix, scale: Scale, most: int, focus: str = "", asked: Matrix | None = None
) -> list[SummarySentence]:
    """Return at most ``most`` sentences by MMR, in reading order; with a focus only those that bear on it."""
    similar = lexrank.similarities(vectors, scale.floor)
    worth = lexrank.centrality(similar) * _weights(rows)
    kept = np.arange(len(rows))
    if asked is not None:
        relevance, bears = _relevance(rows, vectors @ asked[0], scale, focus)
        worth = RELEVANCE_WEIGHT * relevance + (1 - RELEVANCE_WEIGHT) * worth
        kept = np.flatnonzero(bears)
    order = lexrank.diverse(worth[kept], similar[np.ix_(kept, kept)], most)
    return [SummarySentence(rows[at].text, rows[at].source, float(worth[at])) for at in sorted(kept[order])]


def _relevance(rows: Sequence[Row], near: Matrix, scale: Scale, focus: str) -> tuple[Matrix, npt.NDArray[np.bool_]]:
    shared = lexrank.overlap(focus, [each.text for each in rows])
    if len(rows) >= FEWEST_FOR_MEDIAN:
        alone = (near >= scale.related) & (near - np.median(near) >= scale.contrast)
    else:
        alone = near >= scale.certain
    some = (near >= scale.related) & (shared >= SHARED_LITTLE)
    bears = alone | some | ((near >= scale.possible) & (shared >= SHARED_WORDS))
    semantic = np.clip((near - scale.possible) / max(float(near.max()) - scale.possible, 1e-6), 0, 1)
    return (0.5 * semantic + 0.5 * shared).astype(np.float32), bears


def _weights(rows: Sequence[Row]) -> Matrix:
    return np.array([(1 + LEAD_WEIGHT / (1 + each.position)) * _standing(each.text) for each in rows], dtype=np.float32)


def _standing(sentence: str) -> float:
    """Return what a sentence is worth when it stands alone."""
    plain = sentence.lstrip("*_`\"'“([")
    if _POINTS.match(plain):
        return POINTING_WEIGHT
    if len(sentence) > WIDE_CHARACTERS:
        return LEANING_WEIGHT
    return LEANING_WEIGHT if _LEANS.match(plain) or sentence.endswith("?") else 1.0


def phrases(text: str) -> tuple[list[Candidate], list[str]]:
    """Return the candidates for key phrases and sentences that stand for the text."""
    every = list(islice(split(text[:PHRASE_CHARACTERS]), MOST_SPLIT))
    rows = [each for each in every if not each.code] or every
    found = key_phrases.candidates([each.text for each in rows])
    prose = [each.text for each in rows if each.prose] or [each.text for each in rows]
    return found, [prose[at * len(prose) // SAMPLE] for at in range(SAMPLE)] if len(prose) > SAMPLE else prose


def pick_phrases(
    found: Sequence[Candidate], vectors: Matrix, whole: Matrix, scale: Scale, limit: int
) -> list[KeyPhrase]:
    """Weigh count and place against nearness to the whole, and leave out what says the same again."""
    near = vectors @ whole
    near = (near - near.min()) / max(float(near.max() - near.min()), 1e-6)
    counted = np.array([each.score for each in found], dtype=np.float32)
    worth = 0.6 * counted / counted.max() + 0.4 * near
    taken: list[KeyPhrase] = []
    stems: list[set[str]] = []
    for at in lexrank.diverse(worth, lexrank.similarities(vectors, scale.floor), len(found)):
        words = set(found[at].stems)
        if len(taken) < limit and not any(words <= each or each <= words for each in stems):
            stems.append(words)
            taken.append(KeyPhrase(found[at].text, float(worth[at])))
    return sorted(taken, key=lambda each: -each.score)
