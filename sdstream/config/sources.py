"""Settings of each kind of source."""

import re
from typing import Annotated, Literal, Self
from urllib.parse import parse_qsl

from pydantic import Field, SecretStr, StringConstraints, model_validator

from sdstream.config.base import Address, Settings, Url, is_loopback
from sdstream.config.mistakes.existing_file import ExistingFile


class SourceSettings(Settings):
    """Settings of every source."""

    stall: float = Field(2.0, gt=0, le=60)
    """Seconds without a picture until the source counts as stalled, and the sinks go on down the fallback ladder."""
    audio: bool = True
    """Take the source's sound along, with the same delay as the picture."""


class PictureSettings(SourceSettings):
    """How pictures of a camera, a publisher or a file are read: colour, brightness, transparency, fields."""

    deinterlace: Literal["auto", "on", "off"] = "auto"
    """Interlaced pictures (1080i, 576i) become whole pictures, without combs at moving edges: `auto` for pictures that
    say so, `on` for all, because some senders do not say so, `off` never. The picture comes one picture later, and
    progressive pictures cost nothing. A canvas of 50 or 60 fps gets a picture for each field."""
    matrix: Literal["auto", "as_tagged", "bt601", "bt709", "bt2020"] = "auto"
    """Colour matrix of the incoming picture. `auto` obeys the sender's tag; without a tag, or with a rare tag that the
    other tags contradict, `auto` takes BT.709 from 720 lines on and BT.601 below. `as_tagged` obeys rare tags always
    (YCgCo, ICtCp, SMPTE 2085, constant luminance). Name the matrix if greens and reds look wrong."""
    hdr: Literal["tone_map", "as_is"] = "tone_map"
    """HDR pictures (PQ, HLG) are brought to the brightness and colours of the canvas; `as_is` shows the values
    unchanged, which looks grey and flat."""
    hdr_white: float = Field(203.0, ge=50, le=2000)
    """Brightness in nits of the white of an HDR picture; higher is darker. Brighter highlights are rolled off."""
    alpha: Literal["straight", "premultiplied", "ignore"] = "straight"
    """Transparent pictures are laid over `background`. `premultiplied` is for senders whose colours are already
    darkened by the transparency; `ignore` shows the colours below the transparency."""
    background: Annotated[str, StringConstraints(pattern=r"^#[0-9a-fA-F]{6}$")] = "#000000"
    """Colour behind a transparent picture, e.g. "#00ff00" for a key in OBS."""


Buffer = Literal["auto"] | Annotated[float, Field(ge=0, le=30)]
"""Delay of live pictures: `auto`, or seconds."""


class BufferedSourceSettings(PictureSettings):
    """Settings of every source read by FFmpeg."""

    buffer: Buffer = "auto"
    """Seconds by which live pictures are delayed, so that pictures out of a burst are shown one by one, and not only
    the newest. `auto` delays nothing while pictures come evenly, learns the length of the bursts, and goes up to 1
    second, or 12 seconds for HLS and DASH. A number is a constant delay; 0 always shows the newest picture."""


class RtmpSourceSettings(BufferedSourceSettings):
    """RTMP: either wait for a publisher such as OBS (`listen`), or fetch from a server (`url`)."""

    kind: Literal["rtmp"]
    """An RTMP publisher or server."""
    listen: Address | None = None
    """`host:port` on which to wait for a single publisher, such as OBS; `127.0.0.1:1935` is this machine only."""
    app: str = Field("live", min_length=1, max_length=128)
    """Application name that the publisher must use: rtmp://HOST:PORT/APP."""
    key: SecretStr | None = None
    """Stream key that the publisher must use. Needed when `listen` is not on this machine's loopback."""
    user: str | None = Field(None, min_length=1, max_length=128)
    """User name that the publisher must give, with `password`; in OBS under "Use authentication". For `listen`."""
    password: SecretStr | None = Field(None, min_length=1, max_length=512)
    """Password that the publisher must know, besides the key. Only the answer to a challenge is sent (Adobe's method),
    so use RTMPS where others can listen in."""
    tls_certificate: ExistingFile | None = None
    """PEM file with the certificate for publishers by RTMPS: `listen` then takes rtmps:// only. docs/rtmp.md has the
    command that makes a certificate."""
    tls_key: ExistingFile | None = None
    """PEM file with the certificate's private key, without a passphrase; by default the key is in `tls_certificate`."""
    second_publisher: Literal["refuse", "takeover"] = "refuse"
    """Whether a second publisher with the right key is refused, or takes over. A publisher that has sent nothing for
    `stall` seconds always gives way, after a second already if the second publisher has the same address; a second
    publisher that comes earlier waits for that long, unless the first publisher sends something."""
    video_track: int = Field(0, ge=0, le=255)
    """Video track of a publisher with several tracks (Enhanced RTMP); 0 is the default track. For `listen`."""
    audio_track: int = Field(0, ge=0, le=255)
    """Audio track of a publisher with several tracks (Enhanced RTMP); OBS's VOD track is 1. For `listen`."""
    handshake_timeout: float = Field(5.0, gt=0, le=60)
    """Seconds for a peer from connecting to publishing."""
    max_pending: int = Field(128, ge=1, le=1024)
    """Peers in the handshake at once. When one more comes, the address with the most peers gives up the peer that has
    got least far."""
    url: Url | None = None
    """rtmp:// or rtmps:// URL to fetch from a server; the URL may hold a key."""
    ca_file: ExistingFile | None = None
    """PEM file of certificate authorities for the check of an rtmps server; the system's authorities by default."""
    read_timeout: float | None = Field(None, gt=0, le=600)
    """Seconds of silence until the connection is given up and made anew; by default 10 for `url`, and 60 for `listen`,
    because a muted phone with a still screen sends nothing."""

    @property
    def silence(self) -> float:
        """The seconds of `read_timeout`, or of the default."""
        return self.read_timeout or (60.0 if self.listen else 10.0)

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.listen is None) == (self.url is None):
            raise ValueError("needs either `listen` (wait for a publisher) or `url` (fetch from a server)")
        if self.listen and not self.key and not is_loopback(self.listen):
            raise ValueError(f"needs a `key`, because other machines can reach {self.listen}")
        return self

    @model_validator(mode="after")
    def _of_the_door(self) -> Self:
        given = [name for name in ("user", "password", "tls_certificate", "tls_key") if getattr(self, name) is not None]
        if given and not self.listen:
            raise ValueError(f"`{given[0]}` is for publishers, and needs `listen`")
        if (self.user is None) != (self.password is None):
            raise ValueError("needs both `user` and `password`, or neither")
        if self.tls_key and not self.tls_certificate:
            raise ValueError("needs `tls_certificate` for `tls_key`")
        return self


class SrtSourceSettings(BufferedSourceSettings):
    """SRT through the ffmpeg program of the system: either wait for a sender (`listen`), or call a sender (`url`)."""

    kind: Literal["srt"]
    """An SRT sender."""
    listen: Address | None = None
    """`host:port` (UDP) on which to wait for a single sender; 0.0.0.0:9000 waits for other machines, and needs a
    `passphrase`."""
    url: Url | None = None
    """srt://HOST:PORT of a sender or a server that listens. Options such as streamid may follow after ? and &."""
    passphrase: SecretStr | None = None
    """Opens an encrypted stream; 10 to 79 characters, the same as the sender's. A sender with another passphrase, or
    with none, is refused."""
    streamid: SecretStr | None = Field(None, min_length=1, max_length=512)
    """Name of the stream at the server that `url` calls, often with a key in it."""
    latency: float = Field(0.12, ge=0.02, le=10)
    """Seconds for the network to repeat lost packets; four round trips are usual. The larger of both ends counts."""
    read_timeout: float = Field(10.0, gt=0, le=600)
    """Seconds of silence until the connection is given up and made anew."""

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.listen is None) == (self.url is None):
            raise ValueError("needs either `listen` (wait for a sender) or `url` (call a sender)")
        if self.listen and self.streamid:
            raise ValueError("`streamid` is for a server that is called, and needs `url`")
        if self.listen and not self.passphrase and not is_loopback(self.listen):
            raise ValueError(f"needs a `passphrase`, because other machines can reach {self.listen}")
        return self

    @model_validator(mode="after")
    def _calls_a_sender(self) -> Self:
        if self.url and not re.match(r"srt://[^/\s?@]+:\d{1,5}(\?|$)", self.url.get_secret_value()):
            raise ValueError("`url` should read srt://HOST:PORT")
        given = self._in_url
        if given.get("mode", "caller") != "caller":
            raise ValueError("`url` calls a sender; to wait for a sender write `listen: HOST:PORT` in place of `url`")
        if "latency" in given:
            raise ValueError("write `latency: 0.12`, in seconds, and not in `url`: programs differ in the unit there")
        if not given.keys() <= {"mode", "passphrase", "streamid", "pbkeylen"}:
            raise ValueError("`url` takes the options passphrase, streamid and pbkeylen; remove the rest")
        if any(name in given and getattr(self, name) for name in ("passphrase", "streamid")):
            raise ValueError("passphrase and streamid should stand in `url` or beside `url`, and not twice")
        if not 10 <= len(self.options.get("passphrase", "0123456789")) <= 79:
            raise ValueError("a passphrase should have 10 to 79 characters")
        if any(re.search(r"[\x00-\x1f]", value) for value in self.options.values()):
            raise ValueError("a passphrase or a streamid should have no line breaks")
        return self

    @property
    def place(self) -> str:
        """The address alone, srt://HOST:PORT, without a secret."""
        return f"srt://{self.listen}" if self.url is None else self.url.get_secret_value().partition("?")[0]

    @property
    def options(self) -> dict[str, str]:
        """FFmpeg's options for the connection; some are secrets."""
        beside = {"passphrase": self.passphrase, "streamid": self.streamid}
        return {
            **self._in_url,
            **{name: value.get_secret_value() for name, value in beside.items() if value},
            "latency": str(round(self.latency * 1e6)),
            "mode": "listener" if self.listen else "caller",
        }

    @property
    def _in_url(self) -> dict[str, str]:
        query = self.url.get_secret_value().partition("?")[2] if self.url else ""
        return dict(parse_qsl(query, keep_blank_values=True))


class NdiSourceSettings(PictureSettings):
    """NDI: either by `name` through discovery, or by `url` without discovery."""

    kind: Literal["ndi"]
    """An NDI sender on the network."""
    name: str | None = Field(None, max_length=256)
    """Source name from `sdstream sources`, e.g. "STUDIO (Camera 1)", or just "Camera 1" on any machine. A name stays
    with the machine where it was found first; another machine's source of the same short name is taken only when the
    first has been away for ten seconds, and the log says so. A name with a machine never moves."""
    url: Address | None = None
    """`host:port` of the sender, e.g. 127.0.0.1:5961; needs no discovery."""
    extra_ips: tuple[str, ...] = ()
    """Addresses to ask for sources, besides the addresses found by discovery."""
    groups: tuple[str, ...] = ()
    """NDI groups in which to look for the name; the public group by default."""
    discovery_server: str | None = Field(None, max_length=256)
    """Address of an NDI discovery server, e.g. 10.0.0.5 or several with commas. By default the one of the NDI Access
    Manager on this machine, if any (`~/.ndi`, or the folder in NDI_CONFIG_DIR)."""
    bandwidth: Literal["highest", "lowest"] = "highest"
    """`lowest` takes the sender's small preview picture, and the log warns of that."""

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.name is None) == (self.url is None):
            raise ValueError("needs either `name` (from `sdstream sources`) or `url` (host:port)")
        return self


class FfmpegSourceSettings(BufferedSourceSettings):
    """All that FFmpeg reads: a file, a camera, an HTTP, UDP or RTSP URL."""

    kind: Literal["ffmpeg"]
    """A file, camera or URL, read by FFmpeg."""
    url: Url = Field(min_length=1)
    """File name or URL; a URL may hold a password."""
    format: str | None = Field(None, max_length=64)
    """FFmpeg input format, e.g. v4l2, mpegts; guessed by default."""
    options: dict[str, SecretStr] = Field({}, max_length=64)
    """Further FFmpeg options for the input, e.g. {video_size: 1280x720}; an option may hold a password."""
    loop: bool = False
    """Start a file again at its end."""
    realtime: bool = True
    """Play a file at normal speed; live inputs have a clock already, and are never slowed."""
    read_timeout: float = Field(10.0, gt=0, le=600)
    """Seconds of silence until the input is given up and opened anew."""


class TestsrcSourceSettings(SourceSettings):
    """A moving test picture with a machine-readable frame counter, and a beep each second."""

    __test__ = False  # pytest collects classes named Test…
    kind: Literal["testsrc"]
    """A generated test picture."""
    width: int | None = Field(None, ge=16, le=8192)
    """Pixels; the canvas's width by default."""
    height: int | None = Field(None, ge=16, le=8192)
    """Pixels; the canvas's height by default."""
    fps: float | None = Field(None, gt=0, le=240)
    """Pictures a second; the canvas's rate by default."""


AnySource = Annotated[
    RtmpSourceSettings | SrtSourceSettings | NdiSourceSettings | FfmpegSourceSettings | TestsrcSourceSettings,
    Field(discriminator="kind"),
]
