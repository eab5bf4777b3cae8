"""A file of an encoded show, written in pieces of half a second: a power cut costs the last second at most.

MP4 and MOV are written in fragments, and become ordinary files at a clean end (FFmpeg's `hybrid_fragmented`, as OBS
records). Matroska is written in clusters. All remaining formats need no end to be readable.
"""

import shutil
import time
from pathlib import Path

import av
from av.container import OutputContainer

from sdstream.errors import ConfigError, Forbidden, Lost, SdstreamError, Unavailable
from sdstream.log import get_logger
from sdstream.sinks.encoded_show import EncodedShow, Packets
from sdstream.sinks.outlet import Outlet
from sdstream.sinks.output_errors import output_errors
from sdstream.sinks.recording.disk_file import DiskFile
from sdstream.sinks.recording.file_name import ADVICE, make_recording

_PIECE = 0.5  # seconds; a shorter piece costs more bytes, a longer piece more of the show
_MP4 = {"movflags": "+hybrid_fragmented+delay_moov", "frag_duration": str(round(_PIECE * 1e6))}
_OPTIONS = {
    **dict.fromkeys(("mp4", "mov", "ipod", "3gp", "3g2", "f4v", "psp"), _MP4),
    "matroska": {"cluster_time_limit": str(round(_PIECE * 1e3))},
}


class Recording:
    """A file on disk. A failure of the disk is raised by `put`, as an error about the file."""

    def __init__(self, wanted: Path, show: EncodedShow, form: str | None, room: int = 0) -> None:
        """Make the file and write the header, in FFmpeg's output format `form`, by default that of the file's ending.

        `room`: bytes needed on the disk. Raises Unavailable or Forbidden for a file without a place, ConfigError for an
        unknown format.
        """
        _require(room, wanted)
        descriptor, self.path = make_recording(wanted, time.localtime())
        self._file: DiskFile | None = DiskFile(descriptor, self.path)
        try:
            with output_errors(str(self.path), "cannot be opened"):
                self._outlet = Outlet(self._container(self._file, form), show)
                self._outlet.open()
        except SdstreamError:
            self._close_file()
            raise
        get_logger().info("recording", file=str(self.path))

    def put(self, packets: Packets) -> None:
        """Write packets. Raises Lost for a deleted file, Unavailable or Forbidden when the disk takes no more."""
        with output_errors(str(self.path), "failed"):
            self._outlet.put(packets)
        if self._file is not None:
            self._file.commit()
        self._raise_failure()

    def close(self, *, whole: bool = True) -> None:
        """Write the end of the file, and wait a moment for the disk. Raises as `put` does.

        Without `whole`, the encoders broke off: raise nothing, and keep what is on the disk.
        """
        failed = self._file is not None and self._file.failure is not None
        try:
            if not failed:
                with output_errors(str(self.path), "failed at its end"):
                    self._outlet.close()
            self._close_file()
            self._raise_failure()
        except SdstreamError:
            self._close_file()
            if whole:
                raise

    def _container(self, file: DiskFile, form: str | None) -> OutputContainer:
        try:
            container = av.open(file, "w", format=form)
            if container.format.no_file:  # such as HLS: FFmpeg makes the files
                self._close_file()
                self._file = None
                return av.open(str(self.path), "w", format=form)
        except ValueError as error:  # `form`, or the ending of the file name, is unknown
            raise ConfigError(
                f"sinks: format: FFmpeg has no output format {form or f'for {self.path}'}; expected a format such as "
                "flv, mp4 or matroska"
            ) from error
        container.container_options.update({"flush_packets": "1"}, **_OPTIONS.get(container.format.name, {}))
        return container

    def _close_file(self) -> None:
        if self._file is not None:
            self._file.close()

    def _raise_failure(self) -> None:
        failure = self._file.failure if self._file is not None else None
        if failure is None:
            return
        if isinstance(failure, FileNotFoundError):
            raise Lost(f"recording {self.path} was deleted during the recording; expected the file to stay")
        kind = Forbidden if isinstance(failure, PermissionError) else Unavailable
        raise kind(f"recording {self.path} ended: {failure.strerror}; the file plays up to here; {ADVICE}")


def _require(room: int, file: Path) -> None:
    """Raise Unavailable for a full disk, before a file is made: every try would leave a short file."""
    folder = file.parent
    free = shutil.disk_usage(folder).free if folder.is_dir() else room
    if free < room:
        raise Unavailable(
            f"output {file} cannot be opened: the disk has {free / 1e6:.1f} MB left; expected {room / 1e6:.1f} MB, for "
            "ten seconds: delete files, and the recording begins again"
        )
