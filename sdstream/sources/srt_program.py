"""The ffmpeg program of the system as a receiver of SRT: the bytes come through a socket, words through a pipe.

The program reads address and options from a filter graph in a file, and the file is a pipe: the arguments of a process
can be read by every user of the machine, and a passphrase is nobody else's business. FFmpeg's options of an input have
no such way. The graph's filter `amovie` takes the bytes for sound of eight bits (`u8`), and the program copies the
sound: so the bytes arrive unchanged, and our own demuxer sees what was sent. A shell stands guard: when this process
ends in any way, the shell ends the program, so that no program keeps the port.
"""

import contextlib
import os
import re
import signal
import socket
import subprocess
from collections.abc import Mapping

from sdstream.system.ffmpeg_program import program

ROOM = 256 * 1024
"""Bytes in the socket from the program; small, because pictures in a socket are late pictures."""
_END_WITHIN = 1.0  # seconds for the program to tell the sender of the end
_MOST_SAID = 8192
_GUARD = '"$@" & p=$!; exec >&- 2>&-; if read -r _; then kill $p; else kill -9 $p; fi; wait $p'
_IN = ("-hide_banner", "-nostdin", "-nostats", "-loglevel", "info", "-f", "lavfi", "-graph_file")
_OUT = ("-i", "srt", "-c", "copy", "-flush_packets", "1", "-f", "u8", "pipe:1")
_QUOTES_GRAPH = re.compile(r"with args|format_opts=|amovie=")  # such a line of FFmpeg's may hold the passphrase
_AS_SOUND = {"sample_rate": "8000"}  # FFmpeg 6.1 and later read a twelfth of a second of sound at once: 512 bytes


class SrtProgram:
    """A running ffmpeg program. `output` ends when the connection ends."""

    def __init__(self, place: str, options: Mapping[str, str]) -> None:
        """Start the program for srt://HOST:PORT; return at once. Raises Unavailable without the program."""
        found = program()
        self.said = ""
        """The end of what the program said."""
        self._unfinished = ""
        self.connected = False
        """Whether a sender was connected, and has sent something."""
        graph, write = os.pipe()
        self.output, theirs = socket.socketpair()
        self.output.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, ROOM)
        theirs.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, ROOM)
        try:
            os.write(write, _graph(place, {**_AS_SOUND, **options}))
            os.close(write)
            self._process = subprocess.Popen(
                ["/bin/sh", "-c", _GUARD, "sh", found, *_IN, f"/dev/fd/{graph}", *_OUT],
                pass_fds=(graph,),
                process_group=0,  # Ctrl-C on the terminal is for the supervisor
                bufsize=0,
                stdin=subprocess.PIPE,
                stdout=theirs.fileno(),
                stderr=subprocess.PIPE,
            )
        except OSError:
            self.output.close()
            raise
        finally:
            os.close(graph)
            theirs.close()
        assert self._process.stdin is not None
        assert self._process.stderr is not None
        self._in, self._err = self._process.stdin, self._process.stderr
        os.set_blocking(self._err.fileno(), False)

    def listen(self) -> str:
        """Read what the program says, so that the program never waits to speak; return the new lines."""
        new = self._unfinished
        while not self._err.closed and (data := self._err.read(_MOST_SAID)):
            new = (new + data.decode(errors="replace"))[-_MOST_SAID:]
        whole, end, self._unfinished = new.rpartition("\n")
        told = "".join(f"{line}\n" for line in whole.split("\n") if not _QUOTES_GRAPH.search(line)) if end else ""
        self.connected = self.connected or "Input #0" in told
        self.said = (self.said + told)[-_MOST_SAID:]
        return told

    def close(self) -> None:
        """End the program; closing twice is harmless."""
        if self._in.closed:
            return
        if self.connected:  # else the program waits for a connection, and hears nobody
            with contextlib.suppress(BrokenPipeError):
                self._in.write(b"\n")
        self._in.close()
        with contextlib.suppress(OSError):
            self.output.shutdown(socket.SHUT_RDWR)  # wakes the thread that reads
        try:
            self._process.wait(_END_WITHIN)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        self._err.close()
        self.output.close()


def _graph(place: str, options: Mapping[str, str]) -> bytes:
    """Return the filter graph that reads a place with options.

    Three readers take a text apart, one inside the other: the graph, the filter's options, and the list of options for
    the place (ffmpeg-utils, "Quoting and escaping").
    """
    listed = ":".join(f"{name}={_escaped(value, ':= ')}" for name, value in options.items())
    filter_options = f"filename={_escaped(place, ':')}:format_name=u8:format_opts={_escaped(listed, ':')}"
    return f"amovie={_escaped(filter_options, '[],; ')}".encode()


def _escaped(text: str, special: str) -> str:
    return re.sub(rf"[\\'{re.escape(special)}]", r"\\\g<0>", text)
