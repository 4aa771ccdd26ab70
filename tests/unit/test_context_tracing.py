"""A plugin's log, spans and metrics, with OpenTelemetry and without."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from loguru import logger
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from hotswap import tracing
from hotswap.config import Config
from hotswap.tracing import PluginTracer, Telemetry


class Collector:
    """OpenTelemetry's SDK with what it exports kept in memory."""

    def __init__(self) -> None:
        self.spans = InMemorySpanExporter()
        self.metrics = InMemoryMetricReader()
        self._tracers = TracerProvider()
        self._tracers.add_span_processor(SimpleSpanProcessor(self.spans))
        self._meters = MeterProvider([self.metrics])
        self.api = Telemetry(self._tracers.get_tracer, self._meters.get_meter)

    def points(self) -> list[tuple[str, str, str, int, float, dict[str, Any]]]:
        """Return scope, name, unit, count, sum and attributes of every recorded histogram."""
        data = self.metrics.get_metrics_data()
        assert data is not None
        return [
            (scope.scope.name, metric.name, metric.unit or "", point.count, point.sum, dict(point.attributes or {}))  # type: ignore[union-attr]
            for resource in data.resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
            for point in metric.data.data_points
        ]

    def close(self) -> None:
        """Stop what the SDK started."""
        self._tracers.shutdown()
        self._meters.shutdown()


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    found = Collector()
    monkeypatch.setattr(tracing, "telemetry", lambda: found.api)
    yield found
    found.close()


def test_a_log_is_bound_to_the_plugin() -> None:
    """Each record of a plugin's log has the plugin's id, and comes from the line that wrote it."""
    records: list[Any] = []
    sink = logger.add(lambda message: records.append(message.record), format="{message}")
    try:
        PluginTracer("news", "1.0.0").log.info("{} pages", 3)
    finally:
        logger.remove(sink)
    assert [(each["message"], each["extra"]["plugin"]) for each in records] == [("3 pages", "news")]
    assert records[0]["name"] == __name__


def test_a_log_shows_no_secret() -> None:
    """What a plugin logs of its own secrets is masked, in the message and in what was passed by keyword."""
    records: list[Any] = []
    sink = logger.add(lambda message: records.append(message.record), format="{message}")
    config = Config({"api_key": "sk-0123456789"}, plugin="news")
    try:
        PluginTracer("news", "1.0.0", redact=config.redact).log.info("{} {key}", "sk-0123456789", key="sk-0123456789")
    finally:
        logger.remove(sink)
    assert (records[0]["message"], records[0]["extra"]["key"]) == ("*** ***", "***")


def test_spans_nest_and_have_the_plugins_name(collector: Collector) -> None:
    """A span has its attributes, its parent, and the plugin as its instrumentation scope."""
    tracer = PluginTracer("news", "1.0.0")
    with tracer.span("outer", url="x") as nothing, tracer.span("inner"):
        assert nothing is None
    inner, outer = collector.spans.get_finished_spans()
    assert (inner.name, outer.name, dict(outer.attributes or {})) == ("inner", "outer", {"url": "x"})
    assert inner.parent is not None
    assert inner.parent.span_id == outer.context.span_id
    assert outer.instrumentation_scope is not None
    assert (outer.instrumentation_scope.name, outer.instrumentation_scope.version) == ("news", "1.0.0")


def test_a_span_records_an_exception(collector: Collector) -> None:
    """An exception is recorded on the span, marks it as failed, and goes on."""
    with pytest.raises(ValueError, match="no"), PluginTracer("news", "1.0.0").span("work"):
        raise ValueError("no")
    (span,) = collector.spans.get_finished_spans()
    assert not span.status.is_ok
    assert [each.name for each in span.events] == ["exception"]


def test_metrics_and_timers_are_histograms(collector: Collector) -> None:
    """Values and seconds are recorded with their attributes; a timer also when its block raised."""
    times = iter([1.0, 1.5, 2.0, 4.0])
    tracer = PluginTracer("news", "1.0.0", clock=lambda: next(times))
    tracer.metric("pages", 3, site="a")
    tracer.metric("pages", 4, site="a")
    with tracer.timer("fetch", site="a"):
        pass
    with pytest.raises(ValueError), tracer.timer("fetch", site="a"):
        raise ValueError
    assert sorted(collector.points()) == [
        ("news", "fetch", "s", 2, 2.5, {"site": "a"}),
        ("news", "pages", "", 2, 7.0, {"site": "a"}),
    ]


def test_the_real_api_is_found() -> None:
    """Where OpenTelemetry is installed its API is used, and does nothing until a provider is set."""
    assert tracing.telemetry() is tracing.telemetry()
    assert tracing.telemetry() is not None
    tracer = PluginTracer("news", "1.0.0")
    with tracer.span("x"), tracer.timer("y"):
        tracer.metric("z", 1)


def test_without_opentelemetry_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it is not installed, spans, metrics and timers do nothing, and let exceptions pass."""
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    tracing.telemetry.cache_clear()
    try:
        assert tracing.telemetry() is None
        tracer = PluginTracer("news", "1.0.0")
        tracer.metric("z", 1)
        with pytest.raises(ValueError), tracer.span("x", a=1), tracer.timer("y"):
            raise ValueError
    finally:
        tracing.telemetry.cache_clear()


def test_opentelemetry_is_not_imported_before_it_is_used() -> None:
    """A tracer that only logs costs no import of OpenTelemetry."""
    code = (
        "import sys; from hotswap.tracing import PluginTracer; PluginTracer('a', '1').log; "
        "sys.exit(any(each.startswith('opentelemetry') for each in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
