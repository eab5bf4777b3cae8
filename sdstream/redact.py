"""Removes the secrets of a URL from the texts of FFmpeg or a server: an error may quote the URL."""

import re
from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit

STARS = "***"


def mask_url(url: str) -> str:
    """Return `url` fit for a log: no password, no query, and of an RTMP path the application only.

    A file name comes back unchanged.
    """
    parts = _split(url)
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
        text = re.sub(rf"(?<!\w){re.escape(secret)}(?!\w)", STARS, text)
    return text


def _split(url: str) -> SplitResult | None:
    """Return the parts of a URL; None for text without `://`, such as a file name or a device."""
    if "://" not in url:
        return None
    return urlsplit(url)


def _secrets(url: str) -> set[str]:
    """Return every part of `url` that could be a key: in full, piece by piece, and with escapes undone."""
    parts = _split(url)
    if parts is None:
        return set()
    found = {parts.query, parts.password or "", parts.username or ""}
    found.update(pair.partition("=")[2] for pair in parts.query.split("&"))
    if parts.scheme.startswith("rtmp"):
        keys = parts.path.split("/", 2)[2:]  # empty, or all behind the application as a single text
        found.update(keys, (f"{key}?{parts.query}" for key in keys))
        found.update(piece for key in keys for piece in key.split("/"))
    found |= {unquote(secret) for secret in found}
    return found - {""}
