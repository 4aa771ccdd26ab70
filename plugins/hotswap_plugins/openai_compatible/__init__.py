"""The plugin ``openai-compatible``: a language model behind OpenAI's protocol."""

from hotswap_adapters.ai.openai_compatible import OpenAICompatibleAI, OpenAICompatibleConfig

__all__ = ["OpenAICompatibleAI", "OpenAICompatibleConfig"]
