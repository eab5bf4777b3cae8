"""The count of pointing words, on texts whose counts are known."""

import sys
from pathlib import Path

import pytest

from scripts import prose

MODULE = '''"""A room of its own, which nobody enters."""

LIMIT = 3  # short one
"""What it may hold at most."""

# A comment that goes on
# over two lines of its own.
log.warning("it was lost", reason=f"{LIMIT} of them are gone")


def keep(box):
    """Keep it."""
    raise ValueError("the box that was given is closed")  # noqa: TRY003
'''

PAGE = """# A page with it

- an item that ends without a stop
- the `it` of code does not count, and [its link](its/those.md) counts once

```
it it it it
```

| a cell that ends here | the cell after it |
"""


@pytest.fixture
def module(tmp_path: Path) -> list[prose.Sentence]:
    file = tmp_path / "module.py"
    file.write_text(MODULE, encoding="utf-8")
    return prose.of_python(file)


def test_docstrings_attribute_docs_and_comments_are_prose(module):
    assert [(s.line, s.text) for s in module if not s.message] == [
        (1, "A room of its own, which nobody enters."),
        (4, "What it may hold at most."),
        (6, "A comment that goes on over two lines of its own."),
    ]


def test_logs_and_errors_are_messages_with_a_word_for_each_value(module):
    assert sorted(s.text for s in module if s.message) == [
        "it was lost",
        "the box that was given is closed",
        "value of them are gone",
    ]


def test_a_count_is_per_thousand_words(module):
    found = prose.count(s for s in module if not s.message)
    assert (found.words, found.pronouns, found.relatives) == (25, pytest.approx(160), pytest.approx(120))


def test_no_prose_has_no_pointing_words():
    assert prose.count([]) == prose.Count(0, 0.0, 0.0)


def test_a_sentence_begins_on_the_line_of_its_first_word():
    text = "The first sentence here. The second\nsentence goes on; the third\none\n\nThe fourth has a paragraph."
    assert [line for line, _ in prose.split(text)] == [0, 0, 1, 4]


def test_a_page_counts_without_its_code_and_its_addresses(tmp_path):
    file = tmp_path / "PAGE.md"
    file.write_text(PAGE, encoding="utf-8")
    found = [(s.line, s.pronouns, s.relatives) for s in prose.of_markdown(file)]
    assert found == [(1, 1, 0), (3, 0, 1), (4, 1, 0), (10, 0, 1), (10, 1, 0)]


def test_the_worst_sentences_come_first():
    here = prose.ROOT / "sdstream/frame.py"
    sentences = [
        prose.Sentence(here, line, text) for line, text in ((1, "the box is open"), (2, "it is what they say"))
    ]
    assert prose.worst(sentences, 1) == ["sdstream/frame.py:2: 2+1: it is what they say"]


def test_a_room_can_be_asked_for_by_name(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["prose", "engine/denoising", "--worst", "1"])
    prose.main()
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].startswith("engine/denoising ")
    assert lines[2].startswith("sdstream/engine/denoising/")


def test_a_room_that_is_not_there_is_refused(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["prose", "kitchen"])
    with pytest.raises(SystemExit):
        prose.main()
    assert "no prose in kitchen" in capsys.readouterr().err
