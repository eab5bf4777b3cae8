"""The recorded steps over a set of tables: each shape is recorded once, at the first frame of the shape."""

from collections.abc import Callable

from sdstream.engine.graph.capture import Recorder, Step
from sdstream.engine.graph.shape import Shape
from sdstream.engine.graph.step import FrameStep, Results
from sdstream.engine.graph.tables import Tables
from sdstream.log import get_logger

log = get_logger()

Function = Callable[..., Results]
"""`FrameFunction`, or a compiled form."""


class Steps:
    """Returns the step of a shape, ready to be called frame by frame."""

    def __init__(self, tables: Tables, function: Callable[[Shape], Function], record: Recorder) -> None:
        self._tables, self._function, self._record = tables, function, record
        self._ready: dict[Shape, Step] = {}

    def __call__(self, shape: Shape) -> Step:
        """Return the step of `shape`; the first call for a shape records the step."""
        if shape not in self._ready:
            log.info("recording a frame", stages=shape.stages, rows=shape.rows, together=shape.together)
            frame = FrameStep(self._function(shape), self._tables, shape)
            self._ready[shape] = self._record(frame.step, (self._tables.x, self._tables.ref))
        return self._ready[shape]

    @property
    def shapes(self) -> tuple[Shape, ...]:
        """The shapes recorded so far."""
        return tuple(self._ready)
