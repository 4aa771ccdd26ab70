"""The plugin ``http-scraper``: pages of the web."""

from hotswap_adapters.scraper.http import HttpScraper

__all__ = ["HttpScraper"]
