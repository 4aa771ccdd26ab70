"""The plugin ``http-scraper``: pages of the web."""

from __future__ import annotations

from functools import partial

from hotswap_adapters.scraper.http import HttpScraper, HttpScraperConfig
from hotswap_ports.plugin import PluginContext

__all__ = ["GrantedHttpScraper"]


class GrantedHttpScraper(HttpScraper):
    """Reaches the hosts that the plugin was granted, and no other."""

    def __init__(self, config: HttpScraperConfig, context: PluginContext) -> None:
        super().__init__(config, may_reach=partial(context.allows, "network"))
