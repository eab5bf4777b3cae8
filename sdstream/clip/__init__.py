"""The bundled clip, and a publisher for streaming the clip to the daemon by RTMP.

The room scales the clip, and sends a file as a program such as OBS would. The daemon is unknown here. The demo, the
benchmarks and the tests use the room. Start reading at `publisher`.
"""

from pathlib import Path

CLIP = Path(__file__).parent / "clip.mp4"
"""H.264 and AAC, 640x360 at 25 pictures a second; CREDITS.md in this folder names the films and the licence."""
