"""A publisher process for tests: a marked picture and a beep each second, in real time, to any URL or file.

    python publish.py URL key=value…   (width height fps seconds audio video codec gop format sizes)
"""

import sys
from fractions import Fraction

import av
import numpy as np

from sdstream.config.schema import Canvas
from sdstream.config.sources import TestsrcSourceSettings
from sdstream.sources.feed import COUNTERS, Feed
from sdstream.sources.testsrc import TestSource, _one_second
from sdstream.stats import Counters

GLOBAL_HEADER = 1 << 22


def main(url, **given):
    choice = dict(width="640", height="360", fps="30", seconds="60", audio="1", video="1", codec="libx264", gop="30")
    choice |= {"format": "flv"} | given
    fps, seconds = int(choice["fps"]), float(choice["seconds"])
    canvas = Canvas(width=int(choice["width"]), height=int(choice["height"]), fps=fps)
    options = {"preset": "ultrafast", "tune": "zerolatency"} if choice["codec"].startswith("libx26") else {}
    with av.open(url, "w", format=choice["format"], timeout=(5, 5)) as out:
        video = audio = None
        if choice["video"] == "1":
            video = out.add_stream(choice["codec"], rate=fps, options=options)
            video.width, video.height, video.pix_fmt, video.bit_rate = canvas.width, canvas.height, "yuv420p", 2_000_000
            video.codec_context.gop_size = int(choice["gop"])
            video.codec_context.flags |= GLOBAL_HEADER
        if choice["audio"] == "1":
            audio = out.add_stream("aac", rate=48000, layout="stereo")
        print("start", flush=True)
        feed = Feed(canvas, Counters(COUNTERS), None, lambda: None)
        with TestSource(TestsrcSourceSettings(kind="testsrc"), feed) as source:
            publish(out, video, audio, source, fps, int(seconds * fps))


def publish(out, video, audio, source, fps, count):
    second, heard = _one_second(), 0
    for number in range(count):
        frame = source.read()
        while audio and heard < (number + 1) * 48000 // fps:
            block = second[np.arange(heard, heard + 1024) % 48000]
            sound = av.AudioFrame.from_ndarray(np.ascontiguousarray(block.T), "fltp", "stereo")
            sound.sample_rate, sound.pts, sound.time_base = 48000, heard, Fraction(1, 48000)
            out.mux(audio.encode(sound))
            heard += 1024
        if video:
            picture = av.VideoFrame.from_ndarray(frame.pixels, "rgb24")
            picture = picture.reformat(format="yuv420p")
            picture.pts, picture.time_base = number, Fraction(1, fps)
            out.mux(video.encode(picture))
    for track in filter(None, (video, audio)):
        out.mux(track.encode(None))


if __name__ == "__main__":
    main(sys.argv[1], **dict(pair.split("=", 1) for pair in sys.argv[2:]))
