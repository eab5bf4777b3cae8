"""Pictures that announce 16384 x 16384 pixels or more cost no memory, and cost the pictures beside them nothing."""

import re
import subprocess
import sys

import pytest

from tests.sources.media import make

HEADER = re.compile(rb"(\xff\xc0\x00\x11\x08)\x00.\x00.", re.DOTALL)  # JPEG's SOF0: bits, height, width
PLAY = """
import resource, sys
from tests.sources.source_playback import play
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
played = play(sys.argv[1], realtime=False)
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(len(played.frames), played.counters.count("corrupt_packets"), (after - before) // 1024)
"""


@pytest.mark.parametrize("size", [b"\x40\x00\x40\x00", b"\xff\xff\xff\xff"], ids=["16384", "65535"])
@pytest.mark.parametrize("container", ["mkv", "avi"])
def test_a_huge_picture_is_counted_and_takes_no_memory(tmp_path, container, size):
    file = make(tmp_path / f"a.{container}", codec="mjpeg", form="yuvj420p", size=(64, 48), count=30, sounds=())
    data, places = bytearray(file.read_bytes()), list(HEADER.finditer(file.read_bytes()))
    assert len(places) == 30
    for place in places[10:20]:
        data[place.start() + 5 : place.end()] = size
    file.write_bytes(data)
    done = subprocess.run([sys.executable, "-c", PLAY, file], capture_output=True, text=True, check=True, timeout=100)
    shown, corrupt, grown = map(int, done.stdout.split()[-3:])
    assert (shown, corrupt) == (20, 10)
    assert grown < 150
