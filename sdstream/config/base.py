"""The base of every settings type: frozen, strict about unknown keys, documented field by field."""

import re
from ipaddress import ip_address
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, StringConstraints


class Settings(BaseModel):
    """Base of all settings: frozen, unknown keys are errors, docstrings become the documentation."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True, hide_input_in_errors=True, allow_inf_nan=False
    )


def _port(address: str) -> str:
    port = int(address.rpartition(":")[2])
    if port > 65535:
        raise ValueError(f"port {port} should be 65535 or less")
    return address


Address = Annotated[
    str,
    StringConstraints(pattern=r"^(\[[0-9a-fA-F:.]+\]|[^\s:/@\x00-\x1f]+):[0-9]{1,5}$", max_length=262),
    AfterValidator(_port),
]
"""`host:port`; an IPv6 host stands in brackets."""


def _readable(url: SecretStr) -> SecretStr:
    """Refuse a URL with a host or a port that cannot be read; the message quotes nothing, for a part may be a key."""
    text = url.get_secret_value()
    try:
        _ = urlsplit(text).port if "://" in text else None
    except ValueError:
        raise ValueError(
            "cannot be read as a URL; in a name or a password write %23 for #, %2F for /, %3F for ?, %40 for @, "
            "%5B for [ and %5D for ]"
        ) from None
    return url


Url = Annotated[SecretStr, AfterValidator(_readable)]
"""A URL, a file or a device; the text is never shown whole."""


def is_loopback(address: str) -> bool:
    """Tell whether `host:port` is on this machine's loopback, out of reach of all other machines."""
    host = address.rpartition(":")[0].strip("[]")
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _bits(value: Any) -> Any:  # the file may hold a value of any type
    match = re.fullmatch(_BITRATE, value) if isinstance(value, str) else None
    return int(float(match[1]) * {"": 1, "k": 1_000, "m": 1_000_000}[match[2].lower()]) if match else value


def _more_than_kilobits(least: int) -> AfterValidator:
    """Refuse a bit rate that is a number of kilobits by its size, as OBS shows."""

    def check(bits: int) -> int:
        if 8 <= bits < least:
            raise ValueError(f"{bits} would be bits a second; for {bits} kbit/s write {bits}k")
        return bits

    return AfterValidator(check)


_BITRATE = r"^([0-9]{1,12}(?:\.[0-9]{1,12})?)\s*([kKmM]?)(?:bps|bits?|bits?/s)?$"
_Suffixed = Annotated[str, StringConstraints(pattern=_BITRATE)]

_Bitrate = Annotated[int, BeforeValidator(_bits, json_schema_input_type=int | _Suffixed), Field(gt=0, le=200_000_000)]

VideoBitrate = Annotated[_Bitrate, _more_than_kilobits(100_000)]
"""Bits a second; 4500k and 6M are understood."""

AudioBitrate = Annotated[_Bitrate, _more_than_kilobits(1_000)]
"""Bits a second; 160k is understood."""
