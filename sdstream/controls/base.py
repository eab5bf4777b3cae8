"""The base of all controls."""

from pydantic import BaseModel, ConfigDict


class Control(BaseModel):
    """Base of all controls: frozen, strict about unknown keys, without NaN; docstrings become the documentation."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)
