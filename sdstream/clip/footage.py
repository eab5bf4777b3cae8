"""Writes the bundled clip at a different size and rate, ready for publishing without encoding."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av

from sdstream.clip import CLIP


def write_scaled(target: Path, width: int, height: int, fps: float) -> None:
    """Write the clip to `target` (.mp4) at normal speed; pictures are repeated or left out to reach `fps`."""
    rate = Fraction(fps).limit_denominator(1001)
    with av.open(str(CLIP)) as pictures, av.open(str(CLIP)) as sounds, av.open(str(target), "w") as file:
        video = file.add_stream("libx264", rate=rate, options={"preset": "ultrafast", "g": str(round(2 * rate))})
        video.width, video.height, video.pix_fmt, video.bit_rate = width, height, "yuv420p", width * height * 4
        codec = video.codec_context
        codec.colorspace = codec.color_primaries = codec.color_trc = codec.color_range = 1  # as the clip: 709, limited
        audio = file.add_stream_from_template(sounds.streams.audio[0])
        audio_packets = [packet for packet in sounds.demux(audio=0) if packet.dts is not None]
        for packet in audio_packets:
            packet.stream = audio
        video_packets = [packet for picture in _resampled(pictures, rate) for packet in video.encode(picture)]
        video_packets += video.encode()
        for packet in sorted([*audio_packets, *video_packets], key=lambda packet: (packet.dts or 0) * packet.time_base):
            file.mux(packet)


def _resampled(clip: av.container.InputContainer, rate: Fraction) -> Iterator[av.VideoFrame]:
    """Yield the clip's picture at every interval of `rate`."""
    number = 0
    for frame in clip.decode(video=0):
        end = ((frame.pts or 0) + frame.duration) * (frame.time_base or 0)
        frame.pict_type = 0  # left to the encoder
        while number / rate < end:
            frame.pts, frame.time_base, number = number, 1 / rate, number + 1
            yield frame
