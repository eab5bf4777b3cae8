"""The routes of the control server: which address does what."""

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, FastAPI, Path, Request, Response, WebSocket
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.exceptions import HTTPException as StarletteHTTPException

import sdstream
from sdstream.control.access import Access
from sdstream.control.bodies import (
    CHANGES,
    REFUSALS,
    AirBody,
    Changes,
    ControlsNow,
    Error,
    Outcome,
    PresetBody,
    PresetName,
    RecallBody,
)
from sdstream.control.desk import Desk
from sdstream.control.events import serve_events
from sdstream.control.metrics import Metrics
from sdstream.control.pages import no_preview, page_routes
from sdstream.control.ports import ServerPorts
from sdstream.control.preview import NoPreview
from sdstream.control.readiness import obstacles
from sdstream.control.supervisor import Busy, Supervisor
from sdstream.control.surfaces.loop import Surfaces
from sdstream.control.surfaces.routes import surface_routes
from sdstream.controls import Controls
from sdstream.errors import Unavailable

_Preset = Annotated[PresetName, Path(description="Name of a preset")]


def make_app(ports: ServerPorts, supervisor: Supervisor, desk: Desk, surfaces: Surfaces) -> Access:
    """Return the whole server as an ASGI application."""
    app = FastAPI(title="sdstream", version=sdstream.__version__, docs_url=None, redoc_url=None)
    metrics = Metrics()
    app.middleware("http")(_counting(metrics))
    app.include_router(_health(supervisor, metrics))
    app.include_router(_controls(supervisor, desk, metrics))
    app.include_router(_presets(desk))
    app.include_router(page_routes(ports, supervisor))
    app.include_router(surface_routes(ports, supervisor, surfaces))

    @app.websocket("/api/events")
    async def events(socket: WebSocket) -> None:
        await serve_events(socket, supervisor)

    app.add_exception_handler(NoPreview, no_preview)
    app.add_exception_handler(Busy, _answer(HTTPStatus.SERVICE_UNAVAILABLE))
    app.add_exception_handler(Unavailable, _answer(HTTPStatus.SERVICE_UNAVAILABLE))
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(StarletteHTTPException, _http_error)
    return Access(app, ports.settings, ports.token)


def _health(supervisor: Supervisor, metrics: Metrics) -> APIRouter:
    router = APIRouter(tags=["health"])

    @router.get("/healthz")
    async def healthz() -> dict[str, str]:
        """Tell that the control server answers."""
        return {"status": "ok", "version": sdstream.__version__}

    @router.get("/readyz", responses={503: {}})
    async def readyz() -> JSONResponse:
        """Tell whether every output is on air; 503 with the reasons if not."""
        found = obstacles(supervisor.state)
        status = HTTPStatus.SERVICE_UNAVAILABLE if found else HTTPStatus.OK
        return JSONResponse({"ready": not found, "reasons": found}, status)

    @router.get("/metrics", responses=REFUSALS, response_class=Response)
    async def read_metrics() -> Response:
        """Return the metrics of the run in Prometheus' text format."""
        return Response(metrics.text(supervisor.state), media_type=CONTENT_TYPE_LATEST)

    return router


def _controls(supervisor: Supervisor, desk: Desk, metrics: Metrics) -> APIRouter:
    router = APIRouter(tags=["controls"])

    @router.get("/api/state", responses=REFUSALS)
    async def state() -> dict[str, Any]:
        """Return the report of the run so far, and the state of each part; renewed twice a second."""
        return supervisor.state | {"fading": desk.fading, "sdstream": sdstream.__version__}

    @router.get("/api/controls", responses=REFUSALS)
    async def controls() -> ControlsNow:
        """Return the controls in force, and their version."""
        version, present = supervisor.controls
        return ControlsNow(version=version, controls=present)

    @router.get("/api/controls/schema", responses=REFUSALS)
    async def schema() -> dict[str, Any]:
        """Return the JSON schema of the controls: types, ranges, defaults and help."""
        return Controls.model_json_schema()

    @router.patch("/api/controls", responses={**CHANGES, 422: {"model": Outcome}}, response_model=Outcome)
    async def patch(changes: Changes) -> JSONResponse:
        """Change controls by dotted name (`guidance.scale`), or by section; null puts back the default.

        The valid names change with the same frame. 422 when a name was refused: see `refused`.
        """
        verdict = await desk.patch(changes, "http")
        if any(name.partition(".")[0] == "prompt" for name in changes):
            metrics.patches.labels("http", "refused" if verdict["refused"] else "accepted").inc()
        return _outcome(verdict)

    @router.post("/api/air", responses={**CHANGES, 422: {"model": Outcome}}, response_model=Outcome)
    async def air(body: AirBody) -> JSONResponse:
        """Show the camera, the present picture or black on every output, or go back to `live`."""
        return _outcome(await desk.patch({"air": body.air}, "http"))

    @router.post("/api/parts/{name}/restart", responses={**CHANGES, 404: {"model": Error}})
    async def restart(name: Annotated[str, Path(max_length=64)]) -> JSONResponse:
        """Start a part of the run anew, such as `engine`; the outputs go on."""
        answer = await supervisor.restart(name)
        return JSONResponse(answer, HTTPStatus.NOT_FOUND if "error" in answer else HTTPStatus.OK)

    return router


def _presets(desk: Desk) -> APIRouter:
    router = APIRouter(tags=["presets"])

    @router.get("/api/presets", responses=REFUSALS)
    async def presets() -> dict[str, dict[str, Any]]:
        """Return all presets: name, and controls with values."""
        return dict(desk.presets.all)

    @router.put("/api/presets/{name}", responses={**CHANGES, 422: {"model": Error}})
    async def save(name: _Preset, body: PresetBody) -> JSONResponse:
        """Keep the present controls, or the given values, under a name."""
        try:
            return JSONResponse(desk.save(name, body.values, body.only))
        except ValueError as error:
            return JSONResponse({"error": str(error)}, HTTPStatus.UNPROCESSABLE_ENTITY)

    @router.delete("/api/presets/{name}", responses={**CHANGES, 404: {"model": Error}})
    async def delete(name: _Preset) -> JSONResponse:
        """Forget a preset."""
        try:
            desk.presets.delete(name)
        except KeyError:
            return _no_preset(name)
        return JSONResponse({"deleted": name})

    @router.post("/api/presets/{name}/recall", responses={**CHANGES, 404: {"model": Error}, 422: {"model": Outcome}})
    async def recall(name: _Preset, body: RecallBody) -> JSONResponse:
        """Bring a preset on air, at once or over some seconds."""
        try:
            return _outcome(await desk.recall(name, body.seconds))
        except KeyError:
            return _no_preset(name)

    return router


def _no_preset(name: str) -> JSONResponse:
    return JSONResponse({"error": f"no preset {name!r}"}, HTTPStatus.NOT_FOUND)


def _outcome(verdict: dict[str, Any]) -> JSONResponse:
    status = HTTPStatus.UNPROCESSABLE_ENTITY if verdict.get("refused") else HTTPStatus.OK
    return JSONResponse(verdict, status)


def _answer(status: HTTPStatus) -> Callable[[Request, Exception], Awaitable[Response]]:
    async def answer(request: Request, error: Exception) -> Response:  # noqa: ARG001 - FastAPI's own signature
        return JSONResponse({"error": str(error)}, status)

    return answer


async def _http_error(request: Request, error: Exception) -> Response:  # noqa: ARG001 - FastAPI's own signature
    assert isinstance(error, StarletteHTTPException)
    return JSONResponse({"error": error.detail}, error.status_code, error.headers)


async def _invalid(request: Request, error: Exception) -> Response:  # noqa: ARG001 - FastAPI's own signature
    """Answer a body of the wrong shape: each mistake with the name of the field; the sent value is not repeated."""
    assert isinstance(error, RequestValidationError)
    mistakes = [f"{'.'.join(str(part) for part in mistake['loc'])}: {mistake['msg']}" for mistake in error.errors()]
    return JSONResponse({"error": "; ".join(mistakes)[:2000]}, HTTPStatus.UNPROCESSABLE_ENTITY)


def _counting(metrics: Metrics) -> Callable[[Request, Callable[[Request], Awaitable[Response]]], Awaitable[Response]]:
    async def count(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
        response = await call_next(request)
        route = getattr(request.scope.get("route"), "path", "unknown")  # starlette sets the route while routing
        metrics.requests.labels(route, str(response.status_code)).inc()
        return response

    return count
