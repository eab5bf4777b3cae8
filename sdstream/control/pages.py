"""The page for people: files, pictures and looks. What is a file here is a name of a table, never a path."""

from collections.abc import Mapping
from contextlib import aclosing
from http import HTTPStatus
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request, Response
from starlette.responses import JSONResponse, StreamingResponse
from starlette.types import Send

from sdstream.config.base import is_loopback
from sdstream.config.control import ControlSettings
from sdstream.config.looks import looks_of, sheet
from sdstream.control.ports import ServerPorts
from sdstream.control.preview import VIEWS, NoPreview, Preview, View
from sdstream.control.supervisor import Supervisor

PAGES = {"/": "index.html", "/screen": "screen.html"}
"""The pages, by address."""
_KINDS = {".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8", ".js": "text/javascript"}
_FOLDER = Path(__file__).with_name("page")
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
    "form-action 'none'; frame-ancestors 'none'; base-uri 'none'"
)
_TOKEN = b"{{token}}"
_BY_PROXY = ("forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-real-ip")


def page_routes(ports: ServerPorts, supervisor: Supervisor) -> APIRouter:
    """Return the routes of pages, pictures and looks."""
    router = APIRouter(include_in_schema=False)
    files = {f"/page/{file.name}": file for file in _FOLDER.iterdir() if file.suffix in (".css", ".js")}
    files |= {address: _FOLDER / name for address, name in PAGES.items()}
    for address, file in files.items():
        router.add_api_route(address, _file(file, ports), methods=["GET", "HEAD"], response_class=Response)
    _add_pictures(router, Preview(ports.preview))

    @router.get("/api/looks")
    async def looks() -> dict[str, Any]:
        """Return the looks that the engine's model knows; an empty list for a model that may know any word."""
        model = str(supervisor.state.get("show", {}).get("engine", {}).get("model", ""))
        known = looks_of(model)
        names = [{"name": look.name, "words": list(look.words)} for look in known.looks] if known else []
        return {"model": model, "looks": names, "sheet": "/looks.png" if names and sheet() else ""}

    @router.get("/looks.png")
    async def thumbnails() -> Response:
        """Return a picture with a thumbnail of each look of the bundled model."""
        if (picture := sheet()) is None:
            return JSONResponse({"error": "this copy has no thumbnails"}, HTTPStatus.NOT_FOUND)
        return Response(picture.read_bytes(), media_type="image/png")

    return router


def embeds_token(settings: ControlSettings, headers: Mapping[str, str]) -> bool:
    """Tell whether the page may hold the run's token: for browsers on this machine, and for a random token alone.

    A token of the settings is a secret that somebody chose to type. A request by way of a proxy comes from anywhere.
    """
    if not is_loopback(settings.listen) or settings.token is not None or settings.read_token is not None:
        return False
    name = headers.get("host", "").rpartition("]")[0].strip("[") or headers.get("host", "").partition(":")[0]
    return _is_here(name) and not any(header in headers for header in _BY_PROXY)


def _is_here(name: str) -> bool:
    try:
        return name.lower() == "localhost" or ip_address(name).is_loopback
    except ValueError:
        return False


def _file(file: Path, ports: ServerPorts) -> Any:  # a handler of FastAPI
    body, kind = file.read_bytes(), _KINDS[file.suffix]

    async def answer(request: Request) -> Response:
        token = ports.token if _TOKEN in body and embeds_token(ports.settings, request.headers) else ""
        page = body.replace(_TOKEN, token.encode())
        return Response(page, media_type=kind, headers={"Content-Security-Policy": _POLICY})

    return answer


def _add_pictures(router: APIRouter, preview: Preview) -> None:
    def film(view: View) -> Any:  # a handler of FastAPI
        async def answer() -> Response:
            preview.require()
            return _Film(preview, view)

        return answer

    def answer_of(name: str) -> Any:  # a handler of FastAPI
        async def answer() -> Response:
            fetched = await preview.fetch(name)
            return Response(fetched.body, fetched.status, media_type=fetched.kind)

        return answer

    for view in VIEWS:
        router.add_api_route(f"/{view}.mjpeg", film(view), response_class=Response)
        router.add_api_route(f"/{view}.jpg", answer_of(f"{view}.jpg"), response_class=Response)
    router.add_api_route("/status", answer_of("status"), response_class=Response)


class _Film(StreamingResponse):
    """Pictures without end, each as a part of a multipart answer."""

    def __init__(self, preview: Preview, view: View) -> None:
        super().__init__((), media_type="multipart/x-mixed-replace; boundary=picture")
        self._preview, self._view = preview, view

    async def stream_response(self, send: Send) -> None:
        """Send pictures until the preview ends; a slow client gets fewer pictures."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": b"--picture\r\n", "more_body": True})
        async with aclosing(self._preview.watch(self._view)) as pictures:
            async for jpeg in pictures:
                # The boundary follows at once, because a browser shows a picture after the next boundary.
                head = b"Content-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % len(jpeg)
                body = head + jpeg + b"\r\n--picture\r\n"
                await send({"type": "http.response.body", "body": body, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def no_preview(request: Request, error: Exception) -> Response:  # noqa: ARG001 - FastAPI's own signature
    """Answer a request for pictures of a run without a preview."""
    assert isinstance(error, NoPreview)
    return JSONResponse({"error": str(error)}, HTTPStatus.SERVICE_UNAVAILABLE)
