"""An NDI sender in a process of its own: a marked picture, and a beep each second.

Run as `python -m tests.sources.ndi_sender NAME SECONDS [WIDTH HEIGHT]`; it prints "on air" when it is.
"""

import sys
import time
from fractions import Fraction

import NDIlib
import numpy as np

from sdstream.sources.testsrc import Card, beeping_second

FPS, BLOCK = 30, 1600


def send(name: str, seconds: float, width: int, height: int) -> None:
    """Send in real time."""
    NDIlib.initialize()
    sender = NDIlib.send_create(NDIlib.SendCreate(name, None, False, False))
    card, beeps = Card(width, height), beeping_second()
    video, audio = NDIlib.VideoFrameV2(), NDIlib.AudioFrameV2()
    video.FourCC, video.frame_rate_N, video.frame_rate_D = NDIlib.FOURCC_VIDEO_TYPE_BGRX, FPS, 1
    audio.sample_rate, audio.no_channels, audio.no_samples = 48_000, 2, BLOCK
    audio.channel_stride_in_bytes = 4 * BLOCK
    began = time.monotonic()
    sys.stdout.write("on air\n")
    sys.stdout.flush()
    for number in range(round(seconds * FPS)):
        picture = card.draw(number, Fraction(FPS))
        video.data = np.dstack([picture[..., ::-1], np.full((height, width), 255, np.uint8)])
        places = np.arange(number * BLOCK, (number + 1) * BLOCK) % len(beeps)
        audio.data = np.ascontiguousarray(beeps[places].T)
        NDIlib.send_send_audio_v2(sender, audio)
        NDIlib.send_send_video_v2(sender, video)
        time.sleep(max(0.0, began + (number + 1) / FPS - time.monotonic()))


if __name__ == "__main__":
    send(sys.argv[1], float(sys.argv[2]), *(int(word) for word in sys.argv[3:] or ("320", "180")))
