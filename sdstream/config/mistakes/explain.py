"""Puts pydantic's errors into plain words, each with the position in the file, for the author of the file."""

import re
from collections.abc import Sequence
from difflib import get_close_matches

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from sdstream.config.mistakes.existing_file import NO_PERMISSION
from sdstream.config.schema_paths import SchemaPaths
from sdstream.config.yaml_tree import Mistake, Node, Plain
from sdstream.redact import mask_url, without_secrets

Path = tuple[str | int, ...]

HERE = "; a relative name starts at the folder in which the command runs"
"""The advice for a missing file."""

MOST = 1_000
"""Most errors that are put into words: nobody reads more, and each takes a fraction of a millisecond."""

_STRUCTURES = ("model_type", "model_attributes_type", "dict_type", "tuple_type", "list_type", "too_short")
_EXAMPLES: dict[str | int, str] = {
    "version": "1",
    "canvas": "1280x720",
    "source": "{kind: ffmpeg, url: clip.mp4}",
    "engine": "{model: mini}",
    "sinks": "[{kind: preview}]",
}
_WORDING = {
    "model_type": "should be a mapping (`key: value` lines)",
    "model_attributes_type": "should be a mapping (`key: value` lines)",
    "dict_type": "should be a mapping (`key: value` lines)",
    "tuple_type": "should be a list (`- value` lines, or [a, b])",
    "string_type": "should be text",
    "int_from_float": "should be a whole number",
    "int_parsing": "should be a whole number",
    "float_parsing": "should be a number",
    "bool_parsing": "should be true or false",
    "path_not_file": "should be a file that exists",
    "too_short": "should have at least 1 item",
}


_ADVICE = {
    "time": 'write `at`, in seconds or as "1:30"',
    "include": "a file describes a whole run; copy the settings, or override some by --set",
}
"""The line to write for a key of other programs."""

_GONE: dict[tuple[object, ...], str] = {
    ("engine", "acceleration", "compile"): "compile is gone: write graph, for a frame as a single CUDA graph, or auto",
}
"""The line to write for a value of an earlier version, by the last two names and the value."""

_OTHER_KINDS = {
    "rtmps": 'for RTMPS write {kind: rtmp, url: "rtmps://HOST/APP", key: "${STREAM_KEY}"}',
    "recording": "for a file write {kind: file, path: show.mkv}",
    "browser": "for a browser write {kind: preview}",
    "obs": 'for OBS write {kind: virtualcam} among the sinks, or {kind: rtmp, listen: "127.0.0.1:1935"} as the source',
} | dict.fromkeys(
    ("camera", "webcam", "v4l2", "device"),
    "for a webcam write {kind: ffmpeg, format: v4l2, url: /dev/video0}, and see `sdstream sources`",
)
"""The line to write for a kind of other programs."""


def explain(error: ValidationError, tree: Node, schema: SchemaPaths) -> list[Mistake]:
    """Return a mistake for each path in `error`; the messages of a union's members about the same path are joined."""
    data = tree.plain()
    found = [(*_locate(tree, details), details) for details in error.errors(include_url=False)[:MOST]]
    reached = {path[:length] for path, _, _ in found for length in range(len(path))}
    mistakes: dict[Path, Mistake] = {}
    for path, node, details in found:
        if path in reached:
            continue  # a union member failed further inside the value, so the author meant that member
        message = _message(path, node, details, schema, data)
        before = mistakes.get(path)
        if before and _misses_the_point(node, details):
            continue
        if before and message not in before.message:
            message = f"{before.message.removesuffix(_shown(node.value, secret=False))}; or {message}"
        elif before:
            continue
        moved = node.value is None and node.where.line > node.key.line  # YAML places an empty value behind the line
        at_key = moved or details["type"] in ("extra_forbidden", "missing")
        forbidden = details["type"] == NO_PERMISSION
        mistakes[path] = Mistake(node.key if at_key else node.where, dotted(path), message, forbidden)
    return list(mistakes.values())


def dotted(path: Sequence[str | int]) -> str:
    """Return a path in the form of `--set`, as in `sinks.0.name`."""
    return ".".join(str(part) for part in path)


def suggestion(given: object, known: Sequence[str]) -> str:
    """Return `; did you mean "x"?` when a known name is close, else ""."""
    close = get_close_matches(str(given).lower(), known, n=1, cutoff=0.6)
    return f'; did you mean "{close[0]}"?' if close else ""


def _misses_the_point(node: Node, details: ErrorDetails) -> bool:
    """Tell whether a union's member asks for a list or a mapping where the author wrote a single value."""
    return details["type"] in _STRUCTURES and not isinstance(node.value, dict | list)


def _locate(tree: Node, details: ErrorDetails) -> tuple[Path, Node]:
    """Follow pydantic's location through the written values; parts that name a member of a union are skipped."""
    node = tree
    path: list[str | int] = []
    loc = details["loc"]
    for index, part in enumerate(loc):
        child = node.child(part)
        if child is not None:
            node = child
            path.append(part)
        elif index == len(loc) - 1 and details["type"] == "missing":
            path.append(part)
    if details["type"] == "union_tag_invalid" and (kind := node.child("kind")):
        return (*path, "kind"), kind
    return tuple(path), node


def _message(path: Path, node: Node, details: ErrorDetails, schema: SchemaPaths, data: Plain) -> str:
    kind = details["type"]
    context = details.get("ctx", {})
    if kind == "missing":
        return "is missing, and needed" + _example(path)
    if kind == "extra_forbidden":
        given = str(path[-1])
        return "unknown key" + (_with_value(given, node.value) or _known_key(given, path[:-1], schema, data))
    if kind == "union_tag_not_found":
        return f"needs a `kind`: {_listed(schema.kinds(path, data))}"
    secret = schema.is_secret(path, data)
    if kind in ("literal_error", "union_tag_invalid"):
        expected = str(context.get("expected") or context.get("expected_tags"))
        known = re.findall(r"'([^']*)'", expected)
        advice = (
            _OTHER_KINDS.get(str(node.value)) if path[-1:] == ("kind",) else _GONE.get((*path[-2:], str(node.value)))
        )
        guess = f"; {advice}" if advice else suggestion(node.value, known)
        return f"should be {_listed(known) or expected}{_shown(node.value, secret)}{guess}"
    description = schema.description(path, data) if path else ""
    if kind == "string_type":
        return _text_wanted(node, secret, address=description.startswith("`host:port`"))
    if kind == "string_pattern_mismatch" and description:
        match = re.match(r"\w+://([^/@]+:\d+)(/|$)", str(node.value))
        advice = f'; write "{match[1]}"' if match and not secret else ""
        return f"should be: {description}{_shown(node.value, secret)}{advice}"
    if kind == "value_error":
        return details["msg"].removeprefix("Value error, ")
    message = _WORDING.get(kind) or re.sub(r"^(Input|String|Value|Tuple|Dictionary) (should)", r"\2", details["msg"])
    kinds = schema.kinds(path, data) if kind in _STRUCTURES else []
    advice = f"; write {{kind: {node.value}}}" if node.value in kinds else _next(path, kind, node)
    return message + _shown(node.value, secret) + advice


def _next(path: Path, kind: str, node: Node) -> str:
    if kind == "path_not_file":
        return HERE
    if path == ("source",) and isinstance(node.value, str):
        return f"; write {_source_of(node.value)}"
    return _example(path) if kind in _STRUCTURES else ""


def _source_of(text: str) -> str:
    """Return the settings of a source that the user gave as a text: a device, an address or a file."""
    if text.startswith("/dev/video") or text in ("camera", "webcam"):
        return "{kind: ffmpeg, format: v4l2, url: /dev/video0}; `sdstream sources` lists the cameras"
    if text.lower() in ("obs", "rtmp"):
        return '{kind: rtmp, listen: "127.0.0.1:1935"}'
    return "{kind: rtmp, url: …}" if text.startswith("rtmp") else "{kind: ffmpeg, url: …}"


def _example(path: Path) -> str:
    example = _EXAMPLES.get(path[0]) if len(path) == 1 else None
    return f"; for example {path[0]}: {example}" if example else ""


def _text_wanted(node: Node, secret: bool, *, address: bool) -> str:
    """Return how to write a text in quotes; the shell takes the outer quotes of `--set` away."""
    value = node.value
    if value is None:
        return "is empty; " + ('write "" for no text, or remove the line' if not secret else "write the value")
    if address and isinstance(value, int):
        return f'should be `host:port`; write "127.0.0.1:{value}"'
    if isinstance(value, dict | list) and node.where.line:
        return "should be text"
    shown = "…" if secret or isinstance(value, dict | list) else written(value)
    if node.where.line or not node.where.name.startswith("--set "):
        return f'should be text; write it in quotes: "{shown}"'
    return f"should be text; write quotes inside quotes: --set '{node.where.name.removeprefix('--set ')}=\"{shown}\"'"


def _with_value(given: str, value: object) -> str:
    """Return what to write for a key of other programs, with the user's value; empty for another key."""
    if given in ("strength", "denoise", "denoising_strength"):
        share = value if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= 1 else 0.7
        step = min(49, round((1 - share) * 50))
        return f"; for a {given} of {share:g} (img2img) write `steps: [{step}]`, as (1 - {share:g}) * 50 is {step}"
    if given in ("size", "resolution"):
        size = value if isinstance(value, str) and re.fullmatch(r"\d{2,5}x\d{2,5}", value) else "1280x720"
        return f"; write the size as `canvas: {size}`"
    return ""


def _known_key(given: str, parent: Path, schema: SchemaPaths, data: Plain) -> str:
    if re.search(r":\S", given):
        return "; write a space after the colon"
    if given == "key" and parent[:1] == ("sinks",):
        return "; the stream key is the last part of `url`, or the `key` of {kind: rtmp}"
    if advice := _ADVICE.get(given):
        return f"; {advice}"
    known = schema.names(parent, data)
    if close := suggestion(given, known):
        return close
    sections = schema.sections_with(given)
    if sections and not {*sections} & {*parent}:  # a further kind of the same section may have the key
        return f"; this key belongs under {' or '.join(sections)}"
    return f"; known here: {', '.join(known)}" if known else ""


def _listed(names: Sequence[str]) -> str:
    return " or ".join(part for part in (", ".join(names[:-1]), *names[-1:]) if part)


def _shown(value: object, secret: bool) -> str:
    if secret or isinstance(value, dict | list):
        return ""
    return f", not {written(value)}"


def written(value: object) -> str:
    """Return a scalar as in YAML, shortened, without secrets, with control characters escaped for the terminal."""
    if value is None or isinstance(value, bool):
        return {None: "empty", True: "true", False: "false"}[value]
    text = str(value) if isinstance(value, int | float) else repr(without_secrets(mask_url(str(value))))
    return text if len(text) <= 60 else text[:60] + "…"
