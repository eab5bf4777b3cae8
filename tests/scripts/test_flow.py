"""The flow picture of docs/architecture.md is what scripts/flow.py draws."""

import xml.etree.ElementTree as ET

import pytest

from scripts import flow


@pytest.mark.parametrize(("file", "svg"), flow.pictures().items(), ids=lambda part: getattr(part, "name", ""))
def test_the_flow_picture_is_current(file, svg):
    assert file.read_text(encoding="utf-8") == svg, "not current: run python -m scripts.flow"


@pytest.mark.parametrize("palette", [flow.LIGHT, flow.DARK], ids=["light", "dark"])
def test_the_flow_picture_is_svg(palette):
    root = ET.fromstring(flow.draw(palette))
    assert root.tag == "{http://www.w3.org/2000/svg}svg"


def test_every_box_lies_on_the_picture():
    outside = [
        box.title
        for box in flow.BOXES
        if min(box.x, box.y) < 0 or box.x + box.width > flow.WIDTH or box.y + box.height > flow.HEIGHT
    ]
    assert outside == []
