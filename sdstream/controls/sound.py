"""The controls of the sound."""

from typing import Annotated

from pydantic import Field

from sdstream.controls.base import Control, hand


class Sound(Control):
    """The sound of every output; obeyed at once, and without clicks."""

    gain: float = Field(0.0, ge=-60, le=30, json_schema_extra=hand(-60, 6, glide=0))
    """Louder or quieter, in decibels: 6 doubles the level, -6 halves the level. What gets too loud is clipped."""
    mute: bool = False
    """Silence, until set to false."""
    mono: bool = False
    """Mix left and right into the same sound on both sides, as for a microphone that is on one side only."""
    offset: float = Field(0.0, ge=-1, le=5, json_schema_extra=hand(-1, 1, glide=0))
    """Seconds by which the sound comes later than the picture; negative: earlier, as far as the sound has arrived by
    then. OBS shows the sync offset in milliseconds: 200 ms is 0.2."""
    track: Annotated[int, Field(ge=0, le=63)] | None = None
    """Audio track of a file or of a URL with several, counted from 0; null is the default track. NDI has a single
    track, and a publisher's track (`source.listen`) is chosen by `source.audio_track`: both refuse another number."""
