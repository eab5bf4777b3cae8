"""Opens FFmpeg's container for a server."""

import av
from av.container import OutputContainer

from sdstream.config.outputs import FfmpegSinkSettings
from sdstream.errors import ConfigError, Unavailable
from sdstream.log import get_logger
from sdstream.redact import mask_url
from sdstream.system.certificates import default_ca_file

_FOURCC = {"hevc": "hvc1", "av1": "av01"}  # Enhanced RTMP, section "Enhanced Video"
_FORMATS = dict.fromkeys(("udp", "tcp", "rtp", "unix"), "mpegts")


def open_container(url: str, settings: FfmpegSinkSettings) -> OutputContainer:
    """Open a container at `url`, and send nothing yet.

    Raises ConfigError for a format unknown to FFmpeg, Unavailable without certificate authorities.
    """
    scheme = url.partition(":")[0]
    wanted = settings.format or ("flv" if scheme.startswith("rtmp") else _FORMATS.get(scheme))
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


def _options(url: str, settings: FfmpegSinkSettings) -> dict[str, str]:
    """Return the options of format and protocol. Raises Unavailable without certificate authorities."""
    chosen = {"flvflags": "no_duration_filesize", "tcp_nodelay": "1"}
    if url.startswith("rtmp") and settings.codec in _FOURCC:
        chosen["rtmp_enhanced_codecs"] = _FOURCC[settings.codec]  # told when connecting, for servers that ask
    if url.startswith(("rtmps:", "rtmpts:", "https:")):
        authorities = settings.ca_file or default_ca_file()
        if authorities is None:
            raise Unavailable(
                "no file with certificate authorities was found; expected a PEM file in `ca_file`, "
                "or the ca-certificates package: sudo apt install ca-certificates"
            )
        chosen |= {"ca_file": str(authorities), "tls_verify": "1"}
        if int(av.__version__.partition(".")[0]) < 19:  # PyAV 18 ignores the TLS options of outputs
            needs = "PyAV 19, on Python 3.12 or later"
            get_logger().warning("server's certificate is checked before the stream only", always_needs=needs)
    return chosen
