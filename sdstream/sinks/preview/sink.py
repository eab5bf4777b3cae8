"""The preview as a sink: a small web server, driven by the clock of the sink, without a thread."""

import hmac
import json
import time
from http import HTTPStatus
from pathlib import Path
from typing import Self

from sdstream import __version__
from sdstream.config.looks import sheet
from sdstream.config.sinks import PreviewSinkSettings
from sdstream.controls import readable
from sdstream.frame import Frame, Samples
from sdstream.log import get_logger
from sdstream.sinks import Due
from sdstream.sinks.context import SinkContext
from sdstream.sinks.preview.client import Answer, Request
from sdstream.sinks.preview.picture_rate import PictureRate
from sdstream.sinks.preview.pictures import VIEWS, Pictures
from sdstream.sinks.preview.server import Server
from sdstream.system.endpoint import Endpoint
from sdstream.system.listening import is_address, listen_at

_KEEP_AFTER = 10.0
"""Seconds to keep camera pictures after the last client, so that a client with rare requests gets pairs as well."""

_RESTYLED = ("live", "held")
"""The rungs with a picture of the engine."""


def listing() -> list[Endpoint]:
    """Return the page at the default address."""
    settings = {"kind": "preview", "listen": "127.0.0.1:8400"}
    return [Endpoint("preview page", "", settings, "for browsers on this machine")]


class PreviewSink:
    """A preview page. Pictures are encoded for waiting clients only, at most `fps` times a second."""

    def __init__(self, settings: PreviewSinkSettings, context: SinkContext) -> None:
        self._settings, self._canvas, self._info = settings, context.canvas, context.preview
        key = settings.key.get_secret_value() if settings.key else ""
        self._root = f"/{key}/" if key else "/"
        self._page = Path(__file__).with_name("page.html").read_bytes()
        self._pictures = Pictures(context.canvas, settings.width)
        self._rate = PictureRate()
        self._due = self._keep_until = 0.0
        self._port = 0
        self._server: Server | None = None

    def __enter__(self) -> Self:
        """Listen. Raises Unavailable when the port is taken, Forbidden when the port is privileged."""
        listener = listen_at(self._settings.listen, "the preview's listen")
        self._port = int(listener.getsockname()[1])
        self._server = Server(listener, self._settings.clients, self._answer)
        host = self._settings.listen.rpartition(":")[0]
        root = "/" if self._root == "/" else "/KEY/"
        get_logger().info("preview page open", url=f"http://{host}:{self._port}{root}")
        return self

    def __exit__(self, *exc: object) -> None:
        """Close all connections."""
        if self._server is not None:
            self._server.close()

    def send(self, frame: Frame, sound: Samples, due: Due) -> None:
        """Show a picture to all clients that keep up, and drop the sound."""
        del sound, due
        assert self._server is not None
        now = time.monotonic()
        if len(self._server):
            self._keep_until = now + _KEEP_AFTER
        self._pictures.update(frame, self._info.camera(), keep=now < self._keep_until)
        self._rate.record(now, self._info.showing(), frame)
        self._server.serve(now)
        if now < self._due:
            return
        step = 1 / self._settings.fps
        self._due = self._due + step if now - self._due < step else now + step
        for view in self._server.mjpeg_views:
            jpeg = self._pictures.jpeg(view)
            if jpeg is not None:
                self._server.show(view, jpeg, now)

    def facts(self) -> dict[str, float]:
        """Return the number of connections, and the port: with port 0 in the settings, the system chooses the port."""
        return {"connections": float(len(self._server or ())), "port": float(self._port)}

    def _answer(self, request: Request) -> Answer:
        if request.method not in ("GET", "HEAD"):
            return _text(HTTPStatus.METHOD_NOT_ALLOWED, "this page is read-only; use GET or HEAD")
        if self._root == "/" and not is_address(request.host):
            # By DNS rebinding, a web site may point a host name at our address, and read the camera picture.
            return _text(
                HTTPStatus.FORBIDDEN,
                "open the page by IP address, as in http://127.0.0.1:PORT/, or give the preview a `key`",
            )
        if hmac.compare_digest(f"{request.path}/".encode("latin-1"), self._root.encode("latin-1")):
            # Without the last slash a browser would ask for the pictures beside the key, not below.
            return Answer(HTTPStatus.PERMANENT_REDIRECT, location=self._root)
        here = request.path[: len(self._root)].encode("latin-1")
        if not hmac.compare_digest(here, self._root.encode("latin-1")):
            return _text(HTTPStatus.NOT_FOUND, "no such page; check the key in the address")
        return self._page_named(request.path[len(self._root) :])

    def _page_named(self, name: str) -> Answer:
        if name == "":
            return Answer(HTTPStatus.OK, "text/html; charset=utf-8", self._page)
        if name == "status":
            return Answer(HTTPStatus.OK, "application/json", json.dumps(self._status(), ensure_ascii=False).encode())
        if name == "looks.png" and self._info.looks and (picture := sheet()):
            return Answer(HTTPStatus.OK, "image/png", picture.read_bytes())
        stem, _, ending = name.rpartition(".")
        view = next((view for view in VIEWS if view == stem), None)
        if view is None or ending not in ("jpg", "mjpeg"):
            return _text(
                HTTPStatus.NOT_FOUND,
                "no such page; expected status, {show,camera,pair}.jpg or {show,camera,pair}.mjpeg",
            )
        if ending == "mjpeg":
            return Answer(HTTPStatus.OK, mjpeg=view)
        jpeg = self._pictures.jpeg(view)
        if jpeg is None:
            return _text(HTTPStatus.SERVICE_UNAVAILABLE, "there is no camera picture yet; try again")
        return Answer(HTTPStatus.OK, "image/jpeg", jpeg)

    def _status(self) -> dict[str, object]:
        controls, loading, showing = self._info.controls(), self._info.loading(), self._info.showing()
        return {
            "version": __version__,
            "showing": showing,
            "restyled": showing in _RESTYLED and self._info.restyles,
            "restyles": self._info.restyles,
            "loading": {"phase": loading.phase, "step": loading.step, "steps": loading.steps},
            "fps": round(self._rate.fps, 2),
            "latency": None if (late := self._rate.latency) is None else round(late, 4),
            "prompt": readable(controls.prompt),
            "looks": self._info.looks,
            "cues": len(controls.cues),
            "width": self._canvas.width,
            "height": self._canvas.height,
            "connections": len(self._server or ()),
        }


def _text(status: HTTPStatus, message: str) -> Answer:
    return Answer(status, body=f"{message}\n".encode())
