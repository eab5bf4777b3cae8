"""Draws the flow picture of docs/architecture.md: python -m scripts.flow writes docs/flow.svg and docs/flow-dark.svg.

Every box and every arrow has a hand-made position: a layout engine would move all of the dozen parts after any change.
"""

from dataclasses import dataclass
from html import escape
from pathlib import Path

DOCS = Path(__file__).parents[1] / "docs"
WIDTH, HEIGHT = 1200, 500
FONT = "system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif"


@dataclass(frozen=True)
class Palette:
    """The colours of a picture."""

    ground: str
    ink: str
    quiet: str
    """Colour of small print, and of arrows without pictures, sound or controls."""
    process: str
    memory: str
    video: str
    sound: str
    control: str


LIGHT = Palette("#ffffff", "#1f2328", "#656d76", "#f6f8fa", "#ddf4ff", "#0969da", "#8250df", "#bc4c00")
DARK = Palette("#0d1117", "#e6edf3", "#8d96a0", "#161b22", "#12304f", "#58a6ff", "#bc8cff", "#f0883e")


@dataclass(frozen=True)
class Box:
    """A process, a part of a process, or a piece of shared memory."""

    x: int
    y: int
    width: int
    height: int
    title: str
    lines: tuple[str, ...] = ()
    kind: str = "process"
    """`process`, `part` or `memory`."""
    top: bool = False
    """Whether the title stands at the top, above the parts inside."""


@dataclass(frozen=True)
class Arrow:
    """A line through `points`, with a head at the last point. The colour shows the content."""

    points: tuple[tuple[int, int], ...]
    colour: str
    """Name of a colour of the palette."""
    dashed: bool = False


@dataclass(frozen=True)
class Label:
    """A text around `x`, with the base line at `y`."""

    x: int
    y: int
    text: str
    colour: str = "quiet"
    anchor: str = "middle"
    bold: bool = False


BOXES = (
    Box(96, 150, 120, 100, "RTMP server", ("checks the key,", "takes publishers")),
    Box(252, 150, 130, 100, "source", ("opens, decodes,", "scales to canvas")),
    Box(424, 172, 110, 56, "mailbox", ("camera",), "memory"),
    Box(576, 124, 252, 140, "engine stage", top=True),
    Box(590, 156, 108, 94, "engine", ("Stream Batch,", "one U-Net call", "a frame"), "part"),
    Box(720, 156, 94, 94, "finisher", ("region,", "steadiness,", "canvas size"), "part"),
    Box(870, 172, 110, 56, "mailbox", ("restyled",), "memory"),
    Box(1022, 142, 130, 116, "sink", ("its own clock,", "fallback ladder,", "send"), "process"),
    Box(635, 16, 134, 44, "audio ring", ("the last seconds",), "memory"),
    Box(630, 296, 122, 44, "live controls", ("the newest",), "memory"),
    Box(96, 380, 1056, 74, ""),
    Box(630, 400, 122, 34, "control desk", (), "part"),
    Box(252, 400, 130, 34, "configuration", (), "part"),
    Box(900, 400, 200, 34, "watch, restart, report", (), "part"),
)
ARROWS = (
    Arrow(((48, 200), (96, 200)), "video"),
    Arrow(((216, 200), (252, 200)), "video"),
    Arrow(((290, 106), (290, 150)), "video"),
    Arrow(((382, 200), (424, 200)), "video"),
    Arrow(((534, 200), (590, 200)), "video"),
    Arrow(((698, 200), (720, 200)), "video"),
    Arrow(((814, 200), (870, 200)), "video"),
    Arrow(((980, 200), (1022, 200)), "video"),
    Arrow(((1152, 200), (1190, 200)), "video"),
    Arrow(((479, 172), (479, 92), (1062, 92), (1062, 142)), "video"),
    Arrow(((345, 150), (345, 38), (635, 38)), "sound"),
    Arrow(((769, 38), (1112, 38), (1112, 142)), "sound"),
    Arrow(((691, 400), (691, 340)), "control"),
    Arrow(((670, 296), (670, 250)), "control"),
    Arrow(((382, 417), (630, 417)), "control"),
    Arrow(((752, 318), (1060, 318), (1060, 258)), "control"),
    Arrow(((156, 250), (156, 380)), "quiet", dashed=True),
    Arrow(((317, 250), (317, 380)), "quiet", dashed=True),
    Arrow(((606, 264), (606, 380)), "quiet", dashed=True),
    Arrow(((1114, 258), (1114, 380)), "quiet", dashed=True),
)
LABELS = (
    Label(68, 176, "OBS"),
    Label(68, 192, "(RTMP)"),
    Label(290, 80, "NDI, camera,"),
    Label(290, 96, "file, server"),
    Label(1176, 168, "OBS,"),
    Label(1176, 184, "Twitch"),
    Label(770, 86, "camera pictures, for when the engine is late", "video"),
    Label(358, 30, "sound", "sound", "start"),
    Label(790, 30, "delayed by as much as the picture", "sound", "start"),
    Label(683, 284, "controls", "control", "start"),
    Label(596, 330, "counters, signs of life, last error", "quiet", "end"),
    Label(1050, 311, "the override: bypass, freeze, black", "control", "end"),
    Label(120, 422, "supervisor", "ink", "start", bold=True),
)
LEGEND_Y = 482


def draw(palette: Palette) -> str:
    """Return the picture as SVG."""
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="{FONT}" role="img">',
        "<title>The flow of pictures, sound and controls through a run</title>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="{palette.ground}"/>',
        *(_box(box, palette) for box in BOXES),
        *(_arrow(arrow, palette) for arrow in ARROWS),
        *(_label(label, palette) for label in LABELS),
        *_legend(palette),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _box(box: Box, palette: Palette) -> str:
    fill = {"process": palette.process, "part": palette.ground, "memory": palette.memory}[box.kind]
    edge = palette.video if box.kind == "memory" else palette.quiet
    corner = box.height // 2 if box.kind == "memory" else 6
    shape = (
        f'<rect x="{box.x}" y="{box.y}" width="{box.width}" height="{box.height}" rx="{corner}" '
        f'fill="{fill}" stroke="{edge}" stroke-width="1.5"/>'
    )
    middle = box.x + box.width // 2
    first = box.y + 22 if box.top else box.y + (box.height - 16 * len(box.lines)) // 2 + 5
    lines = [_text(middle, first, box.title, palette.ink, bold=True)]
    lines += [_text(middle, first + 17 + 16 * i, line, palette.quiet) for i, line in enumerate(box.lines)]
    return "\n".join([shape, *lines])


def _arrow(arrow: Arrow, palette: Palette) -> str:
    colour = getattr(palette, arrow.colour)
    (x0, y0), (x1, y1) = arrow.points[-2:]
    dx, dy = (x1 > x0) - (x1 < x0), (y1 > y0) - (y1 < y0)
    path = " ".join(f"{x},{y}" for x, y in (*arrow.points[:-1], (x1 - 7 * dx, y1 - 7 * dy)))
    dash = ' stroke-dasharray="5 5"' if arrow.dashed else ""
    back, side = (x1 - 10 * dx, y1 - 10 * dy), (5 * dy, 5 * dx)
    head = f"{x1},{y1} {back[0] + side[0]},{back[1] + side[1]} {back[0] - side[0]},{back[1] - side[1]}"
    return (
        f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2" stroke-linejoin="round"{dash}/>\n'
        f'<polygon points="{head}" fill="{colour}"/>'
    )


def _label(label: Label, palette: Palette) -> str:
    return _text(label.x, label.y, label.text, getattr(palette, label.colour), label.anchor, bold=label.bold)


def _text(x: int, y: int, text: str, colour: str, anchor: str = "middle", *, bold: bool = False) -> str:
    size, weight = (15, ' font-weight="600"') if bold else (13, "")
    return (
        f'<text x="{x}" y="{y}" font-size="{size}"{weight} fill="{colour}" text-anchor="{anchor}">{escape(text)}</text>'
    )


def _legend(palette: Palette) -> list[str]:
    y = LEGEND_Y
    return [
        f'<rect x="96" y="{y - 11}" width="22" height="14" rx="3" fill="{palette.process}" stroke="{palette.quiet}"/>',
        _text(126, y, "a process of its own", palette.quiet, "start"),
        f'<rect x="276" y="{y - 11}" width="22" height="14" rx="7" fill="{palette.memory}" stroke="{palette.video}"/>',
        _text(306, y, "shared memory", palette.quiet, "start"),
        _text(
            446,
            y,
            "one sink process for each output; the RTMP server runs only for a source that listens",
            palette.quiet,
            "start",
        ),
    ]


def pictures() -> dict[Path, str]:
    """Return the content of each file."""
    return {DOCS / "flow.svg": draw(LIGHT), DOCS / "flow-dark.svg": draw(DARK)}


if __name__ == "__main__":
    for file, svg in pictures().items():
        file.write_text(svg, encoding="utf-8")
