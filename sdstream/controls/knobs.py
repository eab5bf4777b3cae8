"""The table of the controls that a hand can turn: name, kind, range and help, all from the schema of the controls."""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal
from urllib.parse import quote, unquote

from sdstream.controls import Controls

Kind = Literal["number", "integer", "switch", "choice", "text"]
Schema = Mapping[str, Any]
NAMED = ".*"
"""End of a knob that stands for a name of the user's, such as `loras.*`."""
_WIDEST = 1_000
"""Width of a range for a fader; a seed is no fader."""
_ORDER: tuple[tuple[str, Kind], ...] = (
    ("number", "number"),
    ("integer", "integer"),
    ("boolean", "switch"),
    ("string", "text"),
)


@dataclass(frozen=True)
class Knob:
    """A control with a single value."""

    name: str
    """Dotted name, or a section with `.*` for any name in the section."""
    kind: Kind
    help: str
    low: float | None = None
    high: float | None = None
    usual: tuple[float, float] | None = None
    """Part of the range that a hand plays in; the whole way of a MIDI knob."""
    choices: tuple[str, ...] = ()
    """The words of a choice; a number may have words too."""
    glide: float = 0.0
    """Seconds of the way from the present number to the number asked for."""

    @property
    def address(self) -> str:
        """The OSC address."""
        return address_of(self.name)

    @property
    def example(self) -> str:
        """A value as a hand would send it."""
        if self.usual:
            middle = self.usual[0] + 0.5 * (self.usual[1] - self.usual[0])
            return f"{round(middle) if self.kind == 'integer' else middle:g}"
        if self.choices:
            return self.choices[-1]
        return {"switch": "true", "text": '"ink wash"', "integer": "7"}.get(self.kind, "0.5")

    def value(self, given: object) -> float | int | bool | str:
        """Return the control's value for a value from a surface; a number outside the range is put to the end.

        Raises ValueError for a value of another kind.
        """
        if isinstance(given, bool):
            given = int(given) if self.kind == "switch" else None
        if isinstance(given, str) and (given in self.choices or self.kind == "text"):
            return given
        if not isinstance(given, int | float):
            raise ValueError(f"{self.name} takes {self.takes}")
        match self.kind:
            case "integer" if isinstance(given, int):
                return max(int(self.low or 0), min(given, int(self.high or given)))
            case "number" | "integer":
                return self._within(float(given))
            case "switch":
                return given >= 0.5
            case "choice" if 0 <= given < len(self.choices):
                return self.choices[int(given)]
        raise ValueError(f"{self.name} takes {self.takes}")

    @property
    def takes(self) -> str:
        """The values in words."""
        words = ", ".join(self.choices)
        match self.kind:
            case "choice":
                return f"one of {words}, or 0 to {len(self.choices) - 1}"
            case "switch":
                return "true or false, or 1 or 0"
            case "text":
                return "a text"
        low, high = self.low, self.high
        span = "a number" if low is None or high is None else f"{low:g} to {high:g}"
        span = f"{low} to {high}, whole" if self.kind == "integer" and low is not None else span
        return f"{span}, or {words}" if words else span

    def share(self, share: float) -> float | int | bool | str:
        """Return the value at `share` (0 to 1) of the usual range, for a knob or a fader.

        Raises ValueError for a text, and for a number without an end.
        """
        if self.kind == "choice":
            return self.choices[min(len(self.choices) - 1, int(share * len(self.choices)))]
        if self.kind == "switch":
            return share >= 0.5
        if self.usual is None:
            raise ValueError(f"{self.name} takes {self.takes}, and has no range for a knob")
        low, high = self.usual
        return self.value(low + (high - low) * share)

    def _within(self, number: float) -> float | int:
        if math.isnan(number):
            raise ValueError(f"{self.name} takes {self.takes}")
        low = self.low if self.low is not None else number
        number = min(max(number, low), self.high if self.high is not None else number)
        return number if self.kind == "number" else round(number)


def address_of(name: str) -> str:
    """Return the OSC address of a control: dots become slashes, and a user's name is percent-encoded."""
    section, _, rest = name.partition(".")
    if not rest:
        return f"/{section}"
    own = _named_sections().get(section) is not None
    return f"/{section}/{quote(rest, safe='*') if own else rest.replace('.', '/')}"


def name_of(address: str) -> str:
    """Return the dotted name of an OSC address, whether or not there is such a control."""
    section, _, rest = address.removeprefix("/").partition("/")
    if not rest:
        return section
    return f"{section}.{unquote(rest) if section in _named_sections() else rest.replace('/', '.')}"


def knob_of(name: str) -> Knob | None:
    """Return the knob of a dotted name; None for a name without a single value."""
    table = _table()
    if found := table.get(name):
        return None if name.endswith(NAMED) else found
    section, _, rest = name.partition(".")
    general = _named_sections().get(section) if rest else None
    return None if general is None else _called(general, name)


def is_section(name: str) -> bool:
    """Tell whether a name is a section with controls, such as `guidance` or `loras`."""
    return any(known.startswith(f"{name}.") for known in _table())


def all_knobs(own: Mapping[str, Iterable[str]]) -> list[Knob]:
    """Return every knob; `own` are the user's names in each section, such as {"loras": ["sketch"]}."""
    knobs: list[Knob] = []
    for name, knob in _table().items():
        if name.endswith(NAMED):
            section = name.removesuffix(NAMED)
            knobs += [_called(knob, f"{section}.{each}") for each in own.get(section, ())]
        else:
            knobs.append(knob)
    return knobs


def _called(general: Knob, name: str) -> Knob:
    return Knob(name, general.kind, general.help, general.low, general.high, general.usual, (), general.glide)


@cache
def _table() -> dict[str, Knob]:
    schema = Controls.model_json_schema()
    return {knob.name: knob for knob in _knobs("", schema, "", schema.get("$defs", {}))}


@cache
def _named_sections() -> dict[str, Knob]:
    return {name.removesuffix(NAMED): knob for name, knob in _table().items() if name.endswith(NAMED)}


def _knobs(name: str, schema: Schema, text: str, known: Schema) -> Iterator[Knob]:
    forms = list(_forms(schema, known))
    for form in forms:
        if "properties" in form:
            for inner, part in form["properties"].items():
                yield from _knobs(f"{name}.{inner}" if name else inner, part, part.get("description", ""), known)
            return
        if isinstance(form.get("additionalProperties"), Mapping) and not any(_is_text(other) for other in forms):
            yield from _knobs(f"{name}{NAMED}", form["additionalProperties"], text, known)
            return
    if knob := _single(name, forms, text):
        yield knob


def _single(name: str, forms: list[Schema], text: str) -> Knob | None:
    """Return the knob of a control with one value; a number is preferred to words, and words to a free text."""
    choices = tuple(str(word) for form in forms for word in form.get("enum", ()))
    for type_, kind in _ORDER:
        form = next((form for form in forms if form.get("type") == type_ and "enum" not in form), None)
        if form is None or (kind == "text" and choices):
            continue
        low, high = form.get("minimum"), _most(form)
        return Knob(name, kind, text, low, high, _usual(form, low, high), choices, float(form.get("x-glide", 0.0)))
    return Knob(name, "choice", text, choices=choices) if choices else None


def _usual(form: Schema, low: float | None, high: float | None) -> tuple[float, float] | None:
    if "x-usual" in form:
        return float(form["x-usual"][0]), float(form["x-usual"][1])
    if low is None or high is None or high - low > _WIDEST:
        return None
    return float(low), float(high)


def _is_text(form: Schema) -> bool:
    return form.get("type") == "string" and "enum" not in form


def _most(form: Schema) -> float | None:
    """Return the largest number that a control takes; None without an end."""
    if "exclusiveMaximum" not in form:
        return form.get("maximum")
    most = form["exclusiveMaximum"]
    return most - 1 if form["type"] == "integer" else math.nextafter(most, -math.inf)


def _forms(schema: Schema, known: Schema) -> Iterator[Schema]:
    """Return the alternatives of a schema, with references followed."""
    if "$ref" in schema:
        yield from _forms(known[schema["$ref"].rpartition("/")[2]], known)
    elif parts := schema.get("anyOf") or schema.get("oneOf") or schema.get("allOf"):
        for part in parts:
            yield from _forms(part, known)
    else:
        yield schema
