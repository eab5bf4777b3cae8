"""Pictures that announce about 16384 x 16384 pixels cost no memory, and cost the pictures beside them nothing."""

import re
import subprocess
import sys

import pytest

from tests.sources.media import make

VP8 = re.compile(rb"\x9d\x01\x2a(\x40\x00\x30\x00)")  # the start code of a key frame, width, height
JPEG = re.compile(rb"\xff\xc0\x00\x11\x08(\x00\x30\x00\x40)")  # SOF0: bits, height, width
PLAY = """
import resource, sys
from tests.sources.source_playback import play
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
played = play(sys.argv[1], realtime=False)
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(len(played.frames), played.counters.count("corrupt_packets"), (after - before) // 1024)
"""


@pytest.mark.parametrize(
    ("codec", "form", "header", "size"),
    [
        ("libvpx", "yuv420p", VP8, b"\xff\x3f\xff\x3f"),
        ("libvpx", "yuv420p", VP8, b"\xe0\x2e\xe0\x2e"),  # 12000 x 12000: FFmpeg itself would decode this
        ("mjpeg", "yuvj420p", JPEG, b"\x40\x00\x40\x00"),
        ("mjpeg", "yuvj420p", JPEG, b"\xff\xff\xff\xff"),
    ],
)
def test_a_huge_picture_is_counted_and_takes_no_memory(tmp_path, codec, form, header, size):
    file = make(tmp_path / "a.mkv", codec=codec, form=form, size=(64, 48), count=30, sounds=(), gop=1)
    data, places = bytearray(file.read_bytes()), list(header.finditer(file.read_bytes()))
    assert len(places) == 30
    for place in places[10:20]:
        data[place.start(1) : place.end(1)] = size
    file.write_bytes(data)
    done = subprocess.run([sys.executable, "-c", PLAY, file], capture_output=True, text=True, check=True, timeout=100)
    shown, corrupt, grown = map(int, done.stdout.split()[-3:])
    assert (shown, corrupt) == (20, 10)
    assert grown < 150
