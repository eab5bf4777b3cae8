"""Reads YAML text into a tree with the position of each value.

Knows the file format and the hazards: duplicate keys, aliases, tags, depth and size are refused. Knows nothing of the
meaning of the settings.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.events import (
    AliasEvent,
    CollectionStartEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
)
from ruamel.yaml.reader import ReaderError

from sdstream.config.mistakes.yaml_hints import hint
from sdstream.redact import mask_url, one_line

MAX_BYTES = 256 * 1024
"""Largest file. A few hundred bytes describe a run; a file of a thousand times the size is an attack or a mix-up."""

MAX_VALUES = 60_000
"""Keys and values in a file. A thousand cues with sixteen prompts each, as many as a run takes, are fewer."""

MAX_DEPTH = 32
"""Levels of nesting; the settings have five."""

Scalar = str | int | float | bool | None
Plain = Scalar | dict[str, "Plain"] | list["Plain"]


@dataclass(frozen=True, order=True, slots=True)
class Where:
    """A position in a file, counted from 1; or the command-line option that gave the value."""

    name: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return f"{self.name}:{self.line}:{self.column}" if self.line else self.name


@dataclass(frozen=True, order=True, slots=True)
class Mistake:
    """A mistake for the user to mend: the position, the path of the setting, and the reason."""

    where: Where
    path: str
    message: str
    forbidden: bool = field(default=False, compare=False)
    """Whether a permission is all that is missing."""

    def __str__(self) -> str:
        parts = (str(self.where), mask_url(self.path), self.message)
        return ": ".join(one_line(part) for part in parts if part)


@dataclass(slots=True)
class Node:
    """A value, with the positions of the value and of the key."""

    value: "Scalar | dict[str, Node] | list[Node]"
    where: Where
    key: Where

    @classmethod
    def of(cls, value: Plain, where: Where) -> "Node":
        """Return plain data as a tree; every value gets the position `where`."""
        if isinstance(value, dict):
            return cls({key: cls.of(inner, where) for key, inner in value.items()}, where, where)
        if isinstance(value, list):
            return cls([cls.of(inner, where) for inner in value], where, where)
        return cls(value, where, where)

    def plain(self) -> Plain:
        """Return the value as plain Python data."""
        if isinstance(self.value, dict):
            return {key: node.plain() for key, node in self.value.items()}
        if isinstance(self.value, list):
            return [node.plain() for node in self.value]
        return self.value

    def child(self, part: str | int) -> "Node | None":
        """Return the node under a key or at an index; None when there is no such node."""
        if isinstance(self.value, dict):
            return self.value.get(str(part))
        if isinstance(self.value, list) and isinstance(part, int) and 0 <= part < len(self.value):
            return self.value[part]
        return None

    def leaves(self, path: "tuple[str | int, ...]" = ()) -> "Iterator[tuple[tuple[str | int, ...], Node]]":
        """Yield the path and the node of every scalar below this node, in the order of the file; `path` leads here."""
        if isinstance(self.value, dict):
            for key, child in self.value.items():
                yield from child.leaves((*path, key))
        elif isinstance(self.value, list):
            for index, child in enumerate(self.value):
                yield from child.leaves((*path, index))
        else:
            yield path, self

    def along(self, path: Sequence[str]) -> "list[Node]":
        """Return this node and the nodes along a path of keys and indices, as far as the path exists."""
        nodes = [self]
        for part in path:
            child = nodes[-1].child(nodes[-1]._index(part))
            if child is None:
                break
            nodes.append(child)
        return nodes

    def put(self, path: Sequence[str], value: "Node") -> str:
        """Put `value` at a path of keys and indices; missing mappings are made. Return the reason if refused, or ""."""
        node = self
        for depth, part in enumerate(path[:-1], 1):
            child = node.child(node._index(part))
            if child is None and isinstance(node.value, dict):
                child = node.value[part] = Node({}, value.where, value.where)
            if child is None:
                return node._no_such(path[:depth])
            node = child
        if isinstance(node.value, dict):
            node.value[path[-1]] = value
        elif isinstance(node.value, list) and node.child(node._index(path[-1])):
            node.value[int(path[-1])] = value
        else:
            return node._no_such(path)
        return ""

    def _index(self, part: str) -> str | int:
        return int(part) if isinstance(self.value, list) and part.isdecimal() else part

    def _no_such(self, path: Sequence[str]) -> str:
        parent = ".".join(path[:-1])
        if isinstance(self.value, list):
            return f"{parent} is a list of {len(self.value)}, counted from 0; there is no {path[-1]}"
        return f"{parent} is not a mapping, and cannot hold {path[-1]}"


class YamlError(Exception):
    """The text is not YAML, or uses a refused part of YAML; carries the mistake."""

    def __init__(self, mistake: Mistake) -> None:
        super().__init__(str(mistake))
        self.mistake = mistake


def parse(text: str, name: str, *, option: bool = False) -> tuple[Node | None, list[Mistake]]:
    """Read a YAML 1.2 document. Return the tree, None for an empty document, and a mistake for each duplicate key.

    `name` begins each mistake: a file, or (with `option`) a command-line option, without line and column. Raise
    YamlError at the first mistake after which reading on makes no sense.
    """
    reader = _Reader(name, option)
    try:
        return reader.document(iter(YAML(typ="safe", pure=True).parse(text))), reader.mistakes
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        if "end of stream" in str(error.problem) and "quoted" in str(error.context):
            mark = error.context_mark  # the quote that stays open
        where = reader.where(mark.line, mark.column) if mark else Where(name)
        wrong = ", ".join(part for part in (error.problem, error.context) if part)
        lines = text.splitlines()
        at = mark.line if mark else len(lines)  # the mark may be at the end of the text
        raise YamlError(Mistake(where, "", f"not YAML: {wrong}{hint(lines, at, wrong)}")) from error
    except ReaderError as error:
        before = text[: error.position]
        where = reader.where(before.count("\n"), error.position - before.rfind("\n") - 1)
        message = f"control character U+{error.character:04X} cannot stand in YAML; remove the character"
        raise YamlError(Mistake(where, "", message)) from error


class _Reader:
    def __init__(self, name: str, option: bool) -> None:
        self.name = name
        self.option = option
        self.mistakes: list[Mistake] = []
        self.values = 0

    def where(self, line: int, column: int) -> Where:
        return Where(self.name) if self.option else Where(self.name, line + 1, column + 1)

    def document(self, events: Iterator[Event]) -> Node | None:
        root = None
        for event in events:
            if isinstance(event, DocumentStartEvent) and root is not None:
                raise self.refuse(event, "", "a second document starts here; a file describes a single run")
            if isinstance(event, (ScalarEvent, CollectionStartEvent, AliasEvent)):
                root = self.node(event, events, self.at(event), ())
        return root

    def node(self, event: Event, events: Iterator[Event], key: Where, path: tuple[str, ...]) -> Node:
        dotted = ".".join(path)
        if isinstance(event, AliasEvent) or getattr(event, "anchor", None):  # not every event has an anchor
            raise self.refuse(event, dotted, "anchors and aliases (& and *) are not read here; repeat the value")
        if tag := getattr(event, "ctag", None):  # not every event has a tag
            raise self.refuse(event, dotted, f"tags are not read here; remove {str(tag)[:60]!r}")
        if len(path) > MAX_DEPTH:
            raise self.refuse(event, "", f"nested deeper than {MAX_DEPTH} levels")
        self.values += 1
        if self.values > MAX_VALUES:
            raise self.refuse(event, "", f"more than {MAX_VALUES} keys and values; a configuration is smaller")
        where = self.at(event)
        if isinstance(event, ScalarEvent):
            plain_style = event.implicit[0]
            return Node(_scalar(event.value) if plain_style else event.value, where, key)
        if isinstance(event, MappingStartEvent):
            return Node(self.mapping(events, path), where, key)
        return Node(self.sequence(events, path), where, key)

    def mapping(self, events: Iterator[Event], path: tuple[str, ...]) -> dict[str, Node]:
        found: dict[str, Node] = {}
        while not isinstance(event := next(events), MappingEndEvent):
            if not isinstance(event, ScalarEvent):
                raise self.refuse(event, ".".join(path), "a key must be plain text")
            key = self.node(event, events, self.at(event), path).where
            name = event.value
            inner = (*path, name)
            node = self.node(next(events), events, key, inner)
            if name in found:
                first = found[name].key
                message = "given twice" + (f"; the first is in line {first.line}" if first.line else "")
                self.mistakes.append(Mistake(key, ".".join(inner), message))
            else:
                found[name] = node
        return found

    def sequence(self, events: Iterator[Event], path: tuple[str, ...]) -> list[Node]:
        found: list[Node] = []
        while not isinstance(event := next(events), SequenceEndEvent):
            found.append(self.node(event, events, self.at(event), (*path, str(len(found)))))
        return found

    def at(self, event: Event) -> Where:
        return self.where(event.start_mark.line, event.start_mark.column)

    def refuse(self, event: Event, path: str, message: str) -> YamlError:
        return YamlError(Mistake(self.at(event), path, message))


_NUMBER = re.compile(r"[-+]?(\.[0-9]{1,40}|[0-9]{1,40}(\.[0-9]{0,40})?)([eE][-+]?[0-9]{1,4})?")
_WORDS: dict[str, Scalar] = {"": None, "~": None}
_WORDS |= dict.fromkeys(("null", "Null", "NULL"))
_WORDS |= dict.fromkeys(("true", "True", "TRUE"), True)
_WORDS |= dict.fromkeys(("false", "False", "FALSE"), False)
_WORDS |= {sign + word: float(sign + "inf") for sign in ("", "-", "+") for word in (".inf", ".Inf", ".INF")}
_WORDS |= {word: float("nan") for word in (".nan", ".NaN", ".NAN")}


def _scalar(text: str) -> Scalar:
    """Resolve a plain scalar by the core schema of YAML 1.2 (section 10.3.2): `no` and `1:30` are text.

    Own code because ruamel's resolver also knows dates, underscores and merge keys.
    """
    if text in _WORDS:
        return _WORDS[text]
    if re.fullmatch(r"[-+]?[0-9]{1,40}", text):
        return int(text)
    if re.fullmatch(r"0o[0-7]{1,40}|0x[0-9a-fA-F]{1,40}", text):
        return int(text[2:], 8 if text[1] == "o" else 16)
    return float(text) if _NUMBER.fullmatch(text) else text
