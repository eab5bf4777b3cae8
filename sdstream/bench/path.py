"""The whole daemon at work, measured from the outside: rate, latency, CPU time, memory."""

import contextlib
import json
import multiprocessing
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Literal

import psutil

from sdstream import log
from sdstream.config.schema import Config
from sdstream.errors import Unavailable
from sdstream.ipc.child_process import ChildProcess
from sdstream.ipc.context import Context
from sdstream.ipc.counters import Histogram
from sdstream.log import LogChoice
from sdstream.supervisor.report import Report
from sdstream.system.listening import free_port

if TYPE_CHECKING:
    from sdstream.supervisor.pipeline import Pipeline

Input = Literal["testsrc", "rtmp"]
Output = Literal["discard", "ndi"]
_SPAWN = multiprocessing.get_context("spawn")
_KEY = "bench"
_PASSTHROUGH: dict[str, Any] = {"engine": {"kind": "passthrough"}}
_NDI_NAME = "sdstream-bench"
_STARTING = 5.0
"""Seconds after the start without a measurement of CPU time."""
_WARM_UP = 60.0
"""Seconds after the start before growth is measured."""
_ENDING = 3.0
"""Seconds before the end without a sample."""


@dataclass(frozen=True)
class Sample:
    """Resources of all processes of the daemon at a moment."""

    at: float
    """Seconds since the start."""
    cpu: float
    """CPU seconds used so far."""
    memory: int
    """Resident bytes; a shared page counts once for every process."""
    files: int
    """Open file descriptors; 0 on Windows."""
    threads: int
    processes: int


@dataclass(frozen=True)
class PathResult:
    """Report, latency and cost of a run of the whole daemon."""

    report: Report
    cores: float
    """CPU seconds a second of the daemon alone, without publisher and receiver."""
    glass: dict[str, float] | None
    """Seconds from making a picture at the publisher to arrival at the NDI receiver: p50, p95, p99."""
    growth: dict[str, float] | None
    """Growth of memory (bytes), files and threads after the first minute; None for a run below two minutes."""


@dataclass(frozen=True)
class Restyling:
    """A model for restyling, with the size of the model's picture in pixels."""

    name: str
    width: int
    height: int


def measure(
    source: Input,
    sink: Output,
    canvas: dict[str, float],
    seconds: float,
    model: Restyling | None = None,
    overrides: Sequence[str] = (),
    each_second: Callable[[float], None] = lambda _: None,
) -> PathResult:
    """Run the daemon for `seconds` on `canvas`, with a publisher and a receiver in separate processes.

    With `model` None the pictures pass through. A restyled picture has lost the marker with the time of making, so
    `glass` is None then. `each_second` is told the seconds measured so far. `overrides` are for the
    daemon's configuration.
    """
    from sdstream.supervisor.pipeline import Pipeline

    incoming: dict[str, Any] = {"kind": "testsrc"}
    address = f"127.0.0.1:{free_port()}"
    if source == "rtmp":
        incoming = {"kind": "rtmp", "listen": address, "key": _KEY}
    outgoing = {"kind": "ndi", "name": _NDI_NAME} if sink == "ndi" else {"kind": "discard"}
    pipeline = Pipeline(_config(canvas, incoming, outgoing, _restyling(model), overrides))
    samples: list[Sample] = []
    over = threading.Event()
    answer, ages = _SPAWN.Pipe(duplex=False)
    watch = threading.Thread(target=_watch, args=(pipeline, samples, over))
    with ExitStack() as ends:
        if source == "rtmp":
            _publish(ends, f"rtmp://{address}/live/{_KEY}", canvas, clip=model is not None)
        if sink == "ndi":
            receiver = ChildProcess("receiver", _receive, ages, canvas, seconds - 1.0, dated=model is None)
            ends.enter_context(receiver)
        watch.start()
        report = pipeline.run(seconds, lambda pipeline: each_second(pipeline.report().seconds))
        over.set()
        watch.join()
        glass = answer.recv() if sink == "ndi" and answer.poll(5.0) else None
    processes = max(sample.processes for sample in samples)
    # Samples count while all processes run, before the first begins to end.
    samples = [sample for sample in samples if sample.processes == processes and sample.at < seconds - _ENDING]
    return PathResult(report, _cores(samples), glass, _growth(samples))


def _config(
    canvas: dict[str, float],
    source: dict[str, Any],
    sink: dict[str, Any],
    engine: dict[str, Any],
    overrides: Sequence[str] = (),
) -> Config:
    from sdstream.config.load import loads

    document = {"version": 1, "canvas": canvas, "source": source, "sinks": [sink], **engine}
    return loads(json.dumps(document), "bench path", overrides)  # raises a readable error for a bad size


def _restyling(model: Restyling | None) -> dict[str, Any]:
    """Return the configuration's sections for restyling. Every picture is restyled: the similarity filter is off."""
    if model is None:
        return _PASSTHROUGH
    engine = {"kind": "diffusion", "model": model.name, "width": model.width, "height": model.height}
    return {"engine": engine, "controls": {"similarity": {"mode": "off"}}}


def _publish(ends: ExitStack, url: str, canvas: dict[str, float], *, clip: bool) -> None:
    """Publish until the end of the measurement: the clip, or test pictures with the time of making.

    The clip is encoded beforehand, because encoding is expensive. Test pictures need live encoding for the time.
    """
    if not clip:
        target = {"kind": "ffmpeg", "url": url, "preset": "ultrafast"}
        config = _config(canvas, {"kind": "testsrc"}, target, _PASSTHROUGH)
        ends.enter_context(ChildProcess("publisher", _publish_dated, config))
        return
    from sdstream.clip.publisher import publisher

    file = Path(ends.enter_context(TemporaryDirectory(prefix="sdstream-bench-"))) / "clip.mp4"
    with ChildProcess(
        "encoder", _encode, file, canvas
    ) as encoder:  # a separate process: memory of the encoder is not counted
        encoder.join()
        failed = encoder.exit_code
    if failed:
        raise Unavailable("bench path: the clip could not be encoded; see the error above")
    ends.enter_context(publisher(file, url, LogChoice("error")))


def _encode(file: Path, canvas: dict[str, float]) -> None:
    from sdstream.clip.footage import write_scaled

    write_scaled(file, int(canvas["width"]), int(canvas["height"]), canvas["fps"])


def _publish_dated(config: Config) -> None:
    from sdstream.supervisor.pipeline import Pipeline

    log.configure("error")
    Pipeline(config, LogChoice("error")).run()


def _receive(answer: Connection, canvas: dict[str, float], seconds: float, *, dated: bool) -> None:
    """Receive by NDI for `seconds`, and answer with the percentiles of the pictures' ages; None without markers."""
    from sdstream.audio.ring import AudioRing
    from sdstream.config.schema import Canvas
    from sdstream.config.sources import NdiSourceSettings
    from sdstream.errors import Lost
    from sdstream.sources import marker
    from sdstream.sources.context import COUNTERS, SourceContext
    from sdstream.sources.ndi import NdiSource

    log.configure("error")  # standard output holds the result
    context = Context.alone(*COUNTERS)
    settings = NdiSourceSettings(kind="ndi", name=_NDI_NAME, extra_ips=("127.0.0.1",))
    given = SourceContext(Canvas.model_validate(canvas), context.counters, AudioRing(), lambda: None)
    ages, until = Histogram(), time.monotonic() + seconds
    while time.monotonic() < until:
        with contextlib.suppress(Lost), NdiSource(settings, given) as source:
            while time.monotonic() < until:
                frame = source.read()
                mark = marker.read(frame.pixels) if frame and dated else None
                if frame and mark:
                    ages.record(mark.age(frame.captured))
    answer.send(ages.summary() if ages.total() else None)


def _watch(pipeline: "Pipeline", samples: list[Sample], done: threading.Event) -> None:
    began = time.monotonic()
    while not done.wait(1.0):
        processes = [psutil.Process()]
        with contextlib.suppress(psutil.Error):
            processes += [psutil.Process(pid) for pid in pipeline.pids().values()]
            samples.append(_sample(processes, time.monotonic() - began))


def _sample(processes: list[psutil.Process], at: float) -> Sample:
    cpu = memory = files = threads = 0.0
    for process in processes:
        with process.oneshot():
            times = process.cpu_times()
            cpu += times.user + times.system
            memory += process.memory_info().rss
            files += process.num_fds() if hasattr(process, "num_fds") else 0  # not on Windows
            threads += process.num_threads()
    return Sample(at, cpu, int(memory), int(files), int(threads), len(processes))


def _cores(samples: list[Sample]) -> float:
    """Return CPU seconds a second, without the seconds of starting."""
    steady = [sample for sample in samples if sample.at >= _STARTING] or samples
    span = steady[-1].at - steady[0].at
    return (steady[-1].cpu - steady[0].cpu) / span if span else 0.0


def _growth(samples: list[Sample]) -> dict[str, float] | None:
    late = [sample for sample in samples if sample.at >= _WARM_UP]
    if not late or late[-1].at < 2 * _WARM_UP:
        return None
    first, last = late[0], late[-1]
    return {name: getattr(last, name) - getattr(first, name) for name in ("memory", "files", "threads")}
