"""What a server recorded of a stream, taken apart."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

import av
import numpy as np

from sdstream.frame import Pixels


@dataclass(frozen=True)
class Recording:
    """One file. Times are seconds of its own clock."""

    video_codec: str
    audio_codec: str
    key_times: list[float]
    pictures: list[Pixels]
    """The key frames, decoded as what they are tagged as."""
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
                        pictures.append(frame.reformat(format="rgb24", src_colorspace=frame.colorspace).to_ndarray())
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
