"""Guesses a remedy for broken YAML, from the wrong line and the lines before."""

import re
from collections.abc import Sequence


def hint(lines: Sequence[str], at: int, wrong: str) -> str:
    """Return a hint that begins with `; `, or "". `at` is the number of the wrong line, from 0; `wrong` the reason."""
    line = lines[at] if at < len(lines) else ""
    if "\t" in line[: _column(line)]:
        return "; indent with spaces, not tabs"
    if "escape" in wrong:
        return "; a backslash in double quotes starts an escape: write a Windows path in single quotes, or with /"
    if "quoted" in wrong and "end of stream" in wrong:
        return "; close the quote"
    if "found '}'" in wrong or "found ']'" in wrong:
        return "; remove a closing bracket, or open the bracket"
    if "expected ':'" in wrong:
        return "; write a colon behind a key"
    return _of_columns(lines[:at], line, wrong) or _of_signs(line, wrong)


def _of_columns(before: Sequence[str], line: str, wrong: str) -> str:
    """Return the column for a line out of line with the neighbours, or ""."""
    written = [other for other in before if other.strip() and not other.lstrip().startswith("#")]
    if not written or "flow" in wrong:
        return ""
    deeper = _column(line) > _column(written[-1]) and not written[-1].rstrip().endswith(":")
    if not deeper and "<block" not in wrong:
        return ""
    if deeper and ":" not in written[-1]:
        return "; write a colon behind the key in the line above"
    section: list[str] = []
    for other in reversed(written):
        section.append(other)
        if not other[0].isspace():
            break
    of_list = line.lstrip().startswith("- ")
    own = _column(line, of_list)
    nearest = min((_column(other, of_list) for other in section), key=lambda column: (abs(column - own), column))
    return f"; start the line in column {nearest + 1}, as its neighbours do" if nearest != own else ""


def _of_signs(line: str, wrong: str) -> str:
    if re.search(r"(^|[^\"'\w])\$\{", line):
        return '; write "${NAME}" in quotes'
    if "mapping values" in wrong and re.match(r"[\s-]*\w+:[^\s:/]", line):
        return "; write a space after the colon"
    if "expected ','" in wrong:
        return "; write a comma between two parts, and quotes around a text with : # { [ @ or `"
    return "; write a value with : # { [ @ or ` in quotes" if re.search(r"[:#{\[@`]", line) else ""


def _column(line: str, of_list: bool = False) -> int:
    """Return the column, from 0, of the text of a line: behind the dashes of a list, or with `of_list` at a dash."""
    return len(line) - len(line.lstrip() if of_list else re.sub(r"^\s*(- +)*", "", line))
