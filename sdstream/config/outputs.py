"""Settings of the sinks that encode: FFmpeg's, and the short kinds that are written in full as FFmpeg's."""

import re
from collections.abc import Mapping
from typing import Annotated, Literal, Self
from urllib.parse import quote

from pydantic import AfterValidator, Field, SecretStr, model_validator

from sdstream.config.base import AudioBitrate, Settings, Url, VideoBitrate
from sdstream.config.mistakes.existing_file import ExistingFile

Codec = Literal["h264", "hevc", "av1"]
Encoder = Literal["h264_nvenc", "libx264", "hevc_nvenc", "libx265", "av1_nvenc", "libsvtav1"]
ENCODERS: Mapping[Codec, tuple[Encoder, ...]] = {
    "h264": ("h264_nvenc", "libx264"),
    "hevc": ("hevc_nvenc", "libx265"),
    "av1": ("av1_nvenc", "libsvtav1"),
}
"""The encoders of each codec, in the order in which `auto` tries them."""
_NO_AV1 = "MPEG-TS, MOV and AVI carry no AV1; write `codec: hevc` or `codec: h264`, or record to .mp4 or .mkv"
_NO_AV1_PLACES = r"(?i)^(srt|udp|tcp|rtp|unix):|\.(m?ts|m2ts|mov|avi)$|^(mpegts|mov|avi)$"

_FILE = r"file:|(?!\w[\w+.-]*://)"
"""The beginning of a text that names a file, and no server."""


def _key(value: SecretStr) -> SecretStr:
    """Refuse what is no stream key, without the key in the message."""
    text = value.get_secret_value()
    if "://" in text:
        raise ValueError("should be the stream key alone, without the server's URL")
    if re.search(r"\s", text) or text[:1] == "/":
        raise ValueError("should be a stream key, without spaces and without / in front")
    return value


StreamKey = Annotated[SecretStr, Field(min_length=1), AfterValidator(_key)]
"""A stream key as the service shows the key."""


class SinkSettings(Settings):
    """Settings of every sink."""

    optional: bool = False
    """Go on air without this sink when the device or runtime is missing; by default a missing sink ends the run with
    exit status 69."""


class EncodingSettings(SinkSettings):
    """Settings of every sink that encodes."""

    codec: Codec = "h264"
    """Codec of the picture. Every server and player takes `h264`. `hevc` and `av1` look better at the same bit rate; by
    RTMP they need a server with Enhanced RTMP (YouTube, MediaMTX, sdstream), and Twitch takes neither from a key alone.
    Without an NVIDIA card they need a fast CPU."""
    encoder: Literal["auto", Encoder] = "auto"
    """Encoder of `codec`; `auto` takes NVENC where NVENC works."""
    preset: str | None = Field(None, max_length=32)
    """Encoder preset; by default p4 for NVENC, veryfast for libx264, ultrafast for libx265 and 11 for libsvtav1."""
    bitrate: VideoBitrate = 4_500_000
    """Constant video bit rate, bits a second; 4500k and 6M are understood."""
    audio_bitrate: AudioBitrate = 160_000
    """AAC bit rate, bits a second."""
    keyframe_interval: float = Field(2.0, gt=0, le=20)
    """Seconds between key frames; Twitch asks for 2."""

    @model_validator(mode="after")
    def _encodes_the_codec(self) -> Self:
        if self.encoder != "auto" and self.encoder not in ENCODERS[self.codec]:
            made = next(codec for codec, encoders in ENCODERS.items() if self.encoder in encoders)
            raise ValueError(f"`encoder: {self.encoder}` makes {made}, and `codec` is {self.codec}; write one of both")
        given = (getattr(self, name, None) for name in ("url", "path", "record", "format"))  # as far as a kind has them
        texts = [text.get_secret_value() if isinstance(text, SecretStr) else text for text in given if text]
        if self.codec == "av1" and any(re.search(_NO_AV1_PLACES, text) for text in texts):
            raise ValueError(_NO_AV1)
        return self


class StreamSettings(EncodingSettings):
    """Settings of every sink that sends to a server."""

    record: str | None = Field(None, min_length=1, max_length=1024)
    """File for a recording beside a stream, without a second encoding; named as `file` sinks name files. The recording
    goes on while the server is away, and a full disk ends the recording alone."""
    ca_file: ExistingFile | None = None
    """PEM file of certificate authorities for the check of an rtmps server; the system's authorities by default."""
    timeout: float = Field(5.0, gt=0, le=60)
    """Seconds to wait for the server; then the connection is made anew."""

    @model_validator(mode="after")
    def _records_a_file(self) -> Self:
        if self.record is not None and not re.match(_FILE, self.record):
            raise ValueError("`record` is a file; a second server is a second sink")
        return self


class FfmpegSinkSettings(StreamSettings):
    """RTMP or RTMPS to a server, or a file: anything that FFmpeg writes."""

    kind: Literal["ffmpeg"]
    """A server or a file."""
    url: Url = Field(min_length=1)
    """rtmp:// or rtmps:// URL with the stream key, or a file name. A file is never overwritten: a name that is taken
    gets a number (show-2.mkv). Dates are filled in: show-%Y-%m-%d_%H-%M-%S.mkv."""
    format: str | None = Field(None, max_length=64)
    """FFmpeg output format; by default flv for rtmp, mpegts for srt, udp and tcp, else guessed from the file name."""

    @model_validator(mode="after")
    def _records_beside_a_stream(self) -> Self:
        if self.record is not None and re.match(_FILE, self.url.get_secret_value()):
            raise ValueError("`record` is for a file beside a stream, and `url` is a file already; remove `record`")
        return self

    def in_full(self) -> Self:
        """Return these settings: they are in full already."""
        return self


class _ShortSettings(StreamSettings):
    """A short kind: a place of its own, and else FFmpeg's settings."""

    def _ffmpeg(self, url: str) -> FfmpegSinkSettings:
        shared = {name: getattr(self, name) for name in StreamSettings.model_fields}  # each of our own fields
        return FfmpegSinkSettings(kind="ffmpeg", url=SecretStr(url), **shared)


class RtmpSinkSettings(_ShortSettings):
    """RTMP or RTMPS to a server, as OBS asks: server and key."""

    kind: Literal["rtmp"]
    """An RTMP server."""
    url: Url = Field(min_length=1)
    """rtmp:// or rtmps:// URL of the server, with the application: rtmp://HOST/live."""
    key: StreamKey | None = None
    """Stream key; may be the last part of `url` instead."""

    @model_validator(mode="after")
    def _is_rtmp(self) -> Self:
        if not re.match(r"rtmps?://[^/\s]+/\S", self.url.get_secret_value()):
            raise ValueError("`url` should read rtmp://HOST/APPLICATION or rtmps://HOST/APPLICATION")
        return self

    def in_full(self) -> FfmpegSinkSettings:
        """Return the settings of kind `ffmpeg`."""
        url = self.url.get_secret_value()
        return self._ffmpeg(f"{url.rstrip('/')}/{self.key.get_secret_value()}" if self.key else url)


class SrtSinkSettings(_ShortSettings):
    """SRT through the ffmpeg program of the system, as MPEG-TS."""

    kind: Literal["srt"]
    """An SRT receiver."""
    url: SecretStr = Field(min_length=1)
    """srt://HOST:PORT of the receiver; `?mode=listener` waits for a receiver, and further options follow after &."""
    passphrase: SecretStr | None = None
    """Encrypts the stream; 10 to 79 characters, the same as the receiver's."""
    latency: float = Field(0.12, ge=0.02, le=10)
    """Seconds for the network to repeat lost packets; four round trips are usual."""

    @model_validator(mode="after")
    def _is_srt(self) -> Self:
        if not re.match(r"srt://[^/\s?]+:\d{1,5}(\?|$)", self.url.get_secret_value()):
            raise ValueError("`url` should read srt://HOST:PORT")
        if self.passphrase and not re.fullmatch(r"[^\r\n]{10,79}", self.passphrase.get_secret_value()):
            raise ValueError("`passphrase` should have 10 to 79 characters")
        return self

    def in_full(self) -> FfmpegSinkSettings:
        """Return the settings of kind `ffmpeg`."""
        options = f"latency={round(self.latency * 1e6)}"
        if self.passphrase:
            options += f"&passphrase={quote(self.passphrase.get_secret_value(), safe='')}"
        url = self.url.get_secret_value()
        return self._ffmpeg(f"{url}{'&' if '?' in url else '?'}{options}")


class TwitchSinkSettings(_ShortSettings):
    """Twitch, by the stream key alone."""

    kind: Literal["twitch"]
    """Twitch."""
    key: StreamKey
    """Stream key, from Twitch's dashboard under Settings, Stream."""

    def in_full(self) -> FfmpegSinkSettings:
        """Return the settings of kind `ffmpeg`."""
        return self._ffmpeg(f"rtmp://live.twitch.tv/app/{self.key.get_secret_value()}")


class YoutubeSinkSettings(_ShortSettings):
    """YouTube Live, by the stream key alone."""

    kind: Literal["youtube"]
    """YouTube Live."""
    key: StreamKey
    """Stream key, from YouTube Studio under Go live, Stream."""

    def in_full(self) -> FfmpegSinkSettings:
        """Return the settings of kind `ffmpeg`."""
        return self._ffmpeg(f"rtmp://a.rtmp.youtube.com/live2/{self.key.get_secret_value()}")


class FileSinkSettings(EncodingSettings):
    """A recording, readable up to the last second after a power cut."""

    kind: Literal["file"]
    """A recording."""
    path: str = Field(min_length=1, max_length=1024)
    """Name of the file; never overwritten: a name that is taken gets a number (show-2.mp4). Dates are filled in:
    show-%Y-%m-%d_%H-%M-%S.mp4."""

    @model_validator(mode="after")
    def _is_a_file(self) -> Self:
        if not re.match(_FILE, self.path):
            raise ValueError("`path` should be a file; for a server write kind: rtmp or kind: ffmpeg")
        return self

    def in_full(self) -> FfmpegSinkSettings:
        """Return the settings of kind `ffmpeg`."""
        shared = {name: getattr(self, name) for name in EncodingSettings.model_fields}  # each of our own fields
        return FfmpegSinkSettings(kind="ffmpeg", url=SecretStr(self.path), **shared)


EncodingSink = (
    FfmpegSinkSettings
    | RtmpSinkSettings
    | SrtSinkSettings
    | TwitchSinkSettings
    | YoutubeSinkSettings
    | FileSinkSettings
)
"""The settings of every kind that encodes; `in_full` returns those of kind `ffmpeg`."""
