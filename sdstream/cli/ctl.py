"""`sdstream ctl …`: looks at a running daemon, and changes controls while on air, through the control server."""

import json
from http import HTTPStatus
from typing import Annotated, Any

import typer

from sdstream.cli.control_client import ControlClient
from sdstream.cli.output import say, say_json_text, tell_line
from sdstream.errors import ConfigError, Lost, reason

ctl = typer.Typer(help="Look at and change a show on air.", no_args_is_help=True, rich_markup_mode=None)
preset = typer.Typer(help="Keep presets, and bring presets on air.", no_args_is_help=True, rich_markup_mode=None)
midi = typer.Typer(help="Tie knobs and pads of a MIDI controller.", no_args_is_help=True, rich_markup_mode=None)
ctl.add_typer(preset, name="preset")
ctl.add_typer(midi, name="midi")

At = Annotated[
    str,
    typer.Option("--at", metavar="HOST:PORT", envvar="SDSTREAM_CONTROL", help="Address of the control server."),
]
HERE = "127.0.0.1:8402"
PresetName = Annotated[str, typer.Argument(help="Name of the preset.", show_default=False)]


@ctl.command()
def state(at: At = HERE) -> None:
    """Print the state of the run as JSON."""
    _print(_ask(at, "GET", "/api/state"))


@ctl.command()
def get(
    name: Annotated[str, typer.Argument(help="Dotted name of a control; all controls by default.")] = "",
    at: At = HERE,
) -> None:
    """Print a control, or all controls, as JSON."""
    value = _ask(at, "GET", "/api/controls")["controls"]
    for part in name.split(".") if name else ():
        if not isinstance(value, dict) or part not in value:
            raise typer.BadParameter(f"no control {name!r}")
        value = value[part]
    _print(value)


@ctl.command("set")
def set_(
    changes: Annotated[list[str], typer.Argument(metavar="NAME=VALUE…", help="Changes, such as guidance.scale=1.4.")],
    at: At = HERE,
) -> None:
    """Change controls, all with the same frame; exit 78 when a name was refused."""
    _report(_ask(at, "PATCH", "/api/controls", dict(_change(text) for text in changes)))


@ctl.command()
def air(
    picture: Annotated[str, typer.Argument(metavar="live|bypass|freeze|black", help="The picture of every output.")],
    at: At = HERE,
) -> None:
    """Show the camera (`bypass`), the present picture (`freeze`) or black at once, or go back to `live`."""
    _report(_ask(at, "PATCH", "/api/controls", {"air": picture}))


@ctl.command()
def restart(
    part: Annotated[str, typer.Argument(help="Name of a part, as `state` prints it: engine, source, ndi, …")],
    at: At = HERE,
) -> None:
    """Start a part of the run anew, while the outputs go on."""
    _ask(at, "POST", f"/api/parts/{part}/restart")


@ctl.command()
def tap(at: At = HERE) -> None:
    """Tap the beat of the music, and print the beats a minute."""
    say(f"{_ask(at, 'POST', '/api/tap')['per_minute']:g}")


@ctl.command()
def knobs(at: At = HERE) -> None:
    """Print the controls for OSC and MIDI: address, values, example."""
    for knob in _ask(at, "GET", "/api/knobs"):
        say(f"{knob['address']} {knob['example']}  ({knob['takes']})")


@ctl.command()
def watch(at: At = HERE) -> None:
    """Print each change of the controls, and the state twice a second: a line of JSON each, until Ctrl-C."""
    from websockets.exceptions import WebSocketException
    from websockets.sync.client import connect
    from websockets.typing import Subprotocol

    client = ControlClient(at)
    protocols = [Subprotocol(f"sdstream.token.{client.token}")] if client.token else None
    try:
        with connect(f"ws://{at}/api/events", subprotocols=protocols) as events:
            for event in events:
                say(str(event))
    except (OSError, WebSocketException) as error:
        raise Lost(f"no events from the control server at {at}: {reason(error)}") from error


@preset.command("list")
def list_(at: At = HERE) -> None:
    """Print the names of all presets."""
    for name in _ask(at, "GET", "/api/presets"):
        say(name)


@preset.command()
def save(
    name: PresetName,
    only: Annotated[
        list[str] | None, typer.Option("--only", metavar="NAME", help="Keep these controls alone; may be repeated.")
    ] = None,
    at: At = HERE,
) -> None:
    """Keep the present controls as a preset."""
    _ask(at, "PUT", f"/api/presets/{name}", {"only": only or []})


@preset.command()
def recall(
    name: PresetName,
    seconds: Annotated[float, typer.Option("--seconds", min=0, max=3600, help="Seconds of the crossfade.")] = 0.0,
    at: At = HERE,
) -> None:
    """Bring a preset on air, at once or over some seconds."""
    _report(_ask(at, "POST", f"/api/presets/{name}/recall", {"seconds": seconds}))


@preset.command()
def delete(name: PresetName, at: At = HERE) -> None:
    """Forget a preset."""
    _ask(at, "DELETE", f"/api/presets/{name}")


@midi.command("list")
def list_midi(at: At = HERE) -> None:
    """Print the MIDI inputs of the machine, and the learned knobs and pads, as JSON."""
    _print(_ask(at, "GET", "/api/midi"))


@midi.command()
def learn(
    name: Annotated[str, typer.Argument(help="Dotted name of a control, or the name of a preset.")],
    value: Annotated[str, typer.Option("--value", help="Value that a pad sets; by default a pad switches.")] = "",
    is_preset: Annotated[bool, typer.Option("--preset", help="The name is the name of a preset.")] = False,
    at: At = HERE,
) -> None:
    """Tie the next knob or pad that moves within 30 seconds to a control or a preset."""
    body = {"preset": name} if is_preset else {"control": name}
    given = {"value": _change(f"value={value}")[1]} if value else {}
    _ask(at, "POST", "/api/midi/learn", body | given)
    say(f"now move the knob, or press the pad, for {name}")


@midi.command()
def forget(name: Annotated[str, typer.Argument(help="Name of a control or a preset.")], at: At = HERE) -> None:
    """Forget the knobs and pads of a control or a preset."""
    _ask(at, "DELETE", f"/api/midi/{name}")


def _ask(at: str, method: str, path: str, body: object = None) -> Any:  # JSON
    status, answer = ControlClient(at).ask(method, path, body)
    if status == HTTPStatus.UNPROCESSABLE_ENTITY and "refused" in answer:
        return answer
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        raise Lost(f"the run is busy: {answer.get('error', status)}; try again")
    if status >= HTTPStatus.BAD_REQUEST:
        raise ConfigError(str(answer.get("error", status)))
    return answer


def _change(text: str) -> tuple[str, Any]:
    """Return name and value of `name=value`; a value that is no JSON is text. Raises BadParameter."""
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise typer.BadParameter(f"{text!r}: expected NAME=VALUE, such as prompt='ink wash'")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def _report(verdict: dict[str, Any]) -> None:
    for remark in verdict.get("remarks", ()):  # a daemon of an earlier version makes none
        tell_line(f"note: {remark['name']}: {remark['text']}")
    if refused := verdict["refused"]:
        raise ConfigError("\n".join(f"{refusal['name']}: {refusal['reason']}" for refusal in refused))


def _print(value: object) -> None:
    say_json_text(json.dumps(value, indent=2, ensure_ascii=False))
