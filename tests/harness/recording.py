"""A recorded stream in parts: codecs, key frames and sound."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

import av
import numpy as np

from sdstream.frame import Pixels

_BT709 = np.array([[1, 0, 1.5748], [1, -0.1873, -0.4681], [1, 1.8556, 0]])
"""From Y, Cb and Cr to R, G and B (ITU-R BT.709)."""


@dataclass(frozen=True)
class Recording:
    """One file. Times are seconds of its own clock."""

    video_codec: str
    audio_codec: str
    key_times: list[float]
    pictures: list[Pixels]
    """The key frames. A recording that is not tagged as BT.709, limited range, is not read."""
    sound: np.ndarray
    """The left channel, float32 in -1..1."""
    sample_rate: int

    @classmethod
    def read(cls, path: Path) -> Self:
        """Decode a whole file. Raises av.FFmpegError or IndexError for one that is not whole yet."""
        key_times, pictures, sound = [], [], []
        with av.open(str(path)) as container:
            video, audio = container.streams.video[0], container.streams.audio[0]
            for packet in container.demux(video, audio):
                for frame in packet.decode():
                    if isinstance(frame, av.AudioFrame):
                        sound.append(frame.to_ndarray()[0])
                    elif frame.key_frame:
                        key_times.append(frame.time)
                        pictures.append(_rgb(frame))
            return cls(
                video.codec_context.name,
                audio.codec_context.name,
                key_times,
                pictures,
                np.concatenate(sound),
                audio.codec_context.sample_rate,
            )

    def loudest(self) -> float:
        """Return the frequency, in Hz, that has the most energy."""
        spectrum = np.abs(np.fft.rfft(self.sound * np.hanning(len(self.sound))))
        return float(spectrum.argmax() * self.sample_rate / len(self.sound))


def _rgb(frame: av.VideoFrame) -> Pixels:
    """Convert by the book: libswscale rounds down, which over a few conversions adds up to several of 255."""
    assert (frame.format.name, frame.colorspace, frame.color_range) == ("yuv420p", 1, 1)
    planes = frame.to_ndarray()
    luma, chroma = planes[: frame.height], planes[frame.height :].reshape(2, frame.height // 2, frame.width // 2)
    blue, red = (plane.repeat(2, 0).repeat(2, 1) for plane in chroma)
    full = np.stack([(luma - 16.0) / 219, (blue - 128.0) / 224, (red - 128.0) / 224], axis=2)
    return np.rint(np.clip(full @ _BT709.T, 0, 1) * 255).astype(np.uint8)
