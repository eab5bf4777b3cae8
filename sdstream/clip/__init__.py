"""The bundled clip, and a publisher that streams the clip to the daemon by RTMP.

The room knows how to send a file as a program such as OBS would, and how to make the clip another size first. The
daemon itself is unknown here. The demo, the benchmarks and the tests use the room. Start reading at `publisher`.
"""

from pathlib import Path

CLIP = Path(__file__).parent / "clip.mp4"
"""H.264 and AAC, 640x360 at 25 a second; CREDITS.md beside it says of whom."""
