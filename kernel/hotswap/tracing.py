"""A plugin's log, spans and metrics: loguru always, OpenTelemetry's API when it is installed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache
from typing import TYPE_CHECKING, Any, cast

from attrs import frozen
from loguru import logger

if TYPE_CHECKING:
    from loguru import Record
    from opentelemetry.metrics import Histogram, Meter
    from opentelemetry.trace import Tracer as OtelTracer

    from hotswap_ports.plugin import Log

Attribute = str | int | float | bool


@frozen
class Telemetry:
    """The two functions of OpenTelemetry's API that everything starts from."""

    get_tracer: Callable[..., OtelTracer]
    get_meter: Callable[..., Meter]


@cache
def telemetry() -> Telemetry | None:
    """Return OpenTelemetry's API, imported the first time it is asked for; None where it is not installed."""
    try:
        from opentelemetry import metrics, trace
    except ImportError:
        return None
    return Telemetry(trace.get_tracer, metrics.get_meter)


class PluginTracer:
    """The tracer of one plugin.

    Spans and metrics have the plugin's id and version as their instrumentation scope. Who exports them is the
    application's choice: it sets OpenTelemetry's providers, before or after.

    Args:
        redact: takes the plugin's secrets out of what it logs.
        clock: seconds, for timers.
    """

    def __init__(
        self,
        plugin: str,
        version: str,
        *,
        redact: Callable[[str], str] = lambda text: text,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._plugin = plugin
        self._redact = redact
        self._version = version
        self._clock = clock
        self._histograms: dict[tuple[str, str], Histogram] = {}
        self._log = cast("Log", logger.bind(plugin=plugin).patch(self._masked))

    @property
    def log(self) -> Log:
        """Return the log; each record has the plugin's id in ``extra["plugin"]``."""
        return self._log

    def span(self, name: str, **attributes: Attribute) -> AbstractContextManager[None]:
        """Trace what happens inside the ``with``; an exception is recorded on the span and goes on."""
        api = telemetry()
        return nullcontext() if api is None else self._traced(api, name, attributes)

    def metric(self, name: str, value: float, **attributes: Attribute) -> None:
        """Record a value of the histogram ``name``."""
        api = telemetry()
        if api is not None:
            self._histogram(api, name, "").record(value, attributes)

    def timer(self, name: str, **attributes: Attribute) -> AbstractContextManager[None]:
        """Record in the histogram ``name``, in seconds, how long the ``with`` took, also when it raised."""
        api = telemetry()
        return nullcontext() if api is None else self._timed(api, name, attributes)

    def _masked(self, record: Record) -> None:
        record["message"] = self._redact(record["message"])
        extra = record["extra"]  # loguru keeps there what was passed by keyword to be formatted
        extra.update({name: self._redact(value) for name, value in extra.items() if isinstance(value, str)})

    @contextmanager
    def _traced(self, api: Telemetry, name: str, attributes: dict[str, Attribute]) -> Iterator[None]:
        tracer = api.get_tracer(self._plugin, self._version)
        with tracer.start_as_current_span(name, attributes=attributes, record_exception=True):
            yield

    @contextmanager
    def _timed(self, api: Telemetry, name: str, attributes: dict[str, Attribute]) -> Iterator[None]:
        begin = self._clock()
        try:
            yield
        finally:
            self._histogram(api, name, "s").record(self._clock() - begin, attributes)

    def _histogram(self, api: Telemetry, name: str, unit: str) -> Histogram:
        # Kept: instruments are made once a name, and one made before the application sets its provider follows it.
        found: Any = self._histograms.get((name, unit))
        if found is None:
            found = self._histograms[name, unit] = api.get_meter(self._plugin, self._version).create_histogram(
                name, unit
            )
        return cast("Histogram", found)
