"""What a call to a hosted model costs; unknown stays unknown and is never zero."""

from __future__ import annotations

import asyncio
from decimal import Decimal

from hotswap_ports.ai import Usage

_MILLION = Decimal(1_000_000)


class Prices:
    """Prices of one service, known by its base URL, from the data in the package ``genai-prices`` (no network).

    Args:
        base_url: the service; a model is priced only where this is a service that the data knows, so that a local
            model is not billed for its famous name.
        input_per_million: US dollars for a million tokens in; with ``output_per_million`` it replaces the data.
    """

    def __init__(
        self, base_url: str, input_per_million: float | None = None, output_per_million: float | None = None
    ) -> None:
        self._base_url = base_url
        self._input = None if input_per_million is None else Decimal(str(input_per_million))
        self._output = None if output_per_million is None else Decimal(str(output_per_million))
        self._unknown: set[str] = set()

    async def priced(self, usage: Usage, model: str) -> Usage:
        """Return the usage with its cost, None where the price is unknown; the data is read in a thread."""
        if self._input is not None and self._output is not None:
            cost = (self._input * usage.input_tokens + self._output * usage.output_tokens) / _MILLION
            return Usage(usage.input_tokens, usage.output_tokens, cost)
        if model in self._unknown:
            return usage
        cost_or_none = await asyncio.to_thread(_look_up, usage, model, self._base_url)
        if cost_or_none is None:
            self._unknown.add(model)
            return usage
        return Usage(usage.input_tokens, usage.output_tokens, cost_or_none)


def _look_up(usage: Usage, model: str, base_url: str) -> Decimal | None:
    try:
        import genai_prices
    except ImportError:
        return None
    counted = genai_prices.Usage(input_tokens=usage.input_tokens, output_tokens=usage.output_tokens)
    try:
        return genai_prices.calc_price(counted, model, provider_api_url=base_url).total_price
    except (LookupError, ValueError):  # LookupError: nobody knows the price
        return None
