"""Settings of each kind of sink."""

import re
from typing import Annotated, Literal, Self

from pydantic import Field, SecretStr, model_validator

from sdstream.config.base import Address, AudioBitrate, Settings, Url, VideoBitrate, is_loopback
from sdstream.config.existing_file import ExistingFile

Encoder = Literal["h264_nvenc", "libx264"]
"""H.264 encoders, in the order in which `auto` tries them."""


class SinkSettings(Settings):
    """Settings of every sink."""

    optional: bool = False
    """Go on air without this sink when the device or runtime is missing; by default a missing sink ends the run with
    exit status 69."""


class VirtualcamSinkSettings(SinkSettings):
    """A virtual camera: v4l2loopback on Linux, the OBS camera on Windows and macOS."""

    kind: Literal["virtualcam"]
    """A virtual camera for OBS and browsers."""
    device: str | None = Field(None, max_length=256)
    """Card label or path, e.g. "sdstream" or /dev/video10; the first free virtual camera by default."""


class NdiSinkSettings(SinkSettings):
    """An NDI sender."""

    kind: Literal["ndi"]
    """An NDI source for the network."""
    name: str = Field("sdstream", min_length=1, max_length=128)
    """Name for receivers, shown behind this machine's name."""


class FfmpegSinkSettings(SinkSettings):
    """RTMP or RTMPS to a server such as Twitch, or a file."""

    kind: Literal["ffmpeg"]
    """An RTMP server, or a file."""
    url: Url = Field(min_length=1)
    """rtmp:// or rtmps:// URL with the stream key, or a file name. A file is never overwritten: a name that is taken
    gets a number (show-2.mkv). Dates are filled in: show-%Y-%m-%d_%H-%M-%S.mkv."""
    record: str | None = Field(None, min_length=1, max_length=1024)
    """File for a recording beside a stream, without a second encoding; named as `url` names files. The recording goes
    on while the server is away, and a full disk ends the recording alone."""
    format: str | None = Field(None, max_length=64)
    """FFmpeg output format; by default flv for rtmp, else guessed from the file name."""
    encoder: Literal["auto", Encoder] = "auto"
    """H.264 encoder; `auto` takes NVENC where NVENC works."""
    preset: str | None = Field(None, max_length=32)
    """Encoder preset; veryfast for libx264 and p4 for h264_nvenc by default."""
    bitrate: VideoBitrate = 4_500_000
    """Constant video bit rate, bits a second; 4500k and 6M are understood."""
    audio_bitrate: AudioBitrate = 160_000
    """AAC bit rate, bits a second."""
    keyframe_interval: float = Field(2.0, gt=0, le=20)
    """Seconds between key frames; Twitch asks for 2."""
    ca_file: ExistingFile | None = None
    """PEM file of certificate authorities for the check of an rtmps server; the system's authorities by default."""
    timeout: float = Field(5.0, gt=0, le=60)
    """Seconds to wait for the server; then the connection is made anew."""

    @model_validator(mode="after")
    def _records_beside_a_stream(self) -> Self:
        url = self.url.get_secret_value()
        if self.record is not None and ("://" not in url or url.startswith("file:")):
            raise ValueError("`record` is for a file beside a stream, and `url` is a file already; remove `record`")
        if self.record is not None and "://" in self.record:
            raise ValueError("`record` is a file; a second server is a second sink")
        return self


class PreviewSinkSettings(SinkSettings):
    """A web page with the restyled picture, the camera picture and the state of the run; without sound."""

    kind: Literal["preview"]
    """A page for browsers."""
    listen: Address = "127.0.0.1:8400"
    """`host:port` of the page; 127.0.0.1 is this machine only, port 0 takes a free port, and the log names the port."""
    key: SecretStr | None = None
    """Part of the page's address: http://HOST:PORT/KEY/. Needed when `listen` is not on this machine's loopback."""
    fps: float = Field(10.0, gt=0, le=60)
    """Pictures a second at most. Pictures are made while a viewer is there, once for all viewers."""
    width: int = Field(640, ge=64, le=3840)
    """Pixels at most; a smaller canvas is not enlarged."""
    clients: int = Field(16, ge=1, le=256)
    """Connections at once; an open page has two, and now and then a third."""

    @model_validator(mode="after")
    def _safe(self) -> Self:
        if self.key is None and not is_loopback(self.listen):
            raise ValueError(f"needs a `key`, because other machines can reach {self.listen}")
        if self.key is not None and not re.fullmatch(r"[A-Za-z0-9_-]{8,128}", self.key.get_secret_value()):
            raise ValueError(
                "needs a `key` of 8 to 128 letters, digits, - and _: the key is part of the page's address"
            )
        return self


class DiscardSinkSettings(SinkSettings):
    """Takes every picture and sends nothing: for measuring."""

    kind: Literal["discard"]
    """No output."""


AnySink = Annotated[
    VirtualcamSinkSettings | NdiSinkSettings | FfmpegSinkSettings | PreviewSinkSettings | DiscardSinkSettings,
    Field(discriminator="kind"),
]
