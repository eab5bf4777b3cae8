"""Opens FFmpeg's container for a server or a file, with an H.264 stream and an AAC stream."""

import av
from av.container import OutputContainer

from sdstream.config.schema import Canvas
from sdstream.config.sinks import Encoder, FfmpegSinkSettings
from sdstream.errors import ConfigError, Unavailable
from sdstream.frame import SAMPLE_RATE
from sdstream.log import get_logger
from sdstream.redact import mask_url
from sdstream.sinks import encoders
from sdstream.system.certificates import default_ca_file

_GLOBAL_HEADER = 1 << 22  # AV_CODEC_FLAG_GLOBAL_HEADER: FLV carries the parameter sets in the header


def open_container(url: str, settings: FfmpegSinkSettings) -> OutputContainer:
    """Open a container at `url` (or file), and send nothing yet.

    Raises ConfigError for a format unknown to FFmpeg, Unavailable without certificate authorities.
    """
    wanted = settings.format or ("flv" if url.startswith("rtmp") else None)
    try:
        return av.open(
            url,
            "w",
            format=wanted,
            container_options=_options(url, settings),
            timeout=(settings.timeout, settings.timeout),
        )
    except ValueError as error:  # `format`, or the ending of the file name, is unknown
        reason = wanted or f"for {mask_url(url)}"
        raise ConfigError(
            f"sinks: format: FFmpeg has no output format {reason}; expected a format such as flv, mp4 or matroska"
        ) from error


def add_streams(
    container: OutputContainer, encoder: Encoder, settings: FfmpegSinkSettings, canvas: Canvas
) -> tuple[av.VideoStream, av.AudioStream]:
    """Open both encoders before the connection; raises ConfigError for settings that an encoder refuses."""
    try:
        return _add_video(container, encoder, settings, canvas), _add_audio(container, settings)
    except (av.FFmpegError, ValueError) as error:  # ValueError: the format cannot hold this codec
        raise ConfigError(
            f"sinks: {encoder} or aac refuses these settings ({error}); expected a format such as flv, mp4 or "
            "matroska, a preset of this encoder, and bit rates in keeping with the canvas"
        ) from error


def _options(url: str, settings: FfmpegSinkSettings) -> dict[str, str]:
    """Return the options of format and protocol; none for files. Raises Unavailable without certificate authorities."""
    if "://" not in url:
        return {}
    chosen = {"flvflags": "no_duration_filesize", "tcp_nodelay": "1"}
    if url.startswith(("rtmps:", "rtmpts:", "https:")):
        authorities = settings.ca_file or default_ca_file()
        if authorities is None:
            raise Unavailable(
                "no file with certificate authorities was found; expected a PEM file in `ca_file`, "
                "or the ca-certificates package: sudo apt install ca-certificates"
            )
        chosen |= {"ca_file": str(authorities), "tls_verify": "1"}
        if int(av.__version__.partition(".")[0]) < 19:  # PyAV 18 ignores the TLS options of outputs
            get_logger().warning("server's certificate is not checked", needs="PyAV 19, on Python 3.12 or later")
    return chosen


def _add_video(
    container: OutputContainer, encoder: Encoder, settings: FfmpegSinkSettings, canvas: Canvas
) -> av.VideoStream:
    interval = max(1, round(settings.keyframe_interval * canvas.rate))
    wanted = encoders.options(encoder, settings, interval)
    video = container.add_stream(encoder, rate=canvas.rate, options=wanted)
    assert isinstance(video, av.VideoStream)
    video.width, video.height, video.pix_fmt = canvas.width, canvas.height, "yuv420p"
    context = video.codec_context
    context.time_base = 1 / canvas.rate
    context.bit_rate = settings.bitrate
    # BT.709: without the tag, players assume BT.601.
    context.colorspace = context.color_primaries = context.color_trc = 1
    context.color_range = 1  # limited
    context.flags |= _GLOBAL_HEADER
    context.open()
    return video


def _add_audio(container: OutputContainer, settings: FfmpegSinkSettings) -> av.AudioStream:
    audio = container.add_stream("aac", rate=SAMPLE_RATE, layout="stereo")
    assert isinstance(audio, av.AudioStream)
    audio.codec_context.bit_rate = settings.audio_bitrate
    audio.codec_context.flags |= _GLOBAL_HEADER
    audio.codec_context.open()
    return audio
