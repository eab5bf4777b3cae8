"""Settings of the four kinds of sink."""

from typing import Annotated, Literal

from pydantic import Field, FilePath, SecretStr

from sdstream.config.base import Bitrate, Settings


class SinkSettings(Settings):
    """What all sinks share."""

    optional: bool = False
    """Go on air without this sink when its device or runtime is missing; by default that ends the run (69)."""


class VirtualcamSinkSettings(SinkSettings):
    """A virtual camera: v4l2loopback on Linux, the OBS camera on Windows and macOS."""

    kind: Literal["virtualcam"]
    """A virtual camera that OBS and browsers see."""
    device: str | None = Field(None, max_length=256)
    """Card label or path, e.g. "sdstream" or /dev/video10; the first free virtual camera by default."""


class NdiSinkSettings(SinkSettings):
    """An NDI sender."""

    kind: Literal["ndi"]
    """An NDI source for the network."""
    name: str = Field("sdstream", min_length=1, max_length=128)
    """Name that receivers see behind this machine's name."""


class FfmpegSinkSettings(SinkSettings):
    """RTMP or RTMPS to a server such as Twitch, or a file."""

    kind: Literal["ffmpeg"]
    """An RTMP server, or a file."""
    url: SecretStr
    """rtmp:// or rtmps:// URL with its stream key, or a file name; a file is never overwritten."""
    format: str | None = Field(None, max_length=64)
    """FFmpeg output format; flv for rtmp, else guessed from the file's name."""
    encoder: Literal["auto", "libx264", "h264_nvenc"] = "auto"
    """H.264 encoder; `auto` takes NVENC where it works."""
    preset: str | None = Field(None, max_length=32)
    """Encoder preset; veryfast for libx264 and p4 for h264_nvenc by default."""
    bitrate: Bitrate = 4_500_000
    """Constant video bit rate, bits a second; 4500k and 6M are understood."""
    audio_bitrate: Bitrate = 160_000
    """AAC bit rate, bits a second."""
    keyframe_interval: float = Field(2.0, gt=0, le=20)
    """Seconds between key frames; Twitch asks for 2."""
    ca_file: FilePath | None = None
    """PEM file of the authorities that an rtmps server is checked with; the system's own by default."""
    timeout: float = Field(5.0, gt=0, le=60)
    """Seconds that the server may leave us waiting before we connect anew."""


class DiscardSinkSettings(SinkSettings):
    """Takes every picture and shows it to nobody: for measuring."""

    kind: Literal["discard"]
    """Nobody."""


AnySink = Annotated[
    VirtualcamSinkSettings | NdiSinkSettings | FfmpegSinkSettings | DiscardSinkSettings,
    Field(discriminator="kind"),
]
