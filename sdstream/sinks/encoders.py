"""The encoders of pictures: finds those that work on this machine, and sets the options for a constant bit rate."""

import os
from fractions import Fraction

import av

from sdstream.config.outputs import ENCODERS, Encoder, FfmpegSinkSettings
from sdstream.errors import Unavailable
from sdstream.system.endpoint import Endpoint

_SOFTWARE = {"h264": "libx264", "hevc": "libx265", "av1": "libsvtav1"}
_QUIET = {"libx265": {"x265-params": "log-level=error", "preset": "ultrafast"}}  # else a page of facts on stderr


def failure(name: Encoder) -> str | None:
    """Return the reason why encoder `name` does not work here, or None for a working encoder.

    The test encodes a picture, because FFmpeg lists hardware encoders on machines without the hardware. The size is
    640x360, because NVENC refuses much smaller pictures.
    """
    if name == "libsvtav1":
        os.environ.setdefault("SVT_LOG", "1")  # errors only, else a page of facts on stderr
    try:
        context = av.CodecContext.create(name, "w")
        assert isinstance(context, av.VideoCodecContext)
        context.width, context.height, context.pix_fmt = 640, 360, "yuv420p"
        context.time_base = Fraction(1, 30)
        context.options = _QUIET.get(name, {})
        context.encode(av.VideoFrame(640, 360, "yuv420p"))
        context.encode(None)
    except PermissionError:
        return "FFmpeg finds no NVIDIA driver"  # FFmpeg reports "operation not permitted" without the driver
    except (av.FFmpegError, ValueError) as error:  # ValueError: FFmpeg was built without the encoder
        return str(error)
    return None


def choose(settings: FfmpegSinkSettings) -> Encoder:
    """Return the wished encoder, or for `auto` the first working encoder of the codec.

    Raises Unavailable without a working encoder.
    """
    reasons = []
    wanted = ENCODERS[settings.codec] if settings.encoder == "auto" else (settings.encoder,)
    for name in wanted:
        reason = failure(name)
        if reason is None:
            return name
        reasons.append(f"{name}: {reason}")
    raise Unavailable(
        f"no encoder of {settings.codec} works here ({'; '.join(reasons)}); "
        f"expected {_SOFTWARE[settings.codec]} or an NVIDIA driver with NVENC: see `sdstream sinks`"
    )


def listing() -> list[Endpoint]:
    """Return the `ffmpeg` sink, with the state of each encoder."""
    reasons = {name: failure(name) for names in ENCODERS.values() for name in names}
    state = "; ".join(f"{name}: {reason or 'works'}" for name, reason in reasons.items())
    return [Endpoint("RTMP server or file", "", {"kind": "ffmpeg", "url": "rtmp://HOST/APP/${KEY}"}, state)]


def options(name: Encoder, settings: FfmpegSinkSettings, interval: int) -> dict[str, str]:
    """Return the encoder's options: constant bit rate, a key frame every `interval` pictures and nowhere else.

    Twitch asks for strict CBR and evenly spaced key frames; both encoders pad to the full bit rate (`nal-hrd=cbr`,
    `cbr_padding`). The rate buffer holds one second, as in OBS. B-frames and look-ahead are off: both would delay
    pictures.
    """
    software = _software(name, settings, interval)
    if software is not None:
        return software
    rate = str(settings.bitrate)
    profile = {"profile": "high"} if name == "h264_nvenc" else {}
    return profile | {
        "g": str(interval),
        "bf": "0",
        "maxrate": rate,
        "bufsize": rate,
        "preset": settings.preset or "p4",
        "tune": "ll",
        "rc": "cbr",
        "cbr_padding": "1",
        "no-scenecut": "1",
        "forced-idr": "1",
        "delay": "0",
        "zerolatency": "1",
    }


def _software(name: Encoder, settings: FfmpegSinkSettings, interval: int) -> dict[str, str] | None:
    """Return the options of an encoder for the CPU; None for NVENC.

    libx265 and libsvtav1 keep the rate without padding. SVT-AV1 needs low delay (`pred-struct=1`) for a constant rate.
    """
    rate, kilobits = str(settings.bitrate), round(settings.bitrate / 1000)
    keys = f"keyint={interval}:min-keyint={interval}:scenecut=0"
    if name == "libx264":
        shared = {"g": str(interval), "bf": "0", "maxrate": rate, "bufsize": rate, "profile": "high"}
        x264 = {"tune": "zerolatency", "x264-params": f"nal-hrd=cbr:{keys}"}
        return shared | x264 | {"preset": settings.preset or "veryfast"}
    if name == "libx265":
        buffer = f"vbv-maxrate={kilobits}:vbv-bufsize={kilobits}:strict-cbr=1"
        x265 = f"{keys}:open-gop=0:bframes=0:info=0:log-level=error:{buffer}"
        return {"preset": settings.preset or "ultrafast", "tune": "zerolatency", "x265-params": x265}
    if name == "libsvtav1":
        svt = f"pred-struct=1:rc=2:keyint={interval}:scd=0:lookahead=0"
        return {"preset": settings.preset or "11", "svtav1-params": svt}
    return None
