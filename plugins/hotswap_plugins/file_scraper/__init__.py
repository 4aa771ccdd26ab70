"""The plugin ``file-scraper``: files and folders."""

from __future__ import annotations

from functools import partial

from hotswap_adapters.scraper.file import FileScraper, FileScraperConfig
from hotswap_ports.plugin import PluginContext

__all__ = ["GrantedFileScraper"]


class GrantedFileScraper(FileScraper):
    """Reads the files and folders that the plugin was granted, and no other."""

    def __init__(self, config: FileScraperConfig, context: PluginContext) -> None:
        super().__init__(config, may_read=partial(context.allows, "file_system_read"))
