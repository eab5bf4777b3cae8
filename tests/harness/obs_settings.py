"""The settings files of OBS Studio, as the first-run wizard and the settings dialogue would write them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PORT = 4455
"""Of obs-websocket, which listens on every address: it belongs in a private network, and there needs no password."""
_LAST_VERSION = 29 << 24  # an OBS that has run before shows no wizard
NAME = "test"
"""Of the profile and the scene collection."""
SCENE = "Scene"


@dataclass(frozen=True)
class ObsSettings:
    """What the person who streams would choose."""

    width: int
    height: int
    fps: int
    server: str
    """RTMP URL, with the application, that OBS streams to."""
    key: str

    def service(self, key: str | None = None) -> dict[str, Any]:
        """Return the service that OBS streams to, with another key if one is given."""
        return {"server": self.server, "key": key or self.key, "use_auth": False}

    def write(self, folder: Path) -> None:
        """Write everything that OBS reads at its start into its folder below XDG_CONFIG_HOME."""
        profile, scenes = folder / "basic" / "profiles" / NAME, folder / "basic" / "scenes"
        websocket = folder / "plugin_config" / "obs-websocket"
        for needed in (profile, scenes, websocket):
            needed.mkdir(parents=True)
        (folder / "global.ini").write_text(_ini(_GLOBAL))
        (websocket / "config.json").write_text(json.dumps(_WEBSOCKET))
        (profile / "basic.ini").write_text(_ini(self._profile()))
        (profile / "service.json").write_text(json.dumps({"type": "rtmp_custom", "settings": self.service()}))
        (scenes / f"{NAME}.json").write_text(json.dumps(_EMPTY_SCENE))

    def _profile(self) -> dict[str, dict[str, Any]]:
        return {
            "General": {"Name": NAME},
            "Video": {
                "BaseCX": self.width,
                "BaseCY": self.height,
                "OutputCX": self.width,
                "OutputCY": self.height,
                "FPSType": 1,
                "FPSInt": self.fps,
                "ColorFormat": "NV12",
                "ColorSpace": "709",
                "ColorRange": "Partial",
            },
            "Audio": {"SampleRate": 48000, "ChannelSetup": "Stereo"},
            "Output": {"Mode": "Simple", "Reconnect": "false"},
            "SimpleOutput": {
                "StreamEncoder": "x264",
                "VBitrate": 1500,
                "ABitrate": 160,
                "UseAdvanced": "true",
                "Preset": "ultrafast",
                "x264Settings": f"keyint={2 * self.fps} scenecut=0",
            },
        }


_GLOBAL: dict[str, dict[str, Any]] = {
    "General": {
        "FirstRun": "true",
        "LastVersion": _LAST_VERSION,
        "EnableAutoUpdates": "false",
        "ConfirmOnExit": "false",
    },
    "Basic": {
        "Profile": NAME,
        "ProfileDir": NAME,
        "SceneCollection": NAME,
        "SceneCollectionFile": NAME,
        "ConfigOnNewProfile": "false",
    },
    "BasicWindow": {
        "PreviewEnabled": "false",
        "SysTrayEnabled": "true",
        "SysTrayWhenStarted": "true",
        "WarnBeforeStartingStream": "false",
        "WarnBeforeStoppingStream": "false",
    },
    "OBSWebSocket": {  # up to OBS 29; later ones read _WEBSOCKET
        "FirstLoad": "false",
        "ServerEnabled": "true",
        "ServerPort": PORT,
        "AlertsEnabled": "false",
        "AuthRequired": "false",
    },
}
_WEBSOCKET = {
    "first_load": False,
    "server_enabled": True,
    "server_port": PORT,
    "alerts_enabled": False,
    "auth_required": False,
}
_EMPTY_SCENE = {
    "name": NAME,
    "current_scene": SCENE,
    "current_program_scene": SCENE,
    "scene_order": [{"name": SCENE}],
    "sources": [
        {
            "id": "scene",
            "versioned_id": "scene",
            "name": SCENE,
            "settings": {"custom_size": False, "id_counter": 0, "items": []},
            "enabled": True,
        }
    ],
}


def _ini(sections: Mapping[str, Mapping[str, Any]]) -> str:
    lines = []
    for name, values in sections.items():
        lines += [f"[{name}]", *(f"{key}={value}" for key, value in values.items()), ""]
    return "\n".join(lines)
