"""A client of the control server of a running daemon, for `sdstream ctl`."""

import http.client
import json
import os
from typing import Any
from urllib.parse import quote

from sdstream.errors import Forbidden, Lost, Unavailable, reason
from sdstream.system.tokens import read_token

TIMEOUT = 10.0
"""Seconds for an answer."""


class ControlClient:
    """Sends requests to the server at `address` (`host:port`)."""

    def __init__(self, address: str) -> None:
        """The token is SDSTREAM_TOKEN, or the token that a run of this user has left for the port."""
        self.address = address
        host, _, port = address.rpartition(":")
        self._host, self._port = host.strip("[]"), int(port)
        self.token = os.environ.get("SDSTREAM_TOKEN") or read_token(self._port)
        """"" for a server that gives this user no token: looking may be allowed all the same."""

    def ask(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        """Return the status and the JSON of the answer.

        Raises Lost when no server answers, Forbidden when the server wants a token, Unavailable for an answer that is
        not of a control server.
        """
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        data = None if body is None else json.dumps(body).encode()
        headers |= {} if data is None else {"Content-Type": "application/json"}
        connection = http.client.HTTPConnection(self._host, self._port, timeout=TIMEOUT)
        there = False
        try:
            connection.connect()
            there = True
            connection.request(method, quote(path), data, headers)
            answer = connection.getresponse()
            text = answer.read()
        except (OSError, http.client.HTTPException) as error:
            if there and isinstance(error, TimeoutError):
                raise Lost(
                    f"{self.address} takes connections, and gave no answer for {TIMEOUT:g} s; a run that has just "
                    "begun opens its control server after some seconds: type the line again"
                ) from error
            raise Lost(
                f"no control server answers at {self.address} ({reason(error)}); a run needs "
                f'`control: {{listen: "{self.address}"}}` in its configuration, and --at names another address'
            ) from error
        finally:
            connection.close()
        return answer.status, self._parsed(answer.status, text)

    def _parsed(self, status: int, text: bytes) -> Any:  # JSON
        try:
            parsed = json.loads(text)
        except ValueError as error:
            raise Unavailable(f"{self.address} is no control server of sdstream (status {status})") from error
        if status in (401, 403):
            raise Forbidden(f"{parsed.get('error', status)}; put the server's token into SDSTREAM_TOKEN")
        return parsed
