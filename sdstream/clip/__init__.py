"""The bundled clip, and how it comes to the daemon: streamed by RTMP as it is, or made another size before."""

from pathlib import Path

CLIP = Path(__file__).parent / "clip.mp4"
"""H.264 and AAC, 640x360 at 25 a second; CREDITS.md beside it says of whom."""
