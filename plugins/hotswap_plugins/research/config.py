"""The settings of the plugin, as ``plugin.toml`` declares them."""

from __future__ import annotations

from attrs import frozen


@frozen
class ResearchConfig:
    """What bounds a run; the schema in ``plugin.toml`` explains each and holds the same defaults."""

    concurrency: int = 8
    max_files: int = 500
    max_depth: int = 12
    passage_words: int = 180
    max_passages: int = 500
    embed_batch: int = 16
    page_sentences: int = 6
    summary_sentences: int = 4
    summary_chars: int = 20_000
    key_points: int = 8
    key_phrases: int = 8
    answer_passages: int = 6
    timeout: float = 30.0
    max_bytes: int = 10 * 1024 * 1024
