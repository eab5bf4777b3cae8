"""The H.264 encoders: finds the working encoders of this machine, and sets the options for a constant bit rate."""

from fractions import Fraction
from typing import Literal, get_args

import av

from sdstream.config.outputs import Encoder, FfmpegSinkSettings
from sdstream.errors import Unavailable
from sdstream.system.endpoint import Endpoint

ENCODERS: tuple[Encoder, ...] = get_args(Encoder)
"""The encoders in the order of trial by `auto`."""


def failure(name: Encoder) -> str | None:
    """Return the reason why encoder `name` does not work here, or None for a working encoder.

    The test encodes a picture, because FFmpeg lists hardware encoders on machines without the hardware. The size is
    640x360, because NVENC refuses much smaller pictures.
    """
    try:
        context = av.CodecContext.create(name, "w")
        assert isinstance(context, av.VideoCodecContext)
        context.width, context.height, context.pix_fmt = 640, 360, "yuv420p"
        context.time_base = Fraction(1, 30)
        context.encode(av.VideoFrame(640, 360, "yuv420p"))
        context.encode(None)
    except PermissionError:
        return "FFmpeg finds no NVIDIA driver"  # FFmpeg reports "operation not permitted" without the driver
    except (av.FFmpegError, ValueError) as error:  # ValueError: FFmpeg was built without the encoder
        return str(error)
    return None


def choose(wanted: Literal["auto", Encoder]) -> Encoder:
    """Return `wanted`, or for `auto` the first working encoder. Raises Unavailable without a working encoder."""
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
    """Return the `ffmpeg` sink, with the state of each encoder."""
    reasons = {name: failure(name) for name in ENCODERS}
    state = "; ".join(f"{name}: {reason or 'works'}" for name, reason in reasons.items())
    return [Endpoint("RTMP server or file", "", {"kind": "ffmpeg", "url": "rtmp://HOST/APP/${KEY}"}, state)]


def options(name: Encoder, settings: FfmpegSinkSettings, interval: int) -> dict[str, str]:
    """Return the encoder's options: constant bit rate, a key frame every `interval` pictures and nowhere else.

    Twitch asks for strict CBR and evenly spaced key frames; both encoders pad to the full bit rate (`nal-hrd=cbr`,
    `cbr_padding`). The rate buffer holds one second, as in OBS. B-frames and look-ahead are off: both would delay
    pictures.
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
