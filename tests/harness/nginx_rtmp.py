"""nginx with its RTMP module: a real server with an open application and a stand-in for Twitch."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.harness.network import Network
from tests.harness.programs import running
from tests.harness.wait import until

_MODULE = Path("/usr/lib/nginx/modules/ngx_rtmp_module.so")
_SYSTEM = "/usr/sbin"  # where nginx is, and where the PATH of an ordinary user of Debian does not lead
_CONFIG = """
load_module {module};
worker_processes 1;
daemon off;
user root;
pid {folder}/nginx.pid;
error_log {folder}/nginx.log info;
events {{ worker_connections 64; }}
rtmp {{
  access_log off;
  server {{
    listen 127.0.0.1:1935;
    notify_method get;
    application live {{ live on; }}
    application app {{
      live on;
      on_publish http://127.0.0.1:8081/auth;
      record all;
      record_path {folder};
      record_suffix .flv;
    }}
  }}
}}
http {{
  access_log off;
  client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
  uwsgi_temp_path {folder}; scgi_temp_path {folder};
  server {{
    listen 127.0.0.1:8081;
    location /auth {{ if ($arg_name = {key}) {{ return 200; }} return 403; }}
  }}
}}
"""


def missing() -> str | None:
    """Return why it cannot be started here, or None when it can."""
    if _nginx() and _MODULE.exists():
        return None
    return "no nginx with its RTMP module: sudo apt install nginx libnginx-mod-rtmp"


@dataclass(frozen=True)
class RtmpServer:
    """Where to publish to, and where recordings end up."""

    folder: Path
    open: str = "rtmp://127.0.0.1:1935/live"
    keyed: str = "rtmp://127.0.0.1:1935/app"

    def recording(self, key: str) -> Path:
        """Return the file with what was published under `key`."""
        return self.folder / f"{key}.flv"


@contextmanager
def rtmp_server(folder: Path, key: str, private: Network) -> Iterator[RtmpServer]:
    """Run it in a private network as long as the block lasts; only `key` may be published to the stand-in.

    Whoever we are outside, in a private network we are root: that is whom nginx stays.
    """
    nginx = _nginx()
    assert nginx
    config = folder / "nginx.conf"
    config.write_text(_CONFIG.format(module=_MODULE, folder=folder, key=key))
    with running(private.command(nginx, "-c", str(config)), folder / "nginx.out"):
        until((folder / "nginx.pid").exists, 5, "nginx listens")
        yield RtmpServer(folder)


def _nginx() -> str | None:
    return shutil.which("nginx", path=os.pathsep.join((os.environ.get("PATH", os.defpath), _SYSTEM)))
