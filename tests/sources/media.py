"""Media of every kind and state of health, made on the fly."""

import random
from fractions import Fraction

import av
import numpy as np

from sdstream.frame import SAMPLE_RATE
from sdstream.sources.marker import Mark, burn

SIZE = (128, 96)
COUNT = 12
GLOBAL_HEADER = 1 << 22


def picture(number, size=SIZE):
    """Return RGB pixels: a ramp, and the picture's number where there is room for it."""
    width, height = size
    ramp = np.add.outer(np.arange(height), np.arange(width)) * 200 // (width + height)
    pixels = np.repeat(ramp[:, :, None], 3, axis=2).astype(np.uint8)
    if min(size) >= 64:
        burn(pixels, Mark(number, 0, beep=False))
    return pixels


def make(path, *, codec="libx264", form="yuv420p", size=SIZE, count=COUNT, fps=30, sounds=("aac",), **more):
    """Write a file and return its path. `more`: times (pts of each picture), aspect, turn, options, container."""
    with av.open(str(path), "w", format=more.get("container")) as out:
        video = out.add_stream(codec, rate=fps, options=more.get("options", {})) if codec else None
        tracks = [out.add_stream(name, rate=SAMPLE_RATE, layout="stereo") for name in sounds]
        if video:
            prepare(video, form, size, out, more)
            times = more.get("times", range(count))
            for number, pts in enumerate(times):
                frame = av.VideoFrame.from_ndarray(picture(number, size), "rgb24").reformat(format=form)
                frame.pts, frame.time_base = pts, Fraction(1, fps)
                out.mux(video.encode(frame))
            out.mux(video.encode(None))
        for track in tracks:
            beep(out, track, count / fps)
    return path


def prepare(video, form, size, out, more):
    video.width, video.height, video.pix_fmt = *size, form
    video.codec_context.gop_size = more.get("gop", 6)
    if out.format.name in {"flv", "mp4", "matroska", "ismv"}:
        video.codec_context.flags |= GLOBAL_HEADER
    if aspect := more.get("aspect"):
        video.codec_context.sample_aspect_ratio = aspect
    if turn := more.get("turn"):
        video.set_display_rotation(turn)


def beep(out, track, seconds):
    block = track.codec_context.frame_size or 1024
    for start in range(0, int(seconds * SAMPLE_RATE), block):
        wave = 0.3 * np.sin(2 * np.pi * 440 * np.arange(start, start + block) / SAMPLE_RATE)
        form = track.codec_context.format.name
        sound = av.AudioFrame.from_ndarray(np.stack([wave, wave]).astype(np.float32), "fltp", "stereo")
        sound.sample_rate, sound.pts, sound.time_base = SAMPLE_RATE, start, Fraction(1, SAMPLE_RATE)
        for part in av.AudioResampler(form, "stereo", SAMPLE_RATE).resample(sound):
            out.mux(track.encode(part))
    out.mux(track.encode(None))


def flv_tags(data):
    """Yield the kind, the time in milliseconds, and the payload of every tag of an FLV file."""
    place = 13
    while place < len(data):
        kind, size = data[place], int.from_bytes(data[place + 1 : place + 4], "big")
        yield kind, int.from_bytes(data[place + 4 : place + 7], "big"), data[place + 11 : place + 11 + size]
        place += size + 15


def flip_bits(data, share, seed=1):
    """Return `data` with that share of its bits turned over."""
    dice, damaged = random.Random(seed), bytearray(data)
    for _ in range(int(share * 8 * len(data))):
        damaged[dice.randrange(len(data))] ^= 1 << dice.randrange(8)
    return bytes(damaged)
