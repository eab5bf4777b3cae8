"""A program in OBS's network that passes requests to obs-websocket: a JSON line in, a JSON line out."""

import asyncio
import json
import sys

import simpleobsws

_NOT_READY = 207  # OBS listens before it has loaded its scenes


async def _connected(url: str) -> simpleobsws.WebSocketClient:
    """Return a client once OBS listens; whoever started this program sets the limit."""
    client = simpleobsws.WebSocketClient(url=url)
    while True:
        try:
            await client.connect()
        except OSError:
            await asyncio.sleep(0.1)
        else:
            await client.wait_until_identified()
            return client


async def _ask(client: simpleobsws.WebSocketClient, name: str, data: dict) -> dict:
    while True:
        answer = await client.call(simpleobsws.Request(name, data))
        if answer.requestStatus.code != _NOT_READY:
            status = answer.requestStatus
            return {"code": status.code, "comment": status.comment, "data": answer.responseData or {}}
        await asyncio.sleep(0.1)


async def _serve(url: str) -> None:
    client = await _connected(url)
    while line := await asyncio.to_thread(sys.stdin.readline):
        sys.stdout.write(json.dumps(await _ask(client, *json.loads(line))) + "\n")
        sys.stdout.flush()
    await client.disconnect()


if __name__ == "__main__":
    asyncio.run(_serve(sys.argv[1]))
