"""Finds values of valid text with an unlikely meaning: placeholders, curly quotes, lost backslashes."""

import re

from sdstream.config.mistakes.explain import dotted
from sdstream.config.schema_paths import SchemaPaths
from sdstream.config.yaml_tree import Mistake, Node

Path = tuple[str | int, ...]

_CURLY = "“”„‟‘’‚‛«»"  # noqa: RUF001 - the quotes to find
_SHELL = re.compile(
    r"\$([A-Za-z_]\w*)|%([A-Za-z_]\w*)%|\{\{?\s*([A-Za-z_]\w*)\s*\}?\}|\$\(([A-Za-z_]\w*)\)|([A-Z]+_KEY)"
)
_BLANK = re.compile(
    r"<[^<>]*>|\[[^\[\]]*key[^\[\]]*\]|x{3,}|\.{3}|…|\*{3,}|(your|my)[-_ ]?(\w+[-_ ]?)?key([-_ ]here)?|change[-_ ]?me",
    re.IGNORECASE,
)
_ESCAPES = {"\n": "n", "\t": "t", "\r": "r", "\b": "b", "\a": "a", "\f": "f", "\v": "v", "\0": "0", "\x1b": "e"}


def suspects(tree: Node, schema: SchemaPaths) -> list[Mistake]:
    """Return a mistake for each suspicious text in a file's tree, before the environment is read."""
    data = tree.plain()
    found = []
    for path, node in tree.leaves():
        text = node.value
        if not isinstance(text, str) or not path:
            continue
        if message := _no_character(text, of_file=path[-1] == "url"):
            found.append(Mistake(node.where, dotted(path), message))
        if message or path[0] == "controls":
            continue  # a prompt may be any text
        secret = schema.is_secret(path, data)
        if message := _quotes(text) or _backslashes(text) or (_placeholder(text, path) if secret else ""):
            found.append(Mistake(node.where, dotted(path), message))
    return found


def _no_character(text: str, *, of_file: bool) -> str:
    """Return what is wrong with a letter, or "". The name of a file may hold bytes that are no UTF-8."""
    if "\0" in text and not _backslashes(text):
        return r"\0 ends a text for the system, and cannot stand in a setting; remove \0"
    halves = [letter for letter in text if "\ud800" <= letter <= "\udfff"]
    if halves and not (of_file and all("\udc80" <= letter <= "\udcff" for letter in halves)):
        return r"half a character (\ud800 to \udfff) stands in the text; write the whole character itself"
    return ""


def _quotes(text: str) -> str:
    if text and (text[0] in _CURLY or text[-1] in _CURLY):
        return 'curly quotes are part of the text; write straight quotes: "…"'
    return ""


def _backslashes(text: str) -> str:
    letter = next((_ESCAPES[letter] for letter in text if letter in _ESCAPES), "")
    if letter and re.match(r"[A-Za-z]:|\\", text):
        return rf"\{letter} in double quotes is a control character; write a Windows path in single quotes, or with /"
    return ""


def _placeholder(text: str, path: Path) -> str:
    """Return the advice for a placeholder in the place of a secret; the text itself is never shown."""
    pieces = re.split(r"[/?&=]", text.partition("://")[2].partition("/")[2]) if "://" in text else [text]
    is_address = path[-1] == "url"
    if is_address and "://" not in text:
        return ""  # a file or a device
    for piece in pieces:
        if _BLANK.fullmatch(piece):
            return (
                "is a placeholder for a key; put the key into the environment (export STREAM_KEY=…), "
                f'and write "{"…/" if is_address else ""}${{STREAM_KEY}}"'
            )
        if match := _SHELL.fullmatch(piece):
            name = next(filter(None, match.groups()))
            return f"write ${{{name}}}, with braces, to take the value of the environment variable {name}"
    return ""
