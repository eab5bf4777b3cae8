"""Settings of each kind of source."""

from typing import Annotated, Literal, Self

from pydantic import Field, FilePath, SecretStr, model_validator

from sdstream.config.base import Address, Settings, is_loopback


class SourceSettings(Settings):
    """What all sources share."""

    stall: float = Field(2.0, gt=0, le=60)
    """Seconds without a picture after which the source counts as stalled: the sinks go on down their ladder."""
    audio: bool = True
    """Take the source's sound along; it leaves with the picture, delayed as much as the picture is."""


class RtmpSourceSettings(SourceSettings):
    """RTMP: wait for a publisher such as OBS (`listen`), or fetch from a server (`url`). Give one of them."""

    kind: Literal["rtmp"]
    """An RTMP publisher or server."""
    listen: Address | None = None
    """`host:port` on which to wait for one publisher, such as OBS; `127.0.0.1:1935` is this machine only."""
    app: str = Field("live", min_length=1, max_length=128)
    """Application name that the publisher must use: rtmp://HOST:PORT/APP."""
    key: SecretStr | None = None
    """Stream key that the publisher must use. Needed when `listen` is not on this machine's loopback."""
    second_publisher: Literal["refuse", "takeover"] = "refuse"
    """When a second publisher with the right key comes: refuse it, or let it take over."""
    handshake_timeout: float = Field(5.0, gt=0, le=60)
    """Seconds that a peer has from connecting to publishing."""
    max_pending: int = Field(16, ge=1, le=1024)
    """Peers that may be in their handshake at once; the oldest makes room for a newer one."""
    url: SecretStr | None = None
    """rtmp:// or rtmps:// URL to fetch from a server; it may hold a key."""
    ca_file: FilePath | None = None
    """PEM file of the authorities that an rtmps server is checked with; the system's own by default."""
    read_timeout: float = Field(10.0, gt=0, le=600)
    """Seconds of silence after which the connection is given up and made anew."""

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.listen is None) == (self.url is None):
            raise ValueError("needs `listen` (wait for a publisher) or `url` (fetch from a server), one of them")
        if self.listen and not self.key and not is_loopback(self.listen):
            raise ValueError(f"needs a `key`, for others than this machine can reach {self.listen}")
        return self


class NdiSourceSettings(SourceSettings):
    """NDI, by name through discovery, or by URL without any. Give one of them."""

    kind: Literal["ndi"]
    """An NDI sender on the network."""
    name: str | None = Field(None, max_length=256)
    """Source name as `sdstream sources` prints it, e.g. "STUDIO (Camera 1)", or just "Camera 1" on any machine."""
    url: Address | None = None
    """`host:port` of the sender, e.g. 127.0.0.1:5961; needs no discovery."""
    extra_ips: tuple[str, ...] = ()
    """Addresses to ask for sources besides those that discovery finds."""
    bandwidth: Literal["highest", "lowest"] = "highest"
    """`lowest` takes the sender's small preview picture."""

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.name is None) == (self.url is None):
            raise ValueError("needs `name` (as `sdstream sources` prints it) or `url` (host:port), one of them")
        return self


class FfmpegSourceSettings(SourceSettings):
    """Whatever FFmpeg reads: a file, a camera, an HTTP, UDP or RTSP URL."""

    kind: Literal["ffmpeg"]
    """A file, camera or URL that FFmpeg can read."""
    url: SecretStr
    """File name or URL; it may hold a password."""
    format: str | None = Field(None, max_length=64)
    """FFmpeg input format, e.g. v4l2, mpegts; guessed by default."""
    options: dict[str, str] = Field({}, max_length=64)
    """Further FFmpeg options for the input, e.g. {video_size: 1280x720}."""
    loop: bool = False
    """Start a file again at its end."""
    realtime: bool = True
    """Play a file at its own speed; live inputs have their own clock and are never slowed."""
    read_timeout: float = Field(10.0, gt=0, le=600)
    """Seconds of silence after which the input is given up and opened anew."""


class TestsrcSourceSettings(SourceSettings):
    """A moving test picture with a frame counter that a machine can read, and a beep each second."""

    __test__ = False  # its name would make pytest collect it
    kind: Literal["testsrc"]
    """A test picture made here."""
    width: int | None = Field(None, ge=16, le=8192)
    """Pixels; the canvas's width by default."""
    height: int | None = Field(None, ge=16, le=8192)
    """Pixels; the canvas's height by default."""
    fps: float | None = Field(None, gt=0, le=240)
    """Pictures a second; the canvas's rate by default."""


AnySource = Annotated[
    RtmpSourceSettings | NdiSourceSettings | FfmpegSourceSettings | TestsrcSourceSettings,
    Field(discriminator="kind"),
]
