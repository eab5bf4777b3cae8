"""Where the stream key is, in the fields that people fill in: server and key, or a whole URL in one of the two."""

import hmac
import re
from dataclasses import dataclass

_HOST = re.compile(r"^rtmp[a-z]*://[^/]*/?", re.IGNORECASE)
_DEFAULT_INSTANCE = "/_definst_"  # of Adobe's and Wowza's servers


@dataclass(frozen=True, slots=True)
class StreamName:
    """The key as a publisher gave it, or what is wrong with the fields."""

    key: str = ""
    wrong: str = ""
    """What to change; empty if there may be a key. Never holds what the publisher sent: it may be the key."""
    remark: str = ""
    """The unusual place of the key."""


def stream_name(app: str, name: str, wanted: str) -> StreamName:
    """Find the key in the application and the stream name of a publisher, for the application `wanted`."""
    app, name, wanted = _HOST.sub("", app.strip()).strip("/"), name.strip(), wanted.strip("/")
    app = app.removesuffix(_DEFAULT_INSTANCE)
    path = _HOST.sub("", name).strip("/")
    whole = path != name.strip("/")
    if (whole or app == "") and path.startswith(wanted + "/"):
        return StreamName(path[len(wanted) + 1 :], remark="the key field has the application too")
    if whole:
        return StreamName(wrong=f"the key field has a URL without the application {wanted!r}; expected the key alone")
    if app == wanted and name.startswith(wanted + "/"):
        return StreamName(name, remark="the key field has the application too")
    if app == wanted:
        return StreamName(name)
    if app.startswith(wanted + "/"):
        rest = app[len(wanted) + 1 :]
        key = rest if name in {"", rest} else f"{rest}/{name}"
        return StreamName(key, remark="the server field has the key too")
    place = "lacks the application" if not app else "has another application"
    return StreamName(wrong=f"the server field {place}; expected rtmp://HOST:PORT/{wanted}")


def is_key(given: StreamName, key: str, wanted: str) -> bool:
    """Tell whether the key is right, in constant time: as given, or without what programs add to the key."""
    candidates = {given.key, given.key.partition("?")[0], given.key.removeprefix(wanted.strip("/") + "/")}
    equal = [hmac.compare_digest(candidate.encode(), key.encode()) for candidate in candidates]
    return any(equal)
