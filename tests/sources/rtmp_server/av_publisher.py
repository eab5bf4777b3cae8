"""FFmpeg's library as a publisher, in a process of its own: while connecting, the library holds the interpreter."""

import subprocess
import sys

import av


def publish(url, clip, **options):
    """Send a clip to `url`; return what FFmpeg said, empty if the server took the clip."""
    command = [sys.executable, "-m", __name__, url, str(clip), *(f"{name}={value}" for name, value in options.items())]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False).stderr


def main(url, clip, *options):
    with av.open(clip) as source, av.open(url, "w", "flv", dict(option.split("=", 1) for option in options)) as out:
        tracks = {track.index: out.add_stream_from_template(track) for track in source.streams}
        for packet in source.demux():
            if packet.dts is not None:
                packet.stream = tracks[packet.stream.index]
                out.mux(packet)


if __name__ == "__main__":
    av.logging.set_level(av.logging.ERROR)
    main(*sys.argv[1:])
