"""A stand-in for the model hub on the loopback: one repository, served as by the real hub."""

import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Self
from urllib.parse import unquote

COMMIT = "a" * 40


class Hub:
    """Serves a folder as `some/model`; safetensors lie in large file storage, under their checksums."""

    def __init__(self, folder: Path) -> None:
        files = {file.relative_to(folder).as_posix(): file.read_bytes() for file in folder.rglob("*") if file.is_file()}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(files))
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def _entry(name: str, content: bytes) -> dict[str, object]:
    entry: dict[str, object] = {
        "type": "file",
        "path": name,
        "size": len(content),
        "oid": hashlib.sha1(content).hexdigest(),
    }
    if name.endswith(".safetensors"):
        entry["lfs"] = {"oid": hashlib.sha256(content).hexdigest(), "size": len(content), "pointerSize": 130}
    return entry


def _handler(files: dict[str, bytes]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.do_GET()

        def do_GET(self) -> None:
            path = unquote(self.path.partition("?")[0])
            resolved = path.removeprefix(f"/some/model/resolve/{COMMIT}/")
            if path in ("/api/models/some/model", "/api/models/some/model/revision/main"):
                names = [{"rfilename": name} for name in files]
                self._json({"id": "some/model", "modelId": "some/model", "sha": COMMIT, "siblings": names})
            elif path == f"/api/models/some/model/tree/{COMMIT}":
                self._json([_entry(name, content) for name, content in files.items()])
            elif resolved in files:
                content = files[resolved]
                lfs = resolved.endswith(".safetensors")
                etag = (hashlib.sha256 if lfs else hashlib.sha1)(content).hexdigest()
                self._send(200, content, {"X-Repo-Commit": COMMIT, "ETag": f'"{etag}"'})
            else:
                self._send(404, b"{}", {"X-Error-Code": "RepoNotFound"})

        def _json(self, thing: object) -> None:
            self._send(200, json.dumps(thing).encode(), {"Content-Type": "application/json"})

        def _send(self, status: int, content: bytes, headers: dict[str, str]) -> None:
            self.send_response(status)
            for key, value in {"Content-Length": str(len(content)), **headers}.items():
                self.send_header(key, value)
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(content)

        def log_message(self, *args: object) -> None:
            """Say nothing."""

    return Handler
