"""Gives mutants of a corpus to a door of the RTMP server: `python -m tests.fuzz.rtmp NAME SECONDS`."""

import sys
import tempfile

import atheris

with atheris.instrument_imports(include=["sdstream.sources.rtmp_server"]):
    from tests.fuzz.rtmp_targets import CORPORA, TARGETS, timed


def fuzz(name: str, seconds: int) -> None:
    """Feed the target for some seconds; atheris ends the process, with 0 for no finding."""
    with tempfile.TemporaryDirectory() as found:
        options = [f"-max_total_time={seconds}", "-timeout=20", "-rss_limit_mb=2048", "-print_final_stats=1"]
        places = [f"-artifact_prefix={found}/", found, str(CORPORA / name)]
        atheris.Setup([sys.argv[0], *options, *places], lambda data: timed(TARGETS[name], data))
        atheris.Fuzz()


if __name__ == "__main__":
    fuzz(sys.argv[1], int(sys.argv[2]))
