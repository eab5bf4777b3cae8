"""The bodies of requests and answers, for checking and for the OpenAPI page."""

import json
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from sdstream.config.on_air.patch import is_too_deep
from sdstream.controls import AirOverride, Controls

PresetName = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[^\x00-\x1f/\\]+$")]


def _text(changes: dict[str, Any]) -> dict[str, Any]:
    """Return `changes`. Raises ValueError for half a character (a lone surrogate), which no log could print, and for
    values nested so deep that checking them would exhaust the stack."""
    if is_too_deep(changes):
        raise ValueError("lists and mappings are nested too deep")
    try:
        json.dumps(changes, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise ValueError("the text has half a character (a lone surrogate)") from None
    return changes


Changes = Annotated[dict[str, Any], Field(min_length=1, max_length=128), AfterValidator(_text)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)


class RefusedName(_Body):
    """A name that a patch could not change."""

    name: str
    reason: str
    by: str


class RemarkedName(_Body):
    """A changed prompt that is not understood as written, such as the syntax of another program."""

    name: str
    text: str
    """What is not understood, and what to write instead."""


class Outcome(_Body):
    """The outcome of a patch: the valid names have changed, each refused name has a reason."""

    version: int
    """Version of the controls in force."""
    refused: list[RefusedName]
    remarks: list[RemarkedName]


class ControlsNow(_Body):
    """The controls in force."""

    version: int
    controls: Controls


class AirBody(_Body):
    """The override of every output."""

    air: AirOverride


class PresetBody(_Body):
    """A preset to keep: `values`, or the present controls, or `only` some of the present controls."""

    values: Changes | None = None
    """Controls by name; the present controls by default."""
    only: list[Annotated[str, Field(max_length=300)]] = Field([], max_length=128)
    """Names to keep of the present controls; all but `air` by default."""


class RecallBody(_Body):
    """How a preset comes on air."""

    seconds: float = Field(0.0, ge=0, le=3600, allow_inf_nan=False)
    """Seconds of the crossfade."""


class Error(_Body):
    """Why a request was refused."""

    error: str


REFUSALS: dict[int | str, dict[str, Any]] = {
    401: {"model": Error},
    403: {"model": Error},
    429: {"model": Error},
    503: {"model": Error},
}
"""Answers, beside the good answer, of a request that looks, for the OpenAPI page."""
CHANGES: dict[int | str, dict[str, Any]] = {
    **REFUSALS,
    **{status: {"model": Error} for status in (400, 408, 413, 415)},
}
"""The same of a request that changes something."""
