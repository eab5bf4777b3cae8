"""The H.264 encoders: which of them really work on this machine, and how each is made to keep a constant bit rate."""

from fractions import Fraction
from typing import Literal, get_args

import av

from sdstream.config.sinks import Encoder, FfmpegSinkSettings
from sdstream.errors import Unavailable
from sdstream.system.endpoint import Endpoint

ENCODERS: tuple[Encoder, ...] = get_args(Encoder)
"""In the order in which `auto` tries them."""


def failure(name: Encoder) -> str | None:
    """Return why encoder `name` does not work here, or None when it does.

    It encodes a picture: FFmpeg lists hardware encoders on machines without the hardware. 640x360, because NVENC
    refuses much smaller ones.
    """
    try:
        context = av.CodecContext.create(name, "w")
        assert isinstance(context, av.VideoCodecContext)
        context.width, context.height, context.pix_fmt = 640, 360, "yuv420p"
        context.time_base = Fraction(1, 30)
        context.encode(av.VideoFrame(640, 360, "yuv420p"))
        context.encode(None)
    except PermissionError:
        return "FFmpeg finds no NVIDIA driver"  # NVENC says "operation not permitted" then
    except (av.FFmpegError, ValueError) as error:  # ValueError: this FFmpeg was built without it
        return str(error)
    return None


def choose(wanted: Literal["auto", Encoder]) -> Encoder:
    """Return the encoder to use: `wanted`, or for `auto` the first that works. Raises Unavailable."""
    reasons = []
    for name in ENCODERS if wanted == "auto" else (wanted,):
        reason = failure(name)
        if reason is None:
            return name
        reasons.append(f"{name}: {reason}")
    raise Unavailable(
        f"no H.264 encoder works here ({'; '.join(reasons)}); "
        "expected libx264 or an NVIDIA driver with NVENC: see `sdstream sinks`"
    )


def listing() -> list[Endpoint]:
    """Return the `ffmpeg` sink, with what each encoder says of itself."""
    reasons = {name: failure(name) for name in ENCODERS}
    state = "; ".join(f"{name}: {reason or 'works'}" for name, reason in reasons.items())
    return [Endpoint("RTMP server or file", "", {"kind": "ffmpeg", "url": "rtmp://HOST/APP/${KEY}"}, state)]


def options(name: Encoder, settings: FfmpegSinkSettings, interval: int) -> dict[str, str]:
    """Return the encoder's options: constant bit rate, a key frame every `interval` pictures and nowhere else.

    The buffer holds one second, as OBS has it. Twitch asks for strict CBR and evenly spaced key frames; both
    encoders fill up what they do not need (`nal-hrd=cbr`, `cbr_padding`). No B-frames and no look-ahead: each
    would hold pictures back.
    """
    rate = str(settings.bitrate)
    shared = {"g": str(interval), "bf": "0", "maxrate": rate, "bufsize": rate, "profile": "high"}
    if name == "libx264":
        return shared | {
            "preset": settings.preset or "veryfast",
            "tune": "zerolatency",
            "x264-params": f"nal-hrd=cbr:scenecut=0:keyint={interval}:min-keyint={interval}",
        }
    return shared | {
        "preset": settings.preset or "p4",
        "tune": "ll",
        "rc": "cbr",
        "cbr_padding": "1",
        "no-scenecut": "1",
        "forced-idr": "1",
        "delay": "0",
        "zerolatency": "1",
    }
