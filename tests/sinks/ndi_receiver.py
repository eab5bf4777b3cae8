"""An NDI receiver in a process of its own, with a URL and without discovery.

Run as `python -m tests.sinks.ndi_receiver PORT PICTURES`; the last line that it prints is a JSON object.
"""

import json
import sys
import time
from typing import Any

import NDIlib
import numpy as np
from av import VideoFrame
from av.video.reformatter import ColorRange, Colorspace

from tests.harness import bars


def receive(port: int, pictures: int) -> dict[str, Any]:
    """Take pictures, and the sound between them, and tell what they were."""
    NDIlib.initialize()
    source = NDIlib.Source(p_url_address=f"127.0.0.1:{port}")
    receiver = NDIlib.recv_create_v3(NDIlib.RecvCreateV3(source, NDIlib.RECV_COLOR_FORMAT_FASTEST))
    NDIlib.recv_set_tally(receiver, NDIlib.Tally(True, False))
    told: dict[str, Any] = {"numbers": [], "errors": [], "video_codes": [], "sound_codes": [], "samples": []}
    sound = []
    deadline = time.monotonic() + 20
    while len(told["numbers"]) < pictures and time.monotonic() < deadline:
        kind, video, audio, _ = NDIlib.recv_capture_v3(receiver, 100)
        if kind == NDIlib.FRAME_TYPE_VIDEO:
            told |= {"size": [video.xres, video.yres], "rate": [video.frame_rate_N, video.frame_rate_D]}
            picture = rgb(video.data)
            told["video_codes"].append(video.timecode)
            told["numbers"].append(bars.number(picture))
            told["errors"].append(bars.error(picture))
            NDIlib.recv_free_video_v2(receiver, video)
        elif kind == NDIlib.FRAME_TYPE_AUDIO:
            told["sound_codes"].append(audio.timecode)
            told["samples"].append(audio.no_samples)
            sound.append(np.array(audio.data))
            NDIlib.recv_free_audio_v3(receiver, audio)
    if sound:
        left, right = np.concatenate(sound, axis=1)[:2]
        told["opposite"] = float(np.abs(left + right).max())
        told["loudest"] = float(np.abs(left).max())
    NDIlib.recv_destroy(receiver)
    return told


def rgb(uyvy: np.ndarray) -> np.ndarray:
    """Return the picture of an NDI frame, which is BT.709 limited whatever its size."""
    height, width = uyvy.shape[:2]
    frame = VideoFrame(width, height, "uyvy422")
    frame.planes[0].update(uyvy.tobytes())
    tagged = {"src_colorspace": Colorspace.ITU709, "src_color_range": ColorRange.MPEG}
    return frame.reformat(format="rgb24", **tagged, dst_color_range=ColorRange.JPEG).to_ndarray()


if __name__ == "__main__":
    sys.stdout.write(json.dumps(receive(int(sys.argv[1]), int(sys.argv[2]))) + "\n")
