"""Takes the secrets of a URL out of texts that FFmpeg or a server wrote: an error may quote what it was given."""

import re
from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit

STARS = "***"


def mask_url(url: str) -> str:
    """Return `url` fit for a log: no password, no query, and of an RTMP path the application only.

    A file name comes back as it is.
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
    """Return `text` with `url` masked, and each of its secrets replaced by stars wherever it stands as a word."""
    text = text.replace(url, mask_url(url))
    for secret in sorted(_secrets(url), key=len, reverse=True):
        text = re.sub(rf"(?<!\w){re.escape(secret)}(?!\w)", STARS, text)
    return text


def _split(url: str) -> SplitResult | None:
    """Return the parts of a real URL; None for a file name, a device, or something that cannot be parsed."""
    if "://" not in url:
        return None
    return urlsplit(url)


def _secrets(url: str) -> set[str]:
    """Return everything in `url` that could be a key: whole, piece by piece, and with its escapes undone."""
    parts = _split(url)
    if parts is None:
        return set()
    found = {parts.query, parts.password or "", parts.username or ""}
    found.update(pair.partition("=")[2] for pair in parts.query.split("&"))
    if parts.scheme.startswith("rtmp"):
        key = parts.path.split("/", 2)[2:]
        found.update(key, (f"{piece}?{parts.query}" for piece in key))
        found.update(piece for whole in key for piece in whole.split("/"))
    found |= {unquote(secret) for secret in found}
    return found - {""}
