"""The MIDI surface: what the messages of a controller do. Knows no device."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sdstream.control.surfaces.hands import Hands
from sdstream.control.surfaces.midi_bindings import Binding, Bindings, Place
from sdstream.controls import Controls
from sdstream.controls.knobs import Knob, knob_of
from sdstream.controls.present import value_of
from sdstream.errors import Unavailable
from sdstream.log import get_logger

if TYPE_CHECKING:
    from mido import Message

LEARN_WITHIN = 30.0
"""Seconds for a hand to turn the knob to learn."""
_SEVEN_BITS, _FOURTEEN_BITS = 127, 16_383


class Midi:
    """Takes messages of a controller. Time is an argument (monotonic seconds)."""

    def __init__(self, bindings: Bindings, hands: Hands, controls: Callable[[], Controls]) -> None:
        self.bindings, self._hands, self._controls = bindings, hands, controls
        self._learning: tuple[float, str, Any, str] | None = None

    def learn(self, control: str, value: Any, preset: str, now: float) -> None:  # value: JSON
        """Tie the next knob or pad that moves to a control, or to a preset.

        Raises ValueError for a control without a single value, and for a value that the control does not take.
        """
        if control:
            knob = knob_of(control)
            if knob is None:
                raise ValueError(f"no control {control!r} with a single value")
            if value is not None:
                knob.value(value)
            elif knob.kind == "text":
                raise ValueError(f"{control} takes a text; give the text as the value of a pad")
        self._learning = (now + LEARN_WITHIN, control, value, preset)

    @property
    def learning(self) -> str:
        """Name of the control or preset that waits for a knob; "" without one."""
        return self._learning[1] or self._learning[3] if self._learning else ""

    def take(self, message: "Message", now: float) -> None:
        """Take a message of a controller; messages of other kinds do nothing."""
        match message.type:
            case "clock":
                self._hands.beat.pulse(now)
            case "start":
                self._hands.beat.start()
            case "stop":
                self._hands.beat.stop()
            case "control_change":
                self._moved(Place("knob", message.channel, message.control), message.value / _SEVEN_BITS, now)
            case "pitchwheel":
                self._moved(Place("wheel", message.channel), (message.pitch + 8192) / _FOURTEEN_BITS, now)
            case "note_on" if message.velocity > 0:
                self._pressed(Place("pad", message.channel, message.note), now)

    def _moved(self, place: Place, share: float, now: float) -> None:
        binding = self._binding(place, now)
        if binding is None:
            return
        if binding.preset or binding.value is not None:
            if share >= 0.5:  # a button that sends a control change is pressed
                self._do(binding, now)
            return
        knob = knob_of(binding.control)
        if knob is not None:
            self._turn(knob, knob.share(share), now)

    def _pressed(self, place: Place, now: float) -> None:
        binding = self._binding(place, now)
        if binding is not None:
            self._do(binding, now)

    def _do(self, binding: Binding, now: float) -> None:
        if binding.preset:
            self._hands.recall(binding.preset, 0.0, "midi", now)
        elif knob := knob_of(binding.control):
            self._turn(knob, self._next(knob) if binding.value is None else binding.value, now)

    def _next(self, knob: Knob) -> Any:  # JSON
        """Return the value that a pad brings: the other position of a switch, the next choice, or the usual range's
        other end."""
        present = value_of(self._controls().model_dump(mode="json"), knob.name)
        if knob.kind == "switch":
            return not present
        if knob.kind == "choice":
            at = knob.choices.index(present) if present in knob.choices else -1
            return knob.choices[(at + 1) % len(knob.choices)]
        on = isinstance(present, int | float) and knob.usual is not None and present > sum(knob.usual) / 2
        return knob.share(0.0 if on else 1.0)

    def _turn(self, knob: Knob, value: object, now: float) -> None:
        try:
            self._hands.turn(knob, value, self._controls().model_dump(mode="json"), "midi", now)
        except ValueError as error:  # a binding of an older version
            get_logger().warning("MIDI refused", reason=str(error))

    def _binding(self, place: Place, now: float) -> Binding | None:
        """Return the binding of the place; learn the place first, where a control waits for a knob."""
        learning, self._learning = self._learning, None
        if learning is not None and now <= learning[0]:
            _, control, value, preset = learning
            try:
                self.bindings.keep(Binding(place, control, value, preset))
            except (ValueError, Unavailable) as error:
                get_logger().warning("MIDI not learned", reason=str(error))
            else:
                get_logger().info("MIDI learned", place=str(place), name=control or preset)
        return self.bindings.at(place)
