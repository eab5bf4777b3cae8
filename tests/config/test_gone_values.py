"""A value of an earlier version is refused with the line to write today."""

import pytest

from tests.config.configuration_text import mistakes

SHOW = """\
version: 1
canvas: {width: 640, height: 360, fps: 25}
source: {kind: testsrc}
engine: {acceleration: %s}
sinks: [{kind: discard}]
"""


@pytest.mark.parametrize(("value", "advice"), [("compile", "compile is gone: write graph, for a frame as")])
def test_a_value_of_an_earlier_version_is_refused_with_the_line_to_write(value, advice):
    (said,) = mistakes(SHOW % value)
    assert said.startswith(f"f:4:24: engine.acceleration: should be auto, eager, graph or openvino, not '{value}'; ")
    assert advice in said
