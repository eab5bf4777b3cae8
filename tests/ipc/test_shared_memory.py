"""A small /dev/shm, as containers have it."""

import os
from pathlib import Path

import pytest

from sdstream.cli import doctor_machine
from sdstream.config.schema import Config
from sdstream.errors import Unavailable
from sdstream.ipc import shared_memory
from sdstream.ipc.shared_memory import free_bytes, require
from sdstream.supervisor.pipeline import Pipeline

pytestmark = pytest.mark.skipif(free_bytes() is None, reason="only Linux keeps shared memory in a file system")
DOCKER = 64 << 20
"""What a container has if nobody asks for more."""


@pytest.fixture
def free(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> int:
    monkeypatch.setattr(shared_memory, "free_bytes", lambda *place: request.param)
    return int(request.param)


def config(width: int, height: int) -> Config:
    parts = {"source": {"kind": "testsrc"}, "engine": {"kind": "passthrough"}, "sinks": [{"kind": "discard"}] * 2}
    return Config.model_validate({"version": 1, "canvas": {"width": width, "height": height}, **parts})


@pytest.mark.parametrize("free", [DOCKER], indirect=True)
@pytest.mark.usefixtures("free")
def test_a_run_that_does_not_fit_is_refused_before_it_takes_anything() -> None:
    said = r"pictures of 3840x2160 for 2 outputs need 249 MB .* has 67 MB free; run sudo mount .*--shm-size=1g"
    before = os.statvfs("/dev/shm").f_bavail
    with pytest.raises(Unavailable, match=said):
        Pipeline(config(3840, 2160))
    assert os.statvfs("/dev/shm").f_bavail >= before


@pytest.mark.parametrize("free", [DOCKER], indirect=True)
@pytest.mark.usefixtures("free")
def test_a_run_that_fits_is_not_refused() -> None:
    Pipeline(config(1920, 1080))._wiring.close()


@pytest.mark.parametrize(
    ("free", "state"), [(8 << 20, "missing"), (DOCKER, "note"), (1 << 30, "ok")], indirect=["free"]
)
def test_doctor_tells_small_shared_memory_with_the_line_that_enlarges_it(free: int, state: str) -> None:
    finding = doctor_machine.shared_memory()
    assert finding.state == state
    assert finding.fix == ("" if state == "ok" else shared_memory.enlarge(1))


def test_a_place_that_is_not_there_has_no_room(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="has 0 MB free"):
        require(1, "pictures", tmp_path / "absent")


def test_the_free_room_of_a_file_system_is_measured(tmp_path: Path) -> None:
    assert free_bytes(tmp_path) == pytest.approx(os.statvfs(tmp_path).f_bavail * os.statvfs(tmp_path).f_frsize, rel=0.1)
