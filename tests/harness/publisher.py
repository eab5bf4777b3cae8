"""A real RTMP publisher in a process of its own: H.264 and AAC from PyAV, a code in each picture, a beep each second.

Run as `python -m tests.harness.publisher URL …`; `Publisher` starts and stops one from a test.
"""

import argparse
import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from sdstream.frame import SAMPLE_RATE
from sdstream.sources.marker import Mark, burn

BLOCK = 1024
BEEP = 0.1


class Publisher:
    """One publisher process; `with` stops it, whatever state it is in."""

    def __init__(self, url: str, *options: str) -> None:
        self._command = [sys.executable, "-m", "tests.harness.publisher", url, *options]

    def __enter__(self) -> "Publisher":
        root = Path(__file__).parents[2]
        self.process = subprocess.Popen(self._command, cwd=root, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        return self

    def __exit__(self, *exc: object) -> None:
        self.signal(signal.SIGKILL)
        self.process.wait()
        assert self.process.stderr is not None
        self.process.stderr.close()

    def signal(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.process.pid, number)


class _Track:
    """H.264 packets of one size, at one rate, for a stream that may have begun with another."""

    def __init__(self, width: int, height: int, fps: int) -> None:
        self.codec = av.CodecContext.create("libx264", "w")
        self.codec.width, self.codec.height, self.codec.pix_fmt = width, height, "yuv420p"
        self.codec.time_base, self.codec.framerate = Fraction(1, 1000), Fraction(fps)
        self.codec.gop_size, self.codec.bit_rate = fps, 2_000_000
        self.codec.colorspace = self.codec.color_primaries = self.codec.color_trc = self.codec.color_range = 1
        self.codec.options = {"preset": "ultrafast", "tune": "zerolatency", "x264-params": "repeat-headers=1"}
        rows, columns = np.mgrid[:height, :width]
        ramp = ((rows * 2 + columns) * 160 // (2 * height + width) + 40).astype(np.uint8)
        self._still = np.stack([ramp, np.roll(ramp, width // 3, 1), 255 - ramp], axis=2)
        self._picture = np.empty_like(self._still)

    def packets(self, number: int, at: float, *, beep: bool) -> Iterator[av.Packet]:
        height, width = self._still.shape[:2]
        np.copyto(self._picture, self._still)
        left = number * 8 % (width - width // 8)
        self._picture[height // 2 : height // 2 + height // 8, left : left + width // 8] = 255
        burn(self._picture, Mark.now(number, beep=beep))
        frame = av.VideoFrame.from_ndarray(self._picture, "rgb24")
        frame = frame.reformat(format="yuv420p", dst_colorspace=1, dst_color_range=1)
        frame.pts, frame.time_base = round(at * 1000), Fraction(1, 1000)
        yield from self.codec.encode(frame)


def publish(options: argparse.Namespace) -> None:
    """Publish until the time is over, or the server goes away."""
    size = (options.width, options.height, options.fps)
    dice = random.Random(options.seed)
    with av.open(options.url, "w", format="flv", options={"flvflags": "no_duration_filesize"}) as container:
        video = audio = track = None
        if not options.no_video:
            track = _Track(*size)
            video = container.add_stream("libx264", rate=options.fps)
            video.width, video.height, video.pix_fmt = options.width, options.height, "yuv420p"
            video.codec_context.flags |= 1 << 22
            video.codec_context.options = track.codec.options
        if not options.no_audio:
            audio = container.add_stream("aac", rate=SAMPLE_RATE, layout="stereo")
        began, number, at, samples = time.monotonic(), 0, 0.0, 0
        changes = sorted(options.change, key=lambda change: change[0])
        while at < options.seconds:
            if changes and at >= changes[0][0]:
                _, *size = changes.pop(0)
                track = _Track(*size)
            if audio is not None:
                samples = _sound(container, audio, samples, at + 1 / size[2])
            if track is not None:
                beep = number > 0 and int(at + 1e-6) != int(at + 1e-6 - 1 / size[2])
                for packet in track.packets(number, at, beep=beep):
                    container.mux(_damaged(packet, video, options.corrupt, dice))
            number, at = number + 1, at + 1 / size[2]
            time.sleep(max(0.0, began + at - time.monotonic()))


def _damaged(packet: av.Packet, stream: av.VideoStream, rate: float, dice: random.Random) -> av.Packet:
    data = bytearray(bytes(packet))
    for _ in range(int(rate * len(data))):
        data[dice.randrange(8, len(data))] ^= 1 << dice.randrange(8)
    copy = av.Packet(bytes(data))
    copy.pts, copy.dts, copy.time_base, copy.stream = packet.pts, packet.dts, packet.time_base, stream
    copy.is_keyframe = packet.is_keyframe
    return copy


def _sound(container: av.container.OutputContainer, stream: av.AudioStream, samples: int, until: float) -> int:
    """Send sound up to `until`: a beep of a tenth of a second at each whole second."""
    while samples / SAMPLE_RATE < until:
        at = np.arange(samples, samples + BLOCK)
        on = (at % SAMPLE_RATE < BEEP * SAMPLE_RATE) & (at >= SAMPLE_RATE)
        tone = (np.sin(at * 2 * np.pi * 1000 / SAMPLE_RATE) * 0.5 * on).astype(np.float32)
        frame = av.AudioFrame.from_ndarray(np.stack([tone, tone]), "fltp", "stereo")
        frame.sample_rate, frame.pts, frame.time_base = SAMPLE_RATE, samples, Fraction(1, SAMPLE_RATE)
        container.mux(stream.encode(frame))
        samples += BLOCK
    return samples


def _change(text: str) -> tuple[float, int, int, int]:
    at, width, height, fps = text.split(",")
    return float(at), int(width), int(height), int(fps)


def main() -> None:
    """Parse the command line and publish."""
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--width", type=int, default=320)
    parser.add_argument("--height", type=int, default=180)
    parser.add_argument("--fps", type=int, default=30)
    parser.add_argument("--no-audio", action="store_true")
    parser.add_argument("--no-video", action="store_true")
    parser.add_argument("--corrupt", type=float, default=0.0, help="share of the bytes of each packet to damage")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--change", type=_change, action="append", default=[], help="seconds,width,height,fps")
    with contextlib.suppress(av.FFmpegError):  # the server is gone, or sent us away: that is what tests do
        publish(parser.parse_args())


if __name__ == "__main__":
    main()
