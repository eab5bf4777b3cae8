"""Removes secrets from texts: of a URL from the texts of FFmpeg or a server, and of the whole run from its logs."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from urllib.parse import quote, quote_plus, unquote

STARS = "***"
_SHORTEST = 4
"""Characters of the shortest secret that is hidden; a shorter secret would hide parts of many words."""
_LONG = 8
"""Characters of a secret that is hidden inside a word too. `live` as a key must not hide a part of `delivered`."""
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")
"""Characters that move a cursor, turn the direction of a line, or are not to be seen."""
_NETWORK = re.compile(
    r"rtmp\w*|https?|httpproxy|rtsps?|rtp|srtp?|udp|udplite|tcp|tls|ftps?|sftp|icecast|mms\w*|gopher|whip|whep|smb",
    re.IGNORECASE,
)
"""FFmpeg's protocols that take an address without slashes too (`rtmp:host/app/key`)."""
_HOST = re.compile(r"(\[[0-9a-fA-F:.]+\]|[\w.-]+)(:\d{1,5})?")
_hidden: set[str] = set()


@dataclass(frozen=True, slots=True)
class _Url:
    """The parts of a URL as far as they can be told apart; FFmpeg itself reads more than the standard allows."""

    before: str
    """Protocols around the protocol of the address, such as `async:`."""
    scheme: str
    slashes: str
    user: str | None
    """What stands before the `@`; None without `@`."""
    host: str | None
    """Host and port; None where host and secret cannot be told apart."""
    path: str
    query: str


def hide(*secrets: str) -> None:
    """Make `shown` hide `secrets` in this process from now on; secrets under 4 characters are left alone."""
    _hidden.update(secret for secret in secrets if len(secret) >= _SHORTEST)


def hide_url(url: str) -> None:
    """Make `shown` hide the secrets of `url`, but not the user's name and short options.

    A URL that cannot be parsed is hidden whole.
    """
    parts = _parts(url)
    if parts is None and "://" not in url:
        return
    hide(url)
    if parts is None:
        hide(*(piece for piece in _pieces(url) if len(piece) >= _LONG))
        return
    if parts.host is None:
        hide(*(piece for piece in _pieces(url) if len(piece) >= _LONG))
        return
    password = (parts.user or "").partition(":")[2]
    pieces = {value for value in (*_query_values(parts), *_pieces(_behind_app(parts))) if len(value) >= _LONG}
    hide(*_both(parts.query, password, *pieces, *_keys(parts)))


def hidden() -> tuple[str, ...]:
    """Return the secrets of this process, for `hide` in a child process."""
    return tuple(_hidden)


def shown(text: str) -> str:
    """Return `text` fit for a log and a terminal: stars for hidden secrets, and escapes as plain characters."""
    return escaped(without_secrets(text))


def without_secrets(text: str) -> str:
    """Return `text` with stars for hidden secrets."""
    for secret in sorted(_hidden, key=len, reverse=True):
        for form in _forms(secret):
            text = text.replace(form, STARS) if len(form) >= _LONG else _without_word(text, form)
    return text


def escaped(text: str) -> str:
    """Return `text` with the escapes of terminals, and characters that are not to be seen, as plain characters."""
    return _CONTROL.sub(_escape, text)


def one_line(text: str) -> str:
    """Return a name of a stranger's fit for a log: `escaped`, and on a single line."""
    return escaped(text).replace("\n", "\\n").replace("\t", "\\t")


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
    """Return `url` fit for a log: scheme and host, and of an RTMP path with a key the application.

    A file name comes back unchanged. Of a URL with a host that cannot be told from a password, the scheme is left.
    """
    parts = _parts(url)
    if parts is None:
        return STARS if "://" in url else url
    start = f"{parts.before}{parts.scheme}:{parts.slashes}"
    if parts.scheme.lower() == "file" and not parts.before:
        return url
    if parts.host is None:
        return start + STARS
    path = f"/{STARS}" if parts.path.strip("/") else parts.path
    app, _, key = parts.path.removeprefix("/").partition("/")
    if _is_rtmp(parts) and app and key.strip("/"):
        path = f"/{app}/{STARS}"
    user = f"{STARS}@" if parts.user is not None else ""
    return f"{start}{user}{parts.host}{path}{f'?{STARS}' if parts.query else ''}"


def redact(text: str, url: str) -> str:
    """Return `text` with `url` masked, and with stars for each secret of `url` wherever the secret is a whole word."""
    text = text.replace(url, mask_url(url))
    for secret in sorted(_secrets(url), key=len, reverse=True):
        text = _without_word(text, secret)
    return text


def _without_word(text: str, secret: str) -> str:
    return re.sub(rf"(?<!\w){re.escape(secret)}(?!\w)", STARS, text)


@cache
def _forms(secret: str) -> frozenset[str]:
    """Return a secret as it may be written: plain, with percent escapes of either case, or with escapes undone."""
    forms = {secret, quote(secret, safe="", errors="replace"), quote(secret, errors="replace"), unquote(secret)}
    forms.add(quote_plus(secret, errors="replace"))
    forms.update(re.sub("%[0-9A-F]{2}", lambda found: found[0].lower(), form) for form in tuple(forms))
    return frozenset(form for form in forms if len(form) >= _SHORTEST)


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"


def _parts(url: str) -> _Url | None:
    """Return the parts of a URL; None for text without a protocol and address, such as a file name or a device."""
    before, rest = "", url
    while match := re.match(r"([A-Za-z][\w.+-]+):(/*)", rest):
        scheme, slashes, after = match[1], match[2], rest[match.end() :]
        nested = re.match(r"[A-Za-z][\w.+-]*:/", after)
        if slashes or (_NETWORK.fullmatch(scheme) and not nested):
            return _with_host(_Url(before, scheme, slashes, None, None, after, ""))
        before, rest = f"{before}{scheme}:", after
    return None


def _with_host(url: _Url) -> _Url:
    """Find user, host, path and query in what follows the slashes; leave the host out where a secret may be taken for
    the host."""
    match = re.match(r"[^/?#]*", url.path)
    head = match[0] if match else ""
    path, _, query = url.path[len(head) :].partition("?")
    user, at, host = head.rpartition("@")
    unclear = "@" in user or "#" in path or ("@" in path and (at or ":" in host))
    if head and (unclear or not _HOST.fullmatch(host)):
        return url
    # What follows a space is an option of librtmp, and what follows a bar is another output.
    path, _, options = path.partition(" ")
    query = f"{query} {options}".strip()
    return _Url(url.before, url.scheme, url.slashes, user if at else None, host, path, query)


def _secrets(url: str) -> set[str]:
    """Return every part of `url` that could be a key: in full, piece by piece, and with escapes undone."""
    parts = _parts(url)
    if parts is None:
        return {url, *_pieces(url)} if "://" in url else set()
    if parts.host is None:
        return {url, *_pieces(parts.path)}
    user, _, password = (parts.user or "").partition(":")
    path = parts.path.strip("/") if not _is_rtmp(parts) and len(parts.path) > 2 else ""
    pieces = _pieces(_behind_app(parts))
    return set(_both(path, parts.query, user, password, *_query_values(parts), *_keys(parts), *pieces))


def _both(*secrets: str) -> Iterator[str]:
    """Yield secrets as written, and with escapes undone; no empty secret."""
    for secret in secrets:
        yield from {secret, unquote(secret)} - {""}


def _query_values(parts: _Url) -> Iterator[str]:
    return (pair.partition("=")[2] for pair in re.split(r"[&\s]", parts.query))


def _pieces(text: str) -> Iterator[str]:
    """Yield the pieces of a URL between its signs; a piece of two characters is no secret."""
    return (piece for piece in re.split(r"[/?&=@:#|\s\[\],]+", text) if len(piece) > 2)


def _behind_app(parts: _Url) -> str:
    """Return path and query, of an RTMP URL without the application."""
    path = parts.path.removeprefix("/").partition("/")[2] if _is_rtmp(parts) else parts.path
    return f"{path}?{parts.query}"


def _is_rtmp(parts: _Url) -> bool:
    return parts.scheme.lower().startswith("rtmp")


def _keys(parts: _Url) -> set[str]:
    """Return what follows the application in the path of an RTMP URL, in full and piece by piece.

    A path of a single piece is a key: the application of such a URL is empty.
    """
    if not _is_rtmp(parts):
        return set()
    app, *rest = parts.path.removeprefix("/").split("/", 1)
    key = rest[0] if rest and rest[0].strip("/") and app else parts.path.strip("/")
    found = {key, f"{key}?{parts.query}" if parts.query else "", *key.split("/")}
    return found - {""} if key else set()
