"""The plugin ``openai-compatible``: a language model behind OpenAI's protocol."""

from __future__ import annotations

from urllib.parse import urlsplit

from hotswap_adapters.ai.openai_compatible import OpenAICompatibleAI, OpenAICompatibleConfig
from hotswap_ports.errors import Refused
from hotswap_ports.plugin import Health, Plugin, PluginContext

__all__ = ["GrantedOpenAICompatibleAI", "OpenAICompatible"]


class GrantedOpenAICompatibleAI(OpenAICompatibleAI):
    """Asks the service that the settings name, if the plugin was granted its host."""

    def __init__(self, config: OpenAICompatibleConfig, context: PluginContext) -> None:
        super().__init__(config)
        self._host = urlsplit(config.base_url).hostname or ""
        self._context = context

    async def __aenter__(self) -> GrantedOpenAICompatibleAI:
        if not self._context.allows("network", self._host):
            plugin = self._context.plugin_id
            hint = f'Allow it with network = ["{self._host}"] under [grants.{plugin}] in hotswap.toml.'
            raise Refused(f"{plugin} may not reach {self._host}.", hint)
        await super().__aenter__()
        return self


class OpenAICompatible(Plugin):
    """Says how the service is, by asking it over a connection of its own."""

    def __init__(self, config: OpenAICompatibleConfig, context: PluginContext) -> None:
        self._service = GrantedOpenAICompatibleAI(config, context)
        self._context = context

    async def start(self) -> None:
        """Open the connection."""
        await self._context.exit_stack.enter_async_context(self._service)

    async def health(self) -> Health:
        """Ask the service for its models."""
        return await self._service.health()
