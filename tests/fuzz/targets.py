"""The doors for strangers' bytes, each as a function of bytes: any answer is right, any other exception is a bug.

The corpus of a target lies in the folder of the target's name, and `mutants` runs a target by atheris.
"""

import contextlib
import io
import json
import socket
import struct
import tempfile
import time
from collections.abc import Callable, Mapping
from http import HTTPStatus
from pathlib import Path


def config(data: bytes) -> None:
    """Read a configuration, and show it; nothing of a key is quoted."""
    from sdstream.config.load import loads
    from sdstream.config.printing.document import effective_yaml
    from sdstream.errors import ConfigError, Forbidden

    try:
        effective_yaml(loads(data.decode("utf-8", "replace"), "fuzz", (), {"KEY": "canary-4711"}))
    except (ConfigError, Forbidden) as error:
        assert "canary" not in str(error)  # noqa: PT017 - not in a test


def url(data: bytes) -> None:
    """Mask a URL: a key at its end is never shown."""
    from sdstream.redact import mask_url, redact

    text = f"rtmp://user:{data.decode('utf-8', 'replace')}/app/canary-4711"
    assert "canary" not in mask_url(text)
    assert "canary" not in redact(f"{text}: canary-4711", text)


def safetensors(data: bytes) -> None:
    """Read the header of a safetensors file, and of a LoRA's metadata what scales the LoRA."""
    from sdstream.engine.weights.files import check_safetensors
    from sdstream.errors import Unavailable

    with tempfile.NamedTemporaryFile(suffix=".safetensors") as file:
        file.write(data)
        file.flush()
        with contextlib.suppress(Unavailable):
            header = check_safetensors(Path(file.name))
            assert all(size >= 0 for shape in header.shapes.values() for size in shape)


def lora(data: bytes) -> None:
    """Read rank and alpha from the metadata of a LoRA."""
    from sdstream.engine.adapters import lora_header

    with contextlib.suppress(ValueError, TypeError, ArithmeticError, AttributeError, RecursionError):
        fields = json.loads(data)
        for key in ("rank_pattern", "alpha_pattern"):
            lora_header._of_module(fields, key, "unet.down_blocks.0.attentions.0.to_q", 4)


def prompt(data: bytes) -> None:
    """Split a prompt into parts with weights: finite, and in bounds."""
    from sdstream.engine.conditioning.prompt_weights import WEIGHT_LIMIT, parse_weights

    for text, weight in parse_weights(data.decode("utf-8", "replace")):
        assert text
        assert -WEIGHT_LIMIT <= weight <= WEIGHT_LIMIT


def preview(data: bytes) -> None:
    """Serve a client of the preview page that sends anything."""
    from sdstream.sinks.preview.client import Answer, Client, Gone, Request

    def answer(request: Request) -> Answer:
        return Answer(HTTPStatus.OK if request.path == "/" else HTTPStatus.NOT_FOUND, body=b"x")

    ours, theirs = socket.socketpair()
    client = Client(ours, answer, 0.0)
    with contextlib.suppress(Gone):
        for number in range(0, min(len(data), 65536), 4096):
            theirs.send(data[number : number + 4096])
            client.serve(number / 4096)
        client.serve(100.0)
    client.close()
    theirs.close()


def demuxer(data: bytes) -> None:
    """Open any file by FFmpeg, and read it as a source does."""
    import av

    from sdstream.sources.decoding.reader import Reader

    with contextlib.suppress(av.error.FFmpegError, ValueError, EOFError):
        reader = Reader(lambda: av.open(io.BytesIO(data), "r", options={"analyzeduration": "100000"}), lambda: None)
        try:
            reader.start([*reader.container.streams.video, *reader.container.streams.audio])
            deadline = time.monotonic() + 2
            while time.monotonic() < deadline:
                reader.take(0.5)
        finally:
            reader.close()


TARGETS: Mapping[str, Callable[[bytes], None]] = {
    target.__name__: target for target in (config, url, safetensors, lora, prompt, preview, demuxer)
}


def seeds() -> dict[str, list[bytes]]:
    """Return the seeds of each target: small inputs that reach far."""
    header = json.dumps({"__metadata__": {"a": "b"}, "w": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}})
    show = "version: 1\nsource: {kind: rtmp, listen: '127.0.0.1:1', key: '${KEY}'}\nsinks: [{kind: discard}]\n"
    more = "controls: {prompt: {a: 1}, guidance: full, cues: [{at: '1:30', prompt: b}]}"
    flv = b"FLV\x01\x05\0\0\0\x09\0\0\0\0\x12\0\0\x08\0\0\0\0\0\0\0\x02\0\x02ab\x00\x00\x00"
    post = b"POST /x HTTP/1.0\r\nContent-Length: 9999999999\r\n\r\nx"
    return {
        "config": [show.encode(), (show + more).encode()],
        "url": [b"word@host:1935", b"a#b@[::1]:80/x?y=z", b"%40@h", b"\xe2\x84\x80@h"],
        "safetensors": [struct.pack("<Q", len(header)) + header.encode() + bytes(8), struct.pack("<Q", 2**63) + b"{}"],
        "lora": [b'{"r": 4, "rank_pattern": {".*to_q": 8, "(a+)+$": 2}, "alpha_pattern": {"to_q": 1}}'],
        "prompt": [b"(word:1.3) [other] \\(x\\) ((a:nan):-1e9)", b"(" * 50 + b"a" + b":2)" * 50],
        "preview": [b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", post],
        "demuxer": [flv, b"RIFF\0\0\0\0WAVEfmt "],
    }
