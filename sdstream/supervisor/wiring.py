"""The parts of a run with a longer life than a process: mailboxes, counters, sockets, and the stages."""

import itertools
from dataclasses import dataclass

from sdstream.audio.delay import Delay
from sdstream.audio.mixer import Mixer
from sdstream.audio.ring import AudioRing
from sdstream.config.engine import DiffusionSettings, PassthroughSettings
from sdstream.config.looks import looks_of
from sdstream.config.schema import Config
from sdstream.config.sinks import AnySink
from sdstream.config.sources import AnySource
from sdstream.control import run_control
from sdstream.control.ports import ServerPorts
from sdstream.ipc import shared_memory
from sdstream.ipc.context import Context, stage_counters
from sdstream.ipc.counters import Counters, Histogram
from sdstream.ipc.live_text import LiveText
from sdstream.ipc.mailbox import Mailbox
from sdstream.ipc.turn import Turn
from sdstream.log import LogChoice
from sdstream.sinks.registry import early_samples
from sdstream.sources.rtmp_server import RtmpServer, open_rtmp_server, run_rtmp_server
from sdstream.stages import engine, sink, source
from sdstream.stages.on_air import CAPACITY as ON_AIR_CAPACITY
from sdstream.supervisor.body import Body
from sdstream.supervisor.control_desk import Desk
from sdstream.supervisor.control_ports import ControlPorts, open_control
from sdstream.supervisor.stage import Stage

CONNECTING = 20.0
"""Seconds for a sink to start and open before the process counts as hung. A connect to a silent server may hold the
interpreter, so no code inside the process could give up the attempt."""
REACHING = 15.0
"""Seconds for a source to reach the server again before the process counts as hung."""
SERVING = 10
"""Niceness of the control server, below every stage: no request may delay a picture."""
SPARE_SINKS = 4
"""Sinks at most that may come in addition while on air: each takes two pictures of shared memory."""
COMPUTING = 5
"""Niceness of an engine with a model: on the CPU, the engine would otherwise starve the sinks, and sinks have due
times."""
LOADING = 600.0
"""Seconds for a model to load or compile before the process counts as hung."""


@dataclass(frozen=True)
class SinkParts:
    """A sink's stage, and the latencies in shared memory."""

    name: str
    settings: AnySink
    stage: Stage
    latency: Histogram
    index: int
    """Number of the sink's readers in the mailboxes."""


class Wiring:
    """The stages of a run, not yet started, with shared memory and sockets; `close` closes the sockets."""

    def __init__(self, config: Config, logs: LogChoice, epoch: float) -> None:
        """`epoch` is the start of the run (monotonic seconds). Raises Unavailable without a port or memory."""
        self.config, self._logs, self.epoch = config, logs, epoch
        self.rate = config.canvas.rate
        size = config.canvas.width * config.canvas.height * 3
        count = len(config.sinks) + _spare_sinks(size, len(config.sinks))
        what = f"pictures of {config.canvas.width}x{config.canvas.height} for {len(config.sinks)} outputs"
        shared_memory.require(_memory(size, count), what)
        self.desk = Desk(config)
        self.on_air = LiveText(ON_AIR_CAPACITY)
        self.ring = AudioRing()
        self.source_latency, self.engine_latency = Histogram(), Histogram()
        self._camera = Mailbox(size, count + 2)  # two engines: a successor loads beside the running engine
        self._live = Mailbox(size, count)
        self._free = list(range(count))
        self._engines = 1
        self._turn = Turn(1)
        engine_counters = stage_counters(engine.COUNTERS)
        self._engine_counters = engine_counters
        known = looks_of(config.engine.model) if isinstance(config.engine, DiffusionSettings) else None
        self._looks = tuple(look.name for look in known.looks) if known else ()
        self._rtmp_server: RtmpServer | None = open_rtmp_server(config.source)
        self.control_ports = open_control(config.control)
        self.sinks: list[SinkParts] = []
        for settings in config.sinks:
            self.add_sink(settings)
        self.rtmp_server = self._rtmp_server_stage(self._rtmp_server) if self._rtmp_server else None
        self.source = self._source_stage()
        self.engine = self._engine_stage("engine", engine_counters)
        self.control = self._control_stage(self.control_ports) if self.control_ports else None

    @property
    def stages(self) -> list[Stage]:
        """Every stage in starting order: the sinks first, so the slate is on air at once."""
        control = [self.control] if self.control else []
        return [*self.media, *control]

    @property
    def media(self) -> list[Stage]:
        """The stages on the way of pictures and sound: all but the control server."""
        rtmp_server = [self.rtmp_server] if self.rtmp_server else []
        return [*(sink.stage for sink in self.sinks), *rtmp_server, self.source, self.engine]

    @property
    def dark(self) -> str:
        """Why no publisher is shown, as the RTMP server knows; empty for other sources."""
        return self._rtmp_server.why.get()[1] if self._rtmp_server else ""

    def leave_out(self, stage: Stage) -> None:
        """Go on without the sink of `stage`."""
        self.sinks = [sink for sink in self.sinks if sink.stage is not stage]

    def close(self) -> None:
        """Close all sockets; closing twice is harmless."""
        self._camera.close()
        self._live.close()
        if self._rtmp_server is not None:
            self._rtmp_server.close()
        if self.control_ports is not None:
            self.control_ports.close()

    def add_sink(self, settings: AnySink) -> SinkParts | None:
        """Add a sink, not yet started; return None when the mailboxes have no reader left."""
        if not self._free:
            return None
        parts = self._sink(self._free.pop(0), settings, self._sink_name(settings))
        self.sinks = [*self.sinks, parts]
        return parts

    def free(self, parts: SinkParts) -> None:
        """Give the readers of a sink, whose process has ended, to the next sink."""
        self._free.append(parts.index)

    def change_source(self, settings: AnySource) -> None:
        """Open the source of `settings` in a new process, with a new RTMP server where the settings have one.

        Raises Unavailable or Forbidden when a port cannot be opened; the source of before then goes on.
        """
        server = open_rtmp_server(settings, self._rtmp_server)
        self.source.kill()
        if self.rtmp_server is not None:
            self.rtmp_server.kill()
        if self._rtmp_server is not None:
            self._rtmp_server.close()
        self._rtmp_server = server
        self.rtmp_server = self._rtmp_server_stage(server) if server else None
        if self.rtmp_server is not None:
            self.rtmp_server.replace()
        self.source.use(self._source_body(), REACHING)
        self.source.replace()

    def next_engine(self) -> Stage:
        """Return an engine of the present configuration that loads, and then waits for `hand_over`."""
        self._engines += 1
        return self._engine_stage("next engine", stage_counters(engine.COUNTERS))

    def hand_over(self, successor: Stage) -> None:
        """Let `successor` be the engine; the process of the engine before must have been killed."""
        old, new = self.engine.context.counters, successor.context.counters
        for name in engine.SUMS:
            new.set(name, old.get(name))
        successor.context.name = self.engine.name
        successor.restarts = self.engine.restarts
        self.engine = successor
        self._turn.give(self._engines)

    def _sink_name(self, settings: AnySink) -> str:
        """Return the kind, with the position among the sinks where several sinks have the kind, or a free number."""
        kinds = [sink.kind for sink in self.config.sinks]
        taken = {parts.name for parts in self.sinks}
        if kinds.count(settings.kind) == 1 and settings.kind not in taken:
            return settings.kind
        positions = [index + 1 for index, kind in enumerate(kinds) if kind == settings.kind]
        numbers = itertools.count(2) if settings.kind in taken else itertools.chain(positions, itertools.count(1))
        names = (f"{settings.kind}.{number}" for number in numbers)
        return next(name for name in names if name not in taken)

    def _sink(self, index: int, settings: AnySink, name: str) -> SinkParts:
        latency = Histogram()
        ports = sink.SinkPorts(
            live=self._live.reader(index),
            camera=self._camera.reader(index),
            sound=Mixer(Delay(self.ring, early_samples(settings))),
            latency=latency,
            epoch=self.epoch,
            controls=self.desk.live,
            engine=self._engine_counters,
            restyles=not isinstance(self.config.engine, PassthroughSettings),
            looks=self._looks,
        )
        stage = Stage(
            Context(name, stage_counters(sink.COUNTERS)),
            Body(sink.run_sink, settings, self.config.canvas, self.config.air, ports),
            open_deadline=CONNECTING,
            logs=self._logs,
        )
        return SinkParts(name, settings, stage, latency, index)

    def _rtmp_server_stage(self, server: RtmpServer) -> Stage:
        return Stage(
            Context("rtmp_server", stage_counters(())), Body(run_rtmp_server, *server.arguments), logs=self._logs
        )

    def _control_stage(self, ports: ControlPorts) -> Stage:
        assert self.config.control is not None  # the ports were opened for the settings
        server = ServerPorts(
            settings=self.config.control,
            listener=ports.listener,
            requests=ports.requests,
            state=ports.state,
            preview=ports.preview,
            controls=self.desk.live,
            token=ports.token,
            ring=self.ring,
        )
        return Stage(
            Context("control", stage_counters(())), Body(run_control, server), niceness=SERVING, logs=self._logs
        )

    def _source_stage(self) -> Stage:
        context = Context("source", stage_counters(source.COUNTERS))
        return Stage(context, self._source_body(), hang_after=REACHING, logs=self._logs)

    def _source_body(self) -> Body[...]:
        ports = source.SourcePorts(
            output=self._camera.writer(),
            ring=self.ring,
            latency=self.source_latency,
            controls=self.desk.live,
            rtmp_server=self._rtmp_server.address if self._rtmp_server else None,
        )
        return Body(source.run_source, self.config.source, self.config.canvas, ports)

    def _engine_stage(self, name: str, counters: Counters) -> Stage:
        ports = engine.EnginePorts(
            camera=self._camera.reader(self._live.readers + self._engines % 2),
            output=self._live.writer(),
            controls=self.desk.live,
            stabilise=self.config.stabilise,
            latency=self.engine_latency,
            on_air=self.on_air,
            turn=self._turn,
            number=self._engines,
        )
        settings = self.config.engine
        deadline, niceness = (5.0, 0) if isinstance(settings, PassthroughSettings) else (settings.deadline, COMPUTING)
        return Stage(
            Context(name, counters),
            Body(engine.run_engine, settings, self.config.canvas, ports),
            hang_after=deadline,
            open_deadline=LOADING,
            niceness=niceness,
            logs=self._logs,
        )


def _memory(size: int, sinks: int) -> int:
    """Return the bytes of shared memory of both mailboxes; two engines read, because a successor loads beside."""
    return Mailbox.memory(size, sinks + 2) + Mailbox.memory(size, sinks)


def _spare_sinks(size: int, sinks: int) -> int:
    """Return how many sinks may come later: as many as half of the free shared memory has room for."""
    free = shared_memory.free_bytes()
    fitting = (spare for spare in range(SPARE_SINKS, 0, -1) if free is None or _memory(size, sinks + spare) <= free / 2)
    return next(fitting, 0)
