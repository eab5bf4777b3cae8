"""The routes of the surfaces: the table of the controls, the beat, and learning MIDI."""

import time
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Path, Response
from fastapi.responses import HTMLResponse, JSONResponse
from pydantic import BaseModel, ConfigDict, Field, model_validator

from sdstream.control.bodies import CHANGES, REFUSALS, Error, PresetName
from sdstream.control.ports import ServerPorts
from sdstream.control.supervisor import Supervisor
from sdstream.control.surfaces.loop import Surfaces
from sdstream.control.surfaces.midi_device import input_names
from sdstream.control.surfaces.osc import is_open
from sdstream.control.surfaces.osc_page import osc_page
from sdstream.controls.knobs import Knob, all_knobs
from sdstream.errors import Unavailable

_NO_MIDI = "the run has no MIDI; set control.midi"
_NAMED = ("loras", "controlnets", "ip_adapters")
_MIDI_CHANGES = {**CHANGES, 409: {"model": Error}, 422: {"model": Error}}


class LearnBody(BaseModel):
    """What the next knob or pad that moves will do: change `control`, or bring `preset` on air."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)
    control: str = Field("", max_length=300)
    """Dotted name of a control with a single value."""
    value: Annotated[str, Field(max_length=10_000)] | float | bool | None = None
    """Value that a pad sets; without a value, a knob turns and a pad switches."""
    preset: PresetName | None = None
    """Name of a preset."""

    @model_validator(mode="after")
    def _one(self) -> "LearnBody":
        if bool(self.control) == bool(self.preset):
            raise ValueError("give either a control or a preset")
        return self


def surface_routes(ports: ServerPorts, supervisor: Supervisor, surfaces: Surfaces) -> APIRouter:
    """Return the routes."""
    router = APIRouter(tags=["surfaces"])

    def table() -> list[dict[str, Any]]:
        return [_entry(knob, ports) for knob in all_knobs(_own_names(supervisor))]

    @router.get("/api/knobs", responses=REFUSALS)
    async def knobs() -> list[dict[str, Any]]:
        """Return the controls with a single value: OSC address, kind, range, help, and whether OSC is open."""
        return table()

    @router.get("/osc", response_class=HTMLResponse, responses=REFUSALS)
    async def osc() -> Response:
        """Return the table of the OSC addresses as a page."""
        return osc_page(table(), ports.settings.osc)

    @router.post("/api/tap", responses=CHANGES)
    async def tap() -> dict[str, float]:
        """Take this moment as a beat; return the beats a minute (0 before the second tap)."""
        surfaces.hands.beat.tap(time.monotonic())
        return {"per_minute": round(surfaces.hands.beat.per_minute, 2)}

    _midi_routes(router, surfaces)
    return router


def _midi_routes(router: APIRouter, surfaces: Surfaces) -> None:
    @router.get("/api/midi", responses=REFUSALS)
    async def midi() -> dict[str, Any]:
        """Return the learned knobs and pads, and the MIDI inputs of the machine."""
        learned = surfaces.midi.bindings.all if surfaces.midi else []
        entries = [
            {"place": str(one.place), "control": one.control, "value": one.value, "preset": one.preset}
            for one in learned
        ]
        try:
            inputs, why = input_names(), ""
        except Unavailable as error:
            inputs, why = [], str(error)
        learning = surfaces.midi.learning if surfaces.midi else ""
        return {"learned": entries, "learning": learning, "inputs": inputs, "reason": why}

    @router.post("/api/midi/learn", responses=_MIDI_CHANGES)
    async def learn(body: LearnBody) -> JSONResponse:
        """Tie the next knob or pad that moves within 30 s to a control or a preset."""
        if surfaces.midi is None:
            return JSONResponse({"error": _NO_MIDI}, HTTPStatus.CONFLICT)
        try:
            surfaces.midi.learn(body.control, body.value, body.preset or "", time.monotonic())
        except ValueError as error:
            return JSONResponse({"error": str(error)}, HTTPStatus.UNPROCESSABLE_ENTITY)
        return JSONResponse({"learning": body.control or body.preset})

    @router.delete("/api/midi/{name}", responses={**CHANGES, 404: {"model": Error}})
    async def forget(name: Annotated[str, Path(max_length=300)]) -> JSONResponse:
        """Forget the knobs and pads of a control or a preset."""
        gone = surfaces.midi.bindings.forget(name) if surfaces.midi else 0
        if not gone:
            return JSONResponse({"error": f"no knob or pad for {name!r}"}, HTTPStatus.NOT_FOUND)
        return JSONResponse({"forgotten": gone})


def _own_names(supervisor: Supervisor) -> dict[str, list[str]]:
    show = supervisor.state.get("show", {})
    present = supervisor.controls[1]
    return {name: sorted({*show.get(name, ()), *getattr(present, name)}) for name in _NAMED}


def _entry(knob: Knob, ports: ServerPorts) -> dict[str, Any]:
    osc = ports.settings.osc
    return {
        "name": knob.name,
        "address": knob.address,
        "kind": knob.kind,
        "takes": knob.takes,
        "low": knob.low,
        "high": knob.high,
        "usual": knob.usual,
        "choices": list(knob.choices),
        "glide": knob.glide,
        "example": knob.example,
        "help": knob.help,
        "osc": osc is not None and is_open(osc, knob.name),
    }
