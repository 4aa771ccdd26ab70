"""The plugin ``extractive-ai``: summaries, key phrases, labels and embeddings without a network or a language model."""

from hotswap_adapters.ai.extractive import ExtractiveAI, ExtractiveConfig

__all__ = ["ExtractiveAI", "ExtractiveConfig"]
