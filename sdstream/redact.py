"""Removes secrets from texts: of a URL from the texts of FFmpeg or a server, and of the whole run from its logs."""

import re
from collections.abc import Iterable
from urllib.parse import SplitResult, quote, unquote, urlsplit, urlunsplit

STARS = "***"
_SHORTEST = 4
"""Characters of the shortest secret that is hidden; a shorter secret would hide parts of many words."""
_LONG = 8
"""Characters of a secret that is hidden inside a word too. `live` as a key must not hide a part of `delivered`."""
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_hidden: set[str] = set()


def hide(*secrets: str) -> None:
    """Make `shown` hide `secrets` in this process from now on; secrets under 4 characters are left alone."""
    _hidden.update(secret for secret in secrets if len(secret) >= _SHORTEST)


def hide_url(url: str) -> None:
    """Make `shown` hide the secrets of `url`, but not the user's name and short options.

    A URL that cannot be parsed is hidden whole.
    """
    try:
        parts = _split(url)
    except ValueError:
        hide(url)
        return
    if parts is None:
        return
    values = {value for value in (unquote(each) for each in _query_values(parts)) if len(value) >= _LONG}
    hide(*values, parts.query, parts.password or "", unquote(parts.password or ""), *_rtmp_keys(parts))


def hidden() -> tuple[str, ...]:
    """Return the secrets of this process, for `hide` in a child process."""
    return tuple(_hidden)


def shown(text: str) -> str:
    """Return `text` fit for a log and a terminal: stars for hidden secrets, and escapes as plain characters."""
    for secret in sorted(_hidden, key=len, reverse=True):
        for form in {secret, quote(secret, safe="")}:
            text = text.replace(form, STARS) if len(form) >= _LONG else _without_word(text, form)
    return _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", text)


def shown_value(value: object) -> object:
    """Return `value` as `shown` does for text; a value without a secret comes back unchanged."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        return shown(value)
    if isinstance(value, dict):
        return {shown_value(key): shown_value(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [shown_value(inner) for inner in value]
    if isinstance(value, tuple):
        return tuple(shown_value(inner) for inner in value)
    text = repr(value)
    safe = shown(text)
    return value if safe == text else safe


def mask_url(url: str) -> str:
    """Return `url` fit for a log: no password, no query, and of an RTMP path the application only.

    A file name comes back unchanged, and a URL that cannot be parsed is stars.
    """
    try:
        parts = _split(url)
    except ValueError:
        return STARS
    if parts is None:
        return url
    host = parts.netloc.rpartition("@")[2]
    netloc = f"{STARS}@{host}" if "@" in parts.netloc else host
    path = parts.path
    if parts.scheme.startswith("rtmp") and path.count("/") > 1:
        path = f"/{path.split('/')[1]}/{STARS}"
    return urlunsplit((parts.scheme, netloc, path, STARS if parts.query else "", ""))


def redact(text: str, url: str) -> str:
    """Return `text` with `url` masked, and with stars for each secret of `url` wherever the secret is a whole word."""
    text = text.replace(url, mask_url(url))
    for secret in sorted(_secrets(url), key=len, reverse=True):
        text = _without_word(text, secret)
    return text


def _without_word(text: str, secret: str) -> str:
    return re.sub(rf"(?<!\w){re.escape(secret)}(?!\w)", STARS, text)


def _split(url: str) -> SplitResult | None:
    """Return the parts of a URL; None for text without `://`, such as a file name or a device.

    Raises ValueError for a URL that cannot be parsed.
    """
    if "://" not in url:
        return None
    return urlsplit(url)


def _secrets(url: str) -> set[str]:
    """Return every part of `url` that could be a key: in full, piece by piece, and with escapes undone."""
    try:
        parts = _split(url)
    except ValueError:
        return {url}
    if parts is None:
        return set()
    found = {parts.query, parts.password or "", parts.username or ""}
    found.update(_query_values(parts), _rtmp_keys(parts))
    found |= {unquote(secret) for secret in found}
    return found - {""}


def _query_values(parts: SplitResult) -> Iterable[str]:
    return (pair.partition("=")[2] for pair in parts.query.split("&"))


def _rtmp_keys(parts: SplitResult) -> set[str]:
    """Return what follows the application in the path of an RTMP URL, in full and piece by piece."""
    if not parts.scheme.startswith("rtmp"):
        return set()
    keys = parts.path.split("/", 2)[2:]  # empty, or all behind the application as a single text
    return {*keys, *(f"{key}?{parts.query}" for key in keys), *(piece for key in keys for piece in key.split("/"))}
