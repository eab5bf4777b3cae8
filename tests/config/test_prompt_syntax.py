"""The prompt syntax of other programs is told, with what to write instead; ordinary prompts are left alone."""

import time

import pytest

from sdstream.config.mistakes.prompt_remarks import MAX_REMARKS, remarks
from sdstream.config.mistakes.prompt_syntax import foreign_syntax
from sdstream.config.schema import Config

PLAIN = {"version": 1, "source": {"kind": "testsrc"}, "sinks": [{"kind": "discard"}]}


@pytest.mark.parametrize(
    ("prompt", "advice"),
    [
        ("a cat <lora:ink:0.8>", "engine.loras: {ink: ink.safetensors}, and set controls.loras: {ink: 0.8}"),
        ("<LORA:my ink v2>", "controls.loras: {my ink v2: 1}"),
        ("<lyco:ink:0.5:0.7>", "controls.loras: {ink: 0.5}"),
        ("<hypernet:x:1>", "hypernetworks"),
        ("a [cat:dog:0.5]", "controls.cues"),
        ("[cat:10]", "controls.cues"),
        ("[cat::0.5]", "controls.cues"),
        ("[cat|dog] in a field", "alternate"),
        ("a cat AND a dog", "blend"),
        ("a cat AND :1.2 a dog", "blend"),
        ("embedding:zork, dark", "engine.embeddings: {zork: zork.safetensors}, and write zork"),
        ("(embedding:EasyNegative.safetensors:1.2)", "engine.embeddings: {EasyNegative"),
        ("a {red|blue} car", "chosen by chance"),
        ("{2$$red|blue}", "chosen by chance"),
        ("by __artist__", "wildcards"),
        ("by __artists/oil__", "wildcards"),
        ("a (cat)++ on a mat", "(word:1.3)"),
        ("(a cat)1.3", "(word:1.3)"),
        ('("cat", "dog").blend(1, 0.5)', "(word:1.3)"),
    ],
)
def test_foreign_syntax_is_told_with_what_to_write_instead(prompt, advice):
    (remark,) = foreign_syntax(prompt)
    assert advice in remark
    assert "is read as words" in remark


@pytest.mark.parametrize(
    "prompt",
    [
        "", "a (cat:1.3), [dog], ((bird))", "cats and dogs", "sand and sea", "BRAND new", "a BREAK b", "16:9",
        "[8:30 pm]", "a < b > c", "rock-n-roll -- a song", "C++", "snake_case __", "a | b", "{style}", "the 90s (1.5)",
        r"\\(word\\)", "<3", "mid-century", "an embedding: of words", "1:2",
    ],
)  # fmt: skip
def test_ordinary_prompts_are_left_alone(prompt):
    assert foreign_syntax(prompt) == []


def test_each_kind_is_told_once_for_prompts_cues_and_the_negative():
    config = Config.model_validate(
        PLAIN
        | {
            "engine": {"model": "someone/model"},
            "controls": {
                "prompt": ["a <lora:x:1>", "b <lora:x:1>"],
                "negative_prompt": "embedding:bad",
                "cues": [{"at": 1, "prompt": "a AND b"}],
            },
        }
    )
    told = remarks(config.engine, config.controls)
    assert [(remark.name, remark.text.split(" is ")[0]) for remark in told] == [
        ("prompt", "'<lora:x:1>'"),
        ("cues", "'AND'"),
        ("negative_prompt", "'embedding:bad'"),
    ]


LONGEST = ["[" * 10_000, "<lora:" * 1_600, "_" * 10_000, "{a|" * 3_000, ")+" * 5_000]
LONGEST += ["[:" + " " * 9_998, "<lora:" + " " * 9_994, "[:" + "1" * 9_998, "[:" + " 1" * 4_999, ")" + "1" * 9_999]


@pytest.mark.parametrize("text", LONGEST)
def test_the_longest_prompt_is_looked_through_at_once(text):
    started = time.process_time()
    foreign_syntax(text)
    assert time.process_time() - started < 0.5


def test_the_supervisor_is_not_held_up_by_the_most_and_longest_prompts():
    cues = [{"at": at, "prompt": f"{at} {'abcd efgh ' * 99}"} for at in range(1_000)]
    config = Config.model_validate(PLAIN | {"engine": {"model": "mini"}, "controls": {"cues": cues}})
    started = time.process_time()
    assert len(remarks(config.engine, config.controls)) == MAX_REMARKS
    assert time.process_time() - started < 1.5
