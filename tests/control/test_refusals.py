"""Every kind of request that must not get through, sent to a real server."""

from typing import Any

import pytest

from tests.harness.control_client import READ_TOKEN, TOKEN, Client

BIG = b'{"prompt": "' + b"x" * 70_000 + b'"}'
CHANGES = [
    ("PATCH", "/api/controls", {"prompt": "ink"}),
    ("POST", "/api/air", {"air": "black"}),
    ("PUT", "/api/presets/one", {}),
    ("DELETE", "/api/presets/one", None),
    ("POST", "/api/presets/one/recall", {}),
    ("POST", "/api/parts/engine/restart", None),
]
LOOKS = ["/api/state", "/api/controls", "/api/controls/schema", "/api/presets", "/metrics", "/openapi.json"]


@pytest.mark.parametrize(("method", "path", "body"), CHANGES)
@pytest.mark.parametrize(
    ("token", "status"), [(None, 401), ("wrong-token-of-a-stranger", 401), (READ_TOKEN, 403), (TOKEN[:-1], 401)]
)
def test_a_change_without_the_token_is_refused(
    client: Client, method: str, path: str, body: Any, token: str | None, status: int
) -> None:
    before = client.ask("GET", "/api/controls").json["version"]
    answer = client.ask(method, path, body, token=token)
    assert (answer.status, "token" in answer.json["error"]) == (status, True)
    assert client.ask("GET", "/api/controls").json["version"] == before


@pytest.mark.parametrize("path", LOOKS)
@pytest.mark.parametrize("token", [None, "wrong-token-of-a-stranger"])
def test_looking_without_a_token_is_refused_where_the_settings_have_a_read_token(
    client: Client, path: str, token: str | None
) -> None:
    assert client.ask("GET", path, token=token).status == 401
    assert client.ask("GET", path, token=READ_TOKEN).status == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8400", "localhost.evil.example", "127.0.0.1.evil.example", "[::1].evil"]
)
def test_a_foreign_host_name_is_refused(client: Client, host: str) -> None:
    assert client.ask("GET", "/api/state", Host=host).status == 403


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:1", "[::1]:8400", "show.example", "SHOW.example:8400"])
def test_an_address_and_a_name_of_the_settings_are_accepted(client: Client, host: str) -> None:
    assert client.ask("GET", "/api/state", Host=host).status == 200


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "http://127.0.0.1:1", "https://localhost", "file://"]
)
@pytest.mark.parametrize(("method", "path", "body"), CHANGES[:2])
def test_a_foreign_web_site_is_refused(client: Client, origin: str, method: str, path: str, body: Any) -> None:
    assert client.ask(method, path, body, Origin=origin).status == 403


def test_the_page_of_the_server_itself_is_no_foreign_site(client: Client) -> None:
    origin = f"http://127.0.0.1:{client.port}"
    assert client.ask("PATCH", "/api/controls", {"air": "live"}, Origin=origin).status == 200


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (BIG, "application/json", 413),
        (b"[" * 10_000, "application/json", 400),
        (b'{"prompt": ' + b"[" * 600 + b"]" * 600 + b"}", "application/json", 422),
        (b'{"a": ' * 600 + b"1" + b"}" * 600, "application/json", 422),
        (b"{", "application/json", 422),
        (b"\xff\xfe", "application/json", 422),
        (b"", "application/json", 422),
        (b"[1]", "application/json", 422),
        (b"{}", "application/json", 422),
        (b'{"no such control": 1}', "application/json", 422),
        (b'{"steps": [9, 8]}', "application/json", 422),
        (b'{"guidance.scale": 1e999}', "application/json", 422),
        (b'{"guidance.scale": NaN}', "application/json", 422),
        (b'{"seed": 1' + b"0" * 5000 + b"}", "application/json", 400),
        (b'{"\\ud800": 1}', "application/json", 422),
        (b'{"prompt": "\\ud800"}', "application/json", 422),
        (b'{"prompt": "ink"}', "text/plain", 415),
        (b"prompt=ink", "application/x-www-form-urlencoded", 415),
        (b'{"prompt": "ink"}', "multipart/form-data", 415),
    ],
)
def test_a_body_that_is_no_patch_changes_nothing(client: Client, body: bytes, kind: str, status: int) -> None:
    before = client.controls()
    answer = client.ask("PATCH", "/api/controls", body, Content_Type=kind)
    assert answer.status == status
    assert client.controls() == before


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/air", 405),
        ("GET", "/api/parts/engine/restart", 405),
        ("GET", "/api/presets/one/recall", 405),
        ("POST", "/api/controls", 405),
        ("TRACE", "/api/state", 405),
        ("GET", "/api/presets/../../etc/passwd", 404),
        ("GET", "/etc/passwd", 404),
        ("POST", "/api/parts/nothing/restart", 404),
        ("DELETE", "/api/presets/nothing", 404),
        ("PUT", "/api/presets/a%2Fb", 404),
        ("PUT", "/api/presets/" + "x" * 65, 422),
        ("PUT", "/api/presets/a%00b", 422),
    ],
)
def test_there_is_no_such_thing_to_do(client: Client, method: str, path: str, status: int) -> None:
    body = {} if method == "PUT" else None
    assert client.ask(method, path, body).status == status


@pytest.mark.parametrize(
    ("sent", "answer"),
    [
        (b"GET /api/state HTTP/1.1\r\nHost: 127.0.0.1\r\nX: " + b"y" * 70_000, b"400"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b""),
        (b"HELLO\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nHost: 127", b""),
        (
            b"PATCH /api/controls HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
            b"Authorization: Bearer " + TOKEN.encode() + b'\r\nContent-Length: 100\r\n\r\n{"prompt',
            b"408",
        ),
    ],
    ids=["headers too long", "TLS", "no HTTP", "half a request", "half a body"],
)
@pytest.mark.slow
def test_what_is_no_request_is_closed_within_seconds(client: Client, sent: bytes, answer: bytes) -> None:
    assert answer in client.raw(sent, seconds=9.0)
    assert client.ask("GET", "/healthz").status == 200
