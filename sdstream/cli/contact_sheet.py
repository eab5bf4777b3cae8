"""Collects pictures before and after from the demo's preview page, and draws a contact sheet."""

import http.client
import io
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

ROWS, MOMENTS = 8, 2
_WIDTH, _LABEL, _GAP = 360, 30, 6
_PAPER, _INK = (250, 248, 244), (40, 36, 48)
_TIMEOUT = 0.5
"""Seconds. Short, because the supervisor asks, and must go on watching the stages."""


@dataclass
class ContactSheet:
    """Rows of pairs, a row for each look; the pairs stay JPEG until the sheet is drawn."""

    rows: list[tuple[str, list[bytes]]] = field(default_factory=list)

    def add(self, port: int, look: str) -> None:
        """Add the present pair of the page, to the last row while the look is the same.

        In a full row the new pair replaces the last. A page without an answer is asked again at the next call.
        """
        if not self.rows or self.rows[-1][0] != look:
            if len(self.rows) == ROWS:
                return
            self.rows.append((look, []))
        jpeg = _pair(port)
        if jpeg is None:
            return
        pairs = self.rows[-1][1]
        if len(pairs) == MOMENTS:
            pairs[-1] = jpeg
        else:
            pairs.append(jpeg)

    def write(self, path: Path) -> bool:
        """Write the sheet as PNG; return False when there is no picture for the sheet."""
        rows = [(look, [_opened(jpeg) for jpeg in pairs]) for look, pairs in self.rows if pairs]
        if not rows:
            return False
        height = max(pair.height for _, pairs in rows for pair in pairs)
        size = MOMENTS * (2 * _WIDTH + _GAP) + _GAP, len(rows) * (height + _LABEL) + _GAP
        sheet = Image.new("RGB", size, _PAPER)
        draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(size=18)
        for number, (look, pairs) in enumerate(rows):
            top = number * (height + _LABEL)
            draw.text((_GAP, top + _LABEL / 2), look, _INK, font, anchor="lm")
            for column, pair in enumerate(pairs):
                sheet.paste(pair, (_GAP + column * (2 * _WIDTH + _GAP), top + _LABEL))
        sheet.save(path)
        return True


def _pair(port: int) -> bytes | None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_TIMEOUT)
    try:
        connection.request("GET", "/pair.jpg")
        response = connection.getresponse()
        return response.read() if response.status == http.client.OK else None
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def _opened(jpeg: bytes) -> Image.Image:
    with Image.open(io.BytesIO(jpeg)) as pair:
        return pair.convert("RGB").resize((2 * _WIDTH, round(2 * _WIDTH * pair.height / pair.width)))
