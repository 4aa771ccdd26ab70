"""The plugin ``markdown-formatter``: reports as Markdown, plain text or HTML."""

from hotswap_adapters.formatter.markdown import MarkdownFormatter

__all__ = ["MarkdownFormatter"]
