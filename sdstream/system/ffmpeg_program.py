"""Checks the ffmpeg program of the system, for `sdstream doctor`: SRT needs the program."""

import shutil
import subprocess

from sdstream.system.finding import Finding


def check() -> Finding:
    """Look for the ffmpeg program, and for SRT in the program."""
    found = shutil.which("ffmpeg")
    if found is None:
        return Finding("ffmpeg", "note", "no ffmpeg program: no SRT", "sudo apt install ffmpeg")
    command = [found, "-hide_banner", "-protocols"]
    try:
        told = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False).stdout
    except (OSError, subprocess.TimeoutExpired) as error:
        return Finding("ffmpeg", "note", f"{found} does not start: {error}", "sudo apt install --reinstall ffmpeg")
    if "srt" not in told.split():
        return Finding("ffmpeg", "note", f"{found} has no SRT", "sudo apt install ffmpeg")
    return Finding("ffmpeg", "ok", f"{found}, with SRT")
