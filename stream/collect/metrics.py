"""The collector's figures for /metrics: plain integers on the hot path, Prometheus' words when somebody asks."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator
from itertools import accumulate
from typing import Final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from stream.collect.frames import Frames

_BOUNDS_S: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Metrics(Collector):
    """Counts of one collector."""

    def __init__(self, frames: Frames) -> None:
        self._frames = frames
        self.accepted: Counter[str] = Counter()
        """Events by protocol's path family, acknowledged by the broker."""
        self.rejected: Counter[str] = Counter()
        """Refused things by reason, in the dead letters."""
        self.refused: Counter[tuple[str, str]] = Counter()
        """Webhook deliveries that are not genuine, by provider and reason. Nothing else is kept of them."""
        self.ignored: Counter[str] = Counter()
        """Things that are no events by design, by path."""
        self.lost_clicks = 0
        """Clicks whose readers were sent on while the broker was away."""
        self.answers: Counter[int] = Counter()
        """Requests by status."""
        self._latency = [0] * (len(_BOUNDS_S) + 1)
        self._latency_s = 0.0
        self._registry = CollectorRegistry()
        self._registry.register(self)

    def answered(self, status: int, seconds: float) -> None:
        """One request was answered, so long after its head had arrived."""
        self.answers[status] += 1
        self._latency[bisect_left(_BOUNDS_S, seconds)] += 1
        self._latency_s += seconds

    def collect(self) -> Iterator[Metric]:
        """For prometheus_client."""
        yield _counter("touchline_collect_events", "Events acknowledged by the broker", "path", self.accepted)
        yield _counter("touchline_collect_rejected", "Things refused and dead-lettered", "reason", self.rejected)
        refused = CounterMetricFamily(
            "touchline_collect_webhooks_refused", "Deliveries that are not genuine", labels=["provider", "reason"]
        )
        for labels, count in sorted(self.refused.items()):
            refused.add_metric(labels, count)
        yield refused
        yield _counter("touchline_collect_ignored", "Things that are no events by design", "path", self.ignored)
        yield CounterMetricFamily("touchline_collect_lost_clicks", "Clicks that were not kept", value=self.lost_clicks)
        yield _counter("touchline_collect_requests", "Requests answered", "status", self.answers)
        yield CounterMetricFamily("touchline_collect_frames", "Frames acknowledged", value=self._frames.frames)
        yield GaugeMetricFamily(
            "touchline_collect_buffered_bytes", "Events waiting for the broker", value=self._frames.buffered_bytes
        )
        bounds = [*map(str, _BOUNDS_S), "+Inf"]
        buckets = list(zip(bounds, accumulate(self._latency), strict=True))
        yield HistogramMetricFamily(
            "touchline_collect_request_seconds", "Time to the answer", buckets=buckets, sum_value=self._latency_s
        )

    def text(self) -> bytes:
        """Prometheus' exposition format."""
        return generate_latest(self._registry)


def _counter(name: str, text: str, label: str, values: Counter[str] | Counter[int]) -> CounterMetricFamily:
    family = CounterMetricFamily(name, text, labels=[label])
    for key, count in sorted(values.items(), key=str):
        family.add_metric([str(key)], count)
    return family
