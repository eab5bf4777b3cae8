"""Gives mutants of a corpus to a target: `python -m tests.fuzz.mutants NAME SECONDS`. Needs atheris."""

import io
import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["sdstream"]):
    from tests.fuzz import rtmp_targets, targets

TARGETS = {**targets.TARGETS, **rtmp_targets.TARGETS}


def media() -> list[bytes]:
    """Return small files with picture and sound, in three containers."""
    import av

    files = []
    for kind in ("flv", "mpegts", "matroska"):
        out = io.BytesIO()
        with av.open(out, "w", kind) as container:
            stream = container.add_stream("mpeg4" if kind != "flv" else "flv1", rate=10)
            stream.width, stream.height, stream.pix_fmt = 16, 16, "yuv420p"
            sound = container.add_stream("aac", rate=48000)
            for number in range(3):
                picture = av.VideoFrame(16, 16, "yuv420p")
                picture.pts = number
                container.mux(stream.encode(picture))
            for each in (stream, sound):
                container.mux(each.encode(None))
        files.append(out.getvalue())
    return files


def fuzz(name: str, seconds: int) -> None:
    """Feed the target for some seconds; atheris ends the process, with 0 for no finding."""
    with atheris.instrument_imports(include=["sdstream"]):
        TARGETS[name](b"")  # a target imports at the first call
    with tempfile.TemporaryDirectory() as found:
        for number, data in enumerate(media() if name == "demuxer" else []):
            Path(found, f"media{number}").write_bytes(data)
        options = [f"-max_total_time={seconds}", "-timeout=20", "-rss_limit_mb=4096", "-print_final_stats=1"]
        corpora = [found, str(Path(__file__).parent / name)]
        atheris.Setup([sys.argv[0], *options, f"-artifact_prefix={found}/", *corpora], TARGETS[name])
        atheris.Fuzz()


if __name__ == "__main__":
    fuzz(sys.argv[1], int(sys.argv[2]))
