"""A run with a control server, and a client of the server."""

import http.client
import json
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sdstream.config.engine import DiffusionSettings
from tests.harness.pipeline_run import PipelineRun

TOKEN = "a-token-of-the-tests-alone"
READ_TOKEN = "a-token-for-looking-only"
RATE = 500.0


@dataclass
class Answer:
    status: int
    body: bytes
    headers: dict[str, str]

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Client:
    run: PipelineRun
    port: int

    def ask(self, method: str, path: str, body: Any = None, token: str | None = TOKEN, **headers: str) -> Answer:
        given = {"Content-Type": "application/json"} if body is not None else {}
        given |= {"Authorization": f"Bearer {token}"} if token else {}
        given |= {name.replace("_", "-"): value for name, value in headers.items()}
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request(method, path, data, given)
            answer = connection.getresponse()
            names = {name.lower(): value for name, value in answer.getheaders()}
            return Answer(answer.status, answer.read(), names)
        finally:
            connection.close()

    def raw(self, data: bytes, seconds: float = 8.0) -> bytes:
        """Send bytes as they are, and return all that comes back until the server closes the connection."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=seconds) as connection:
            connection.sendall(data)
            received = b""
            while part := connection.recv(65536):
                received += part
                if b"\r\n\r\n" in received and b"content-length: " in received.lower():
                    break
            return received

    def controls(self) -> dict[str, Any]:
        return dict(self.ask("GET", "/api/controls").json["controls"])


@contextmanager
def with_prompts(run: PipelineRun) -> Iterator[None]:
    """Check patches as for a run with a diffusion model, inside this block: `passthrough` reads no prompt."""
    desk, config = run.pipeline.desk, run.config
    desk.follow(DiffusionSettings(model="someone/model"), config.source)
    try:
        yield
    finally:
        desk.follow(config.engine, config.source)


def start(**settings: Any) -> PipelineRun:
    control = {"listen": "127.0.0.1:0", "rate": RATE, **settings}
    return PipelineRun({"kind": "testsrc"}, control=control)


def port_of(run: PipelineRun) -> int:
    """Return the port, once the server answers: a listening socket alone takes connections before."""
    ports = run.pipeline._wiring.control_ports
    assert ports is not None
    return int(ports.listener.getsockname()[1])


def connected(run: PipelineRun) -> Client:
    client = Client(run, port_of(run))
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            if client.ask("GET", "/readyz", token=None).status == 200:
                return client
        except OSError:
            pass
        time.sleep(0.05)
    raise AssertionError("the control server never got ready")
