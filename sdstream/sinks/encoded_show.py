"""Picture and sound of a sink as H.264 (or HEVC, AV1) and AAC, encoded once for all outputs of the sink."""

import math
from collections import deque
from typing import Union

import av

from sdstream.config.outputs import Encoder, FfmpegSinkSettings
from sdstream.config.schema import Canvas
from sdstream.errors import ConfigError
from sdstream.frame import SAMPLE_RATE, Frame, Samples
from sdstream.sinks import STAMPED_EARLY, Due, encoders
from sdstream.sinks.sound_track import SoundTrack
from sdstream.sinks.yuv import Yuv420, as_av_frame

Packet = Union["av.Packet[av.VideoStream]", "av.Packet[av.AudioStream]"]
Packets = list[Packet]

_GLOBAL_HEADER = 1 << 22  # AV_CODEC_FLAG_GLOBAL_HEADER: FLV and MP4 carry the parameter sets in the header
# Samples from the newest input of the AAC encoder back to the start of the newest packet: an AAC frame each for the
# input buffer, the look-ahead, the priming and the packet.
_AAC_DELAY = 4 * 1024


class EncodedShow:
    """The encoders of a sink. Outputs copy `video` and `audio` as templates, and take the packets in order."""

    def __init__(self, settings: FfmpegSinkSettings, canvas: Canvas, output: str) -> None:
        """Open both encoders; `output` is the name in errors.

        Raises Unavailable without a working encoder, ConfigError for settings that an encoder refuses.
        """
        self.encoder = encoders.choose(settings)
        self._container = av.open("-", "w", format="null")  # a place for the encoders: nothing is written
        try:
            self.video = _add_video(self._container, self.encoder, settings, canvas)
            self.audio = _add_audio(self._container, settings)
            self._container.start_encoding()  # fills the parameters that the outputs copy
        except (av.FFmpegError, ValueError) as error:
            raise ConfigError(
                f"sinks: {self.encoder} or aac refuses these settings ({error}); expected a preset of this encoder, "
                "and bit rates in keeping with the canvas"
            ) from error
        self._canvas = canvas
        self._convert = Yuv420(canvas.width, canvas.height, "i420")
        self._planes = self._convert.empty()
        self._first: int | None = None
        self._sound = SoundTrack(self.audio, canvas.rate, STAMPED_EARLY, output)
        self._held: deque[Packets] = deque()
        self._hold = math.ceil((STAMPED_EARLY + _AAC_DELAY) / SAMPLE_RATE * canvas.rate - 1)

    def encode(self, frame: Frame, sound: Samples, due: Due) -> Packets:
        """Encode picture and sound; return the packets of the sound and of a slightly older picture.

        FFmpeg holds a picture until later sound arrives, and then sends all held pictures in a burst; a receiver of
        the newest picture only would drop most of the burst. So pictures wait here until the sound of the same time
        is encoded, and every tick sends a single picture. Raises Lost after a long interruption.
        """
        self._convert.convert(frame.pixels, self._planes)
        picture = as_av_frame(self._planes, self._canvas.height)
        self._first = due.index if self._first is None else self._first
        picture.pts = due.index - self._first
        picture.time_base = 1 / self._canvas.rate
        packets: Packets = [*self._sound.encode(sound, picture.pts)]
        self._held.append([*self.video.encode(picture)])
        return packets + self._held.popleft() if len(self._held) > self._hold else packets

    def rest(self) -> Packets:
        """Return the packets left in the encoders; nothing may be encoded afterwards."""
        packets: Packets = [*self._sound.flush()]
        for held in (*self._held, self.video.encode(None)):
            packets += held
        self._held.clear()
        return packets


def _add_video(
    container: av.container.OutputContainer, encoder: Encoder, settings: FfmpegSinkSettings, canvas: Canvas
) -> av.VideoStream:
    interval = max(1, round(settings.keyframe_interval * canvas.rate))
    wanted = encoders.options(encoder, settings, interval)
    video = container.add_stream(encoder, rate=canvas.rate, options=wanted)
    assert isinstance(video, av.VideoStream)
    video.width, video.height, video.pix_fmt = canvas.width, canvas.height, "yuv420p"
    context = video.codec_context
    context.time_base = 1 / canvas.rate
    context.bit_rate = settings.bitrate
    # BT.709: without the tag, players assume BT.601.
    context.colorspace = context.color_primaries = context.color_trc = 1
    context.color_range = 1  # limited
    context.flags |= _GLOBAL_HEADER
    context.open()
    return video


def _add_audio(container: av.container.OutputContainer, settings: FfmpegSinkSettings) -> av.AudioStream:
    audio = container.add_stream("aac", rate=SAMPLE_RATE, layout="stereo")
    assert isinstance(audio, av.AudioStream)
    audio.codec_context.bit_rate = settings.audio_bitrate
    audio.codec_context.flags |= _GLOBAL_HEADER
    audio.codec_context.open()
    return audio
