"""FFmpeg publishes by RTMPS, and with user and password; both by the library in PyAV's wheels."""

import subprocess
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from sdstream.errors import Unavailable
from sdstream.sources.rtmp_server import open_rtmp_server
from sdstream.sources.rtmp_server.address import OLD
from tests.harness.wait import until
from tests.sources.media import make
from tests.sources.rtmp_server.av_publisher import publish
from tests.sources.rtmp_server.local_settings import KEY, listen
from tests.sources.rtmp_server.open_server import opened, source_of
from tests.sources.rtmp_server.rtmp_client import Client

PAGE = Path("docs/rtmp.md")
LOGIN = {"user": "ann", "password": "s3cret"}


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """Make a certificate by the command of the page."""
    folder = tmp_path_factory.mktemp("tls")
    command = PAGE.read_text(encoding="utf-8").split("```sh\n")[1].split("```")[0]
    subprocess.run(["bash", "-c", command], cwd=folder, check=True, capture_output=True, timeout=60)
    return {"tls_certificate": folder / "cert.pem", "tls_key": folder / "key.pem"}


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return make(tmp_path_factory.mktemp("clip") / "clip.flv")


def starts_with_flv(private):
    """Tell whether a publication has come; an empty answer is the end of the connection."""
    private.settimeout(5)
    return private.recv(OLD.size + 3)[OLD.size :] == b"FLV"


def publish_by_tls(port, clip, certificate):
    """Publish, and check the certificate; newer FFmpegs check without being asked."""
    authority = str(certificate["tls_certificate"])
    publish(f"rtmps://localhost:{port}/live/{KEY}", clip, tls_verify="1", ca_file=authority)


def test_a_publisher_comes_in_by_rtmps_and_checks_the_certificate(certificate, clip):
    with opened(**certificate) as (port, address), source_of(address) as private:
        publish_by_tls(port, clip, certificate)
        assert starts_with_flv(private)


def test_a_publisher_without_tls_is_told_so_and_keeps_nobody_out(certificate, clip):
    with capture_logs() as logs, opened(**certificate) as (port, address), source_of(address) as private:
        with Client(port) as plain:
            plain.socket.sendall(b"\3" + bytes(1536))
            assert plain.closed()
        until(lambda: logs, 5, "the log")
        publish_by_tls(port, clip, certificate)
        assert starts_with_flv(private)
    assert any("rtmps:// and not rtmp://" in log.get("reason", "") for log in logs)


def test_silent_peers_at_the_tls_port_keep_nobody_out(certificate, clip):
    with opened(**certificate, max_pending=4) as (port, address), source_of(address) as private:
        silent = [Client(port) for _ in range(20)]
        publish_by_tls(port, clip, certificate)
        assert starts_with_flv(private)
        for peer in silent:
            peer.socket.close()


@pytest.mark.parametrize("content", ["", "no certificate"])
def test_a_file_that_is_no_certificate_is_refused_before_the_show(content, tmp_path):
    file = tmp_path / "cert.pem"
    file.write_text(content)
    with pytest.raises(Unavailable, match=r"source\.tls_certificate.*docs/rtmp\.md"):
        open_rtmp_server(listen(tls_certificate=file))


def test_a_publisher_logs_in_with_user_and_password(clip):
    with opened(**LOGIN) as (port, address), source_of(address) as private:
        assert publish(f"rtmp://ann:s3cret@127.0.0.1:{port}/live/{KEY}", clip) == ""
        assert starts_with_flv(private)


@pytest.mark.parametrize("login", ["", "ann:wrong@", "bob:s3cret@"])
def test_a_publisher_without_the_right_login_is_refused_and_hears_why(login, clip):
    with capture_logs() as logs, opened(**LOGIN) as (port, _):
        said = publish(f"rtmp://{login}127.0.0.1:{port}/live/{KEY}", clip)
        until(lambda: not login or any("wrong user" in log.get("reason", "") for log in logs), 5, "the log")
    assert ("Incorrect username/password" if login else "No credentials set") in said
    assert "s3cret" not in str(logs)


def test_the_right_login_does_not_replace_the_key(clip):
    with opened(**LOGIN) as (port, _):
        assert "wrong stream key" in publish(f"rtmp://ann:s3cret@127.0.0.1:{port}/live/guess", clip)
