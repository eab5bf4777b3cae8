"""Each table has a row for each kind of setting, and the names in a row lead to code."""

import inspect
import sys
from typing import get_args

import pytest

from scripts import kinds
from sdstream.cli.families import FAMILIES, checks
from sdstream.config.engine import AnyEngine, PassthroughSettings
from sdstream.config.sinks import AnySink, DiscardSinkSettings
from sdstream.config.sources import AnySource, TestsrcSourceSettings
from sdstream.engine import Engine
from sdstream.errors import Bug, Forbidden, Unavailable
from sdstream.sinks import Sink
from sdstream.sinks.registry import KINDS as SINKS
from sdstream.sources import Source, cameras
from sdstream.system.endpoint import Endpoint, Search
from sdstream.system.kinds import Kind, kind_of, resolve

KINDS = [kind for family in FAMILIES.values() for kind in family]
DOUBLES = [
    (Source, "source", TestsrcSourceSettings),
    (Engine, "engine", PassthroughSettings),
    (Sink, "sinks", DiscardSinkSettings),
]


def classes(union: object) -> set[type]:
    """Return the settings classes of a union; each may be annotated with a tag."""
    members = get_args(get_args(union)[0])
    return {(get_args(member) or (member,))[0] for member in members}


def parameters(function: object) -> list[str]:
    return list(inspect.signature(function).parameters)


def is_asked(member: object, protocol: type) -> bool:
    """Tell a method that the protocol states from those that `typing` adds."""
    return inspect.isfunction(member) and member.__module__ == protocol.__module__


@pytest.mark.parametrize(("family", "union"), [("source", AnySource), ("engine", AnyEngine), ("sinks", AnySink)])
def test_every_settings_class_has_one_row(family: str, union: object):
    rows = [kind.settings for kind in FAMILIES[family]]
    assert len(rows) == len(set(rows))
    assert set(rows) == classes(union)


@pytest.mark.parametrize("name", sorted({kind.opener for kind in KINDS} | {kind.listing for kind in KINDS} - {""}))
def test_the_name_in_a_row_leads_to_a_callable(name: str):
    assert callable(resolve(name))


@pytest.mark.parametrize("name", checks())
def test_a_check_needs_no_arguments_and_loads_no_library(name: str):
    before = set(sys.modules)
    check = resolve(name)
    assert all(value.default is not value.empty for value in inspect.signature(check).parameters.values())
    assert not {"torch", "openvino", "NDIlib", "pyvirtualcam"} & (set(sys.modules) - before)


@pytest.mark.parametrize(("protocol", "family", "settings"), DOUBLES)
def test_a_double_has_what_its_protocol_asks_for(protocol: type, family: str, settings: type):
    double = resolve(next(kind.opener for kind in FAMILIES[family] if kind.settings is settings))
    members = {name: member for name, member in vars(protocol).items() if isinstance(member, property)}
    methods = {name: member for name, member in vars(protocol).items() if is_asked(member, protocol)}
    assert [name for name in (*members, *methods) if not hasattr(double, name)] == []
    assert {name: parameters(getattr(double, name)) for name in methods} == {
        name: parameters(member) for name, member in methods.items()
    }


def test_settings_that_no_row_serves_are_a_bug():
    with pytest.raises(Bug, match="TestsrcSourceSettings"):
        kind_of(TestsrcSourceSettings(kind="testsrc"), SINKS)


def test_a_kind_without_its_extra_names_the_extra():
    kind = Kind(TestsrcSourceSettings, "no_such_library:Name", extra="more")
    with pytest.raises(Unavailable, match=r"testsrc needs no_such_library.*pip install .*\[more\]'"):
        kind.load()


def test_a_missing_module_of_our_own_is_no_missing_extra():
    with pytest.raises(ModuleNotFoundError):
        Kind(TestsrcSourceSettings, "sdstream.no_such_module:Name", extra="more").load()


@pytest.mark.skipif(sys.platform != "linux", reason="Video4Linux is Linux's")
def test_a_camera_that_refuses_is_listed_with_its_reason(monkeypatch: pytest.MonkeyPatch):
    from sdstream.system import v4l2

    def refuse(path: str) -> None:
        raise Forbidden("not in the group video")

    monkeypatch.setattr(v4l2, "labels", lambda: {"/dev/video0": "Desk"})
    monkeypatch.setattr(v4l2, "query", refuse)
    settings = {"kind": "ffmpeg", "url": "/dev/video0", "format": "v4l2"}
    assert cameras.listing(Search()) == [Endpoint("Desk", "/dev/video0", settings, "not in the group video")]


def test_the_guide_has_the_tables():
    page = kinds.PAGE.page.read_text(encoding="utf-8")
    assert kinds.PAGE.written(kinds.table()) == page
    assert kinds.table() in page
