"""Finds NDI senders by name, and stays with the machine that a name was resolved to."""

import json
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sdstream.config.sources import NdiSourceSettings
from sdstream.errors import Lost
from sdstream.log import get_logger
from sdstream.system.endpoint import Endpoint, Search
from sdstream.system.ndi_runtime import load_ndi

_PATIENCE = 0.25
_GONE = 10.0  # seconds for which a sender is missing before another machine's sender of the name is taken
_CONFIG = "ndi-config.v1.json"


@dataclass(frozen=True, slots=True)
class NdiName:
    """A sender found on the network."""

    name: str
    """Value for `source.name`: "MACHINE (Name)"."""
    url: str
    """host:port."""


class Finder:
    """NDI's finder; `close` frees the finder."""

    def __init__(self, ndi: Any, extra_ips: Sequence[str] = (), groups: Sequence[str] = ()) -> None:
        """Raises Lost if the runtime makes no finder."""
        self._ndi = ndi  # Any: the binding has no types
        self._finder = ndi.find_create_v2(ndi.FindCreate(True, ",".join(groups) or None, ",".join(extra_ips) or None))
        if self._finder is None:
            raise Lost("the NDI runtime cannot make a finder; check the runtime: sdstream doctor")

    def wait(self, seconds: float) -> None:
        """Wait for a change in the list, up to `seconds`."""
        self._ndi.find_wait_for_sources(self._finder, max(1, int(seconds * 1000)))

    def senders(self) -> list[NdiName]:
        """Return the senders known now, in order of name."""
        found = self._ndi.find_get_current_sources(self._finder)
        return sorted((NdiName(one.ndi_name or "", one.url_address or "") for one in found), key=lambda one: one.name)

    def close(self) -> None:
        """Free the finder; closing twice is harmless."""
        if self._finder is not None:
            self._ndi.find_destroy(self._finder)
            self._finder = None


class NameLock:
    """Resolves a name to a sender, and keeps the machine: two machines may have a sender of the same short name."""

    def __init__(self, wanted: str) -> None:
        """`wanted` is "MACHINE (Name)", or "Name" on any machine."""
        self._wanted = wanted
        self._name = wanted if _is_full(wanted) else ""
        self._seen = time.monotonic()
        self._missed = False

    def resolve(self, senders: Sequence[NdiName], now: float) -> str:
        """Return the URL of the sender; "" while the sender is missing. Call this only while no picture comes."""
        url = next((sender.url for sender in senders if sender.name == self._name), "")
        if url:
            self._seen, self._missed = now, False
            return url
        if not _is_full(self._wanted) and (not self._name or now - self._seen > _GONE):
            return self._take(senders, now)
        self._miss(senders)
        return ""

    def picture_came(self, now: float) -> None:
        """Note that the sender is there."""
        self._seen = now

    def _take(self, senders: Sequence[NdiName], now: float) -> str:
        """Take the first sender of the short name, and tell the machine."""
        matches = [sender for sender in senders if _short(sender.name) == self._wanted]
        if not matches:
            self._miss(senders)
            return ""
        log, chosen = get_logger(), matches[0]
        others = [sender.name for sender in matches[1:]]
        if self._name:
            log.warning("the NDI source is gone; another machine has the name", gone=self._name, now=chosen.name)
        elif others:
            log.warning("several NDI sources have this name; give the full name", taken=chosen.name, others=others)
        else:
            log.info("NDI source found", name=chosen.name)
        self._name, self._seen, self._missed = chosen.name, now, False
        return chosen.url

    def _miss(self, senders: Sequence[NdiName]) -> None:
        if not self._missed:
            names = [sender.name for sender in senders]
            get_logger().warning("no NDI source has this name yet", wanted=self._name or self._wanted, seen=names)
        self._missed = True


def find_sources(timeout: float, extra_ips: Sequence[str] = ()) -> list[NdiName]:
    """Return the senders seen within `timeout` seconds. Raises Unavailable without the NDI runtime."""
    finder = Finder(load_ndi(), extra_ips)
    try:
        deadline = time.monotonic() + timeout
        while (left := deadline - time.monotonic()) > 0:
            finder.wait(min(left, _PATIENCE))
        return finder.senders()
    finally:
        finder.close()


def listing(search: Search) -> list[Endpoint]:
    """Return the senders on the network. Raises Unavailable without the NDI runtime."""
    found = find_sources(search.seconds, search.extra_ips)
    return [Endpoint(sender.name, sender.url, {"kind": "ndi", "name": sender.name}) for sender in found]


def use_discovery_server(settings: NdiSourceSettings, folder: Path) -> None:
    """Point the NDI runtime at the discovery server of `settings`; call this before the runtime is loaded.

    The runtime takes a discovery server from a file only. The other settings of the user's file stay.
    """
    if settings.discovery_server is None:
        return
    given = os.environ.get("NDI_CONFIG_DIR")
    own = (Path(given) if given else Path.home() / ".ndi") / _CONFIG
    known = json.loads(own.read_text()) if own.is_file() else {}
    ndi = known.get("ndi", {})
    networks = {**ndi.get("networks", {}), "discovery": settings.discovery_server}
    (folder / _CONFIG).write_text(json.dumps({"ndi": {**ndi, "networks": networks}}))
    os.environ["NDI_CONFIG_DIR"] = str(folder)
    get_logger().info("NDI discovery server", server=settings.discovery_server)


def _is_full(name: str) -> bool:
    """Tell whether `name` names a machine: "MACHINE (Name)"."""
    return " (" in name and name.endswith(")")


def _short(name: str) -> str:
    """Return "Name" of "MACHINE (Name)"."""
    return name.partition(" (")[2].removesuffix(")")
