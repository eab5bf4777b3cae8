"""The state of a run in Prometheus' text format. Labels never carry prompts, keys, user names or URLs."""

from collections.abc import Iterator, Mapping
from typing import Any

from prometheus_client import CollectorRegistry, Counter, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

import sdstream

State = Mapping[str, Any]
CONTENTS = {"live": "live", "held": "held", "camera": "passthrough", "slate": "slate"} | {
    name: name for name in ("bypass", "frozen", "black")
}
"""Label `content` of a sent picture, by the name in the report."""


class Metrics:
    """A registry for one run."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._run = _Run()
        self._registry.register(self._run)
        self.requests = Counter(
            "sdstream_api_requests_total", "Requests answered", ("route", "code"), registry=self._registry
        )
        """Count a request: `requests.labels(route, code).inc()`."""
        self.patches = Counter(
            "sdstream_prompts_total", "Changes of a prompt", ("origin", "verdict"), registry=self._registry
        )
        """Count a change of a prompt: `patches.labels(origin, verdict).inc()`."""

    def text(self, state: State) -> bytes:
        """Return the metrics of `state`, the JSON of the supervisor."""
        self._run.state = state
        return generate_latest(self._registry)


class _Run(Collector):
    """Reads the report of a run."""

    def __init__(self) -> None:
        self.state: State = {}

    def collect(self) -> Iterator[Metric]:
        yield _gauge("sdstream_build_info", "Version", {(sdstream.__version__,): 1.0}, ("version",))
        if not self.state:
            return
        yield _gauge("sdstream_up_seconds", "Seconds since the start", {(): float(self.state["seconds"])})
        yield from _parts(self.state)
        yield from _source(self.state)
        yield from _engine(self.state)
        yield from _sinks(self.state)
        if self.state["audio"]["offset"] is not None:
            offset = {(): self.state["audio"]["offset"]}
            yield _gauge("sdstream_av_offset_seconds", "Sound ahead of the picture", offset)


def _parts(state: State) -> Iterator[Metric]:
    words = {
        (part["name"], "ready" if part["ready"] else "starting" if part["running"] else "down"): 1.0
        for part in state["parts"]
    }
    words["source picture", str(state["source"]["state"])] = 1.0
    yield _gauge("sdstream_state", "1 for the present state of each part", words, ("part", "state"))
    restarts = {(part["name"],): float(part["restarts"]) for part in state["parts"]}
    yield _counter("sdstream_restarts_total", "New processes of a part", restarts, ("part",))


def _source(state: State) -> Iterator[Metric]:
    source = state["source"]
    yield _counter("sdstream_source_frames_total", "Pictures from the source", {(): source["frames"]})
    yield _counter("sdstream_source_retries_total", "Times the source was opened again", {(): source["reopens"]})
    drops = {("engine" if name == "engine busy" else "source", name): count for name, count in state["drops"].items()}
    yield _counter("sdstream_frames_dropped_total", "Pictures never shown", drops, ("stage", "reason"))


def _engine(state: State) -> Iterator[Metric]:
    engine = state["engine"]
    yield _counter("sdstream_engine_frames_total", "Pictures through the engine", {(): engine["frames"]})
    yield _counter("sdstream_engine_skipped_total", "Pictures skipped as alike", {(): engine["skipped"]})
    yield _gauge("sdstream_engine_fps", "New restyled pictures a second", {(): engine["fps"]})
    if engine["flicker"] is not None:
        yield _gauge("sdstream_flicker", "Warp error, RMS grey levels", {(): engine["flicker"]})


def _sinks(state: State) -> Iterator[Metric]:
    sinks = state["sinks"]
    for name, text in (("due", "Pictures due"), ("late", "Pictures sent late")):
        counts = {(sink["name"],): sink[name] for sink in sinks}
        yield _counter(f"sdstream_output_{name}_total", text, counts, ("sink",))
    sent = {(sink["name"], label): sink[key] for sink in sinks for key, label in CONTENTS.items()}
    yield _counter("sdstream_output_sent_total", "Pictures sent", sent, ("sink", "content"))
    spans = {
        (f"source_to_{sink['name']}", quantile): sink["latency"][quantile]
        for sink in sinks
        for quantile in ("p50", "p95", "p99")
        if sink["latency"].get(quantile) is not None
    }
    yield _gauge("sdstream_latency_seconds", "From capture to send", spans, ("span", "quantile"))


# The keys are tuples of labels; the type of a dict's keys is invariant, and the tuples differ in length.
def _gauge(name: str, text: str, values: Mapping[Any, float], labels: tuple[str, ...] = ()) -> Metric:
    family = GaugeMetricFamily(name, text, labels=labels)
    for key, value in values.items():
        family.add_metric(key, value)
    return family


def _counter(name: str, text: str, values: Mapping[Any, float], labels: tuple[str, ...] = ()) -> Metric:
    family = CounterMetricFamily(name, text, labels=labels)
    for key, value in values.items():
        family.add_metric(key, value)
    return family
