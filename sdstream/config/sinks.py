"""Settings of each kind of sink."""

import re
from typing import Annotated, Literal, Self

from pydantic import Field, SecretStr, model_validator

from sdstream.config.base import Address, VideoBitrate, is_loopback
from sdstream.config.outputs import (
    EncodingSettings,
    FfmpegSinkSettings,
    FileSinkSettings,
    RtmpSinkSettings,
    SinkSettings,
    SrtSinkSettings,
    TwitchSinkSettings,
    YoutubeSinkSettings,
)


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


def _require_safe_key(listen: str, key: SecretStr | None) -> None:
    """Raise ValueError where other machines reach a page without a key, or with a key to guess."""
    if key is None and not is_loopback(listen):
        raise ValueError(f"needs a `key`, because other machines can reach {listen}")
    if key is not None and not re.fullmatch(r"[A-Za-z0-9_-]{8,128}", key.get_secret_value()):
        raise ValueError("needs a `key` of 8 to 128 letters, digits, - and _: the key is part of the page's address")


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
        _require_safe_key(self.listen, self.key)
        return self


class ServeSinkSettings(EncodingSettings):
    """A stream with sound for OBS and players, fetched from here: http://127.0.0.1:8401/show.ts."""

    kind: Literal["serve"]
    """A stream for OBS and players."""
    listen: Address = "127.0.0.1:8401"
    """`host:port` of the stream; 127.0.0.1 is this machine only, port 0 takes a free port, named in the log."""
    key: SecretStr | None = None
    """Part of the address: http://HOST:PORT/KEY/show.ts. Needed when `listen` is not on this machine's loopback."""
    viewers: int = Field(8, ge=1, le=64)
    """Viewers at once. A viewer that stalls is left behind, and the rest do not notice."""
    keyframe_interval: float = Field(0.5, gt=0, le=20)
    """Seconds between key frames: a new viewer waits for a key frame."""
    bitrate: VideoBitrate = 8_000_000
    """Constant video bit rate, bits a second; 8M is much for a network, and nothing for a loopback."""

    @model_validator(mode="after")
    def _safe(self) -> Self:
        if self.codec == "av1":
            raise ValueError("MPEG-TS carries no AV1; write `codec: hevc` or `codec: h264`")
        _require_safe_key(self.listen, self.key)
        return self


class DiscardSinkSettings(SinkSettings):
    """Takes every picture and sends nothing: for measuring."""

    kind: Literal["discard"]
    """No output."""


AnySink = Annotated[
    VirtualcamSinkSettings
    | NdiSinkSettings
    | FfmpegSinkSettings
    | RtmpSinkSettings
    | SrtSinkSettings
    | TwitchSinkSettings
    | YoutubeSinkSettings
    | FileSinkSettings
    | ServeSinkSettings
    | PreviewSinkSettings
    | DiscardSinkSettings,
    Field(discriminator="kind"),
]
