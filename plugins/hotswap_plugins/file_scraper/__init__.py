"""The plugin ``file-scraper``: files and folders."""

from hotswap_adapters.scraper.file import FileScraper

__all__ = ["FileScraper"]
