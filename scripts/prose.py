"""Counts pronouns and relative words: python -m scripts.prose [ROOM…] [--worst N].

A sentence full of pronouns and relative words makes the reader search for the nouns. The table gives the number of both
per 1,000 words for each room, first in docstrings, attribute docs and comments, then in messages (logs, errors, help).
ROOM is a folder of sdstream/ including sub-rooms, as in `engine` or `engine/denoising`, or `docs` for the pages.
"""

import argparse
import ast
import io
import re
import tokenize
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
PRONOUNS = {
    *("it", "its", "itself", "they", "them", "their", "theirs", "themselves", "he", "him", "his"),
    *("one", "ones", "these", "those", "other", "others", "another"),
    *("somebody", "nobody", "everybody", "anybody"),
}
"""`this` and `that` are left out: only a parser can tell the pronoun from the article or the conjunction."""
RELATIVES = {"that", "which", "who", "whom", "whose", "what", "whoever", "whatever"}
"""`where` and `when` are left out: most uses name a place or a time."""
SHORTEST = 3
"""Words of the shortest sentence counted; a shorter text is a label."""
GOAL = (25.0, 20.0)
"""Upper limits of a room's pronouns and relative words per 1,000 words."""

_LOGGED = {"debug", "info", "warning", "error", "critical", "exception"}
_WORD = re.compile(r"[A-Za-z][A-Za-z']*")
_CODE = re.compile(r"`[^`\n]*`")
_LINK = re.compile(r"\]\([^)]*\)")
_END = re.compile(r"(?<=[.!?])\s+|[;:]\s+|\n\s*\n")
_FENCE = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)
_ITEM = re.compile(r"\n(?=\s*([-*#>]|\d+\.)\s)")  # end of the line before a list item or a heading: ends a sentence
_DIRECTIVE = re.compile(r"#\s*(noqa|type:|mypy:|!)")


@dataclass(frozen=True)
class Sentence:
    """A sentence with file and line of the beginning."""

    file: Path
    line: int
    text: str
    message: bool = False
    """True for a message to the user; False for a text to developers."""

    @property
    def words(self) -> list[str]:
        """The words in small letters; code in backticks counts as a single word."""
        return [word.lower() for word in _WORD.findall(_CODE.sub("code", self.text))]

    @property
    def pronouns(self) -> int:
        """Number of pronouns."""
        return sum(word in PRONOUNS for word in self.words)

    @property
    def relatives(self) -> int:
        """Number of relative words."""
        return sum(word in RELATIVES for word in self.words)


@dataclass(frozen=True)
class Count:
    """Number of words of some sentences, and the frequency of pronouns and relative words."""

    words: int
    pronouns: float
    """Per 1,000 words."""
    relatives: float
    """Per 1,000 words."""


def count(sentences: Iterable[Sentence]) -> Count:
    """Return the figures of `sentences`; all figures are 0 without a sentence."""
    listed = list(sentences)
    words = sum(len(sentence.words) for sentence in listed)
    per_word = 1000 / max(words, 1)
    pronouns, relatives = sum(s.pronouns for s in listed), sum(s.relatives for s in listed)
    return Count(words, pronouns * per_word, relatives * per_word)


def split(text: str) -> Iterator[tuple[int, str]]:
    """Yield the sentences of `text` with SHORTEST words or more, each with the number of line ends before."""
    begin = 0
    for end in (*_END.finditer(text), None):
        part = text[begin : end.start() if end else None]
        lead = len(part) - len(part.lstrip())
        sentence = " ".join(part.split())
        if len(_WORD.findall(_CODE.sub("code", sentence))) >= SHORTEST:
            yield text.count("\n", 0, begin + lead), sentence
        begin = end.end() if end else len(text)


def of_python(file: Path) -> list[Sentence]:
    """Return the sentences of a Python file."""
    source = file.read_text(encoding="utf-8")
    tree = ast.parse(source)
    texts = [(line, text, False) for line, text in (*_docs(tree), *_comments(source))]
    texts += [(line, text, True) for line, text in _messages(tree)]
    return [
        Sentence(file, line + below, sentence, message)
        for line, text, message in texts
        for below, sentence in split(text)
    ]


def of_markdown(file: Path) -> list[Sentence]:
    """Return the sentences of a page without the code blocks; the end of a table's cell ends a sentence."""
    text = _FENCE.sub(lambda block: "\n" * block.group().count("\n"), file.read_text(encoding="utf-8"))
    text = _LINK.sub("]", text).replace("|", ". ").replace("**", "")
    text = _ITEM.sub(".\n", text)
    return [Sentence(file, 1 + below, sentence) for below, sentence in split(text)]


def _docs(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Yield docstrings and attribute docs: every statement made of a string alone."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield node.lineno, node.value.value


def _comments(source: str) -> Iterator[tuple[int, str]]:
    """Yield comments; consecutive comment lines without code are a single text."""
    block: list[str] = []
    last = 0
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type != tokenize.COMMENT or _DIRECTIVE.match(token.string):
            continue
        line, alone = token.start[0], not token.line[: token.start[1]].strip()
        if block and not (alone and line == last + 1):
            yield last - len(block) + 1, "\n".join(block)
            block = []
        block.append(token.string.lstrip("# "))
        last = line
    if block:
        yield last - len(block) + 1, "\n".join(block)


def _messages(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Yield the texts of errors, the events and reasons of logs, and help texts."""
    for node in ast.walk(tree):
        values: list[ast.expr] = []
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
            values = list(node.exc.args)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _LOGGED:
            values = [*node.args, *(keyword.value for keyword in node.keywords)]
        elif isinstance(node, ast.keyword) and node.arg == "help":
            values = [node.value]
        yield from ((value.lineno, text) for value in values if (text := _string(value)))


def _string(node: ast.expr) -> str:
    """Return a string constant, or an f-string with a word in place of each value; "" for any other node."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(_string(part) if isinstance(part, ast.Constant) else "value" for part in node.values)
    return ""


def room_of(file: Path) -> str:
    """Return the folder of a file of sdstream/, as in `engine/denoising`; "." for the root, "docs" for a page."""
    if file.suffix == ".md":
        return "docs"
    return str(file.parent.relative_to(ROOT / "sdstream"))


def house() -> list[Sentence]:
    """Return every sentence of sdstream/ and of the hand-written pages."""
    code = sorted((ROOT / "sdstream").rglob("*.py"))
    pages = [*sorted(ROOT.glob("[A-Z]*.md")), *sorted((ROOT / "docs").glob("*.md"))]
    pages = [page for page in pages if page.name not in ("configuration.md", "CHANGELOG.md")]  # generated; history
    return [s for file in code for s in of_python(file)] + [s for page in pages for s in of_markdown(page)]


def table(sentences: list[Sentence]) -> list[str]:
    """Return a line for each room and a line for all of sdstream/; a star marks a room above the goal."""
    rooms = sorted({room_of(sentence.file) for sentence in sentences}, key=lambda room: (room == "docs", room))
    head = f"{'':<24}{'words':>7}{'pronouns':>10}{'relative':>10}"
    lines = [f"{head}   {'messages: words':>15}{'pronouns':>10}{'relative':>10}"]
    lines += [_line(room, [s for s in sentences if room_of(s.file) == room]) for room in rooms]
    code = [s for s in sentences if room_of(s.file) != "docs"]
    return [*lines, _line("sdstream", code)] if len(rooms) > 1 and code else lines


def _line(name: str, sentences: list[Sentence]) -> str:
    prose = count(s for s in sentences if not s.message)
    messages = count(s for s in sentences if s.message)
    star = "*" if prose.pronouns > GOAL[0] or prose.relatives > GOAL[1] else ""
    return (
        f"{name:<24}{prose.words:>7}{prose.pronouns:>10.1f}{prose.relatives:>10.1f} {star:<2}"
        f"{messages.words:>15}{messages.pronouns:>10.1f}{messages.relatives:>10.1f}"
    )


def worst(sentences: Iterable[Sentence], number: int) -> list[str]:
    """Return the `number` sentences with the most pronouns and relative words, as `file:line: counts: text`."""
    ranked = sorted(sentences, key=lambda s: (-(s.pronouns + s.relatives), len(s.words)))
    return [f"{s.file.relative_to(ROOT)}:{s.line}: {s.pronouns}+{s.relatives}: {s.text}" for s in ranked[:number]]


def main() -> None:
    """Print the table and, with --worst, the worst sentences."""
    parser = argparse.ArgumentParser(prog="scripts.prose", description=(__doc__ or "").split("\n\n")[1])
    parser.add_argument("rooms", nargs="*", metavar="ROOM", help="a folder of sdstream/, or docs; default: all")
    parser.add_argument(
        "--worst", type=int, default=0, metavar="N", help="list the N sentences with most pronouns and relative words"
    )
    arguments = parser.parse_args()
    rooms = [room.removeprefix("sdstream/").rstrip("/") for room in arguments.rooms]
    chosen = [s for s in house() if not rooms or any(_within(room_of(s.file), room) for room in rooms)]
    if not chosen:
        parser.error(f"no prose in {', '.join(rooms)}; rooms are folders of sdstream/, as in engine/denoising")
    print("\n".join([*table(chosen), *worst(chosen, arguments.worst)]))


def _within(room: str, folder: str) -> bool:
    return room == folder or room.startswith(folder + "/")


if __name__ == "__main__":
    main()
