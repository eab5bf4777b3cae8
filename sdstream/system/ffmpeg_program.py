"""The ffmpeg program of the system, with SRT: PyAV's wheels have no SRT. Finds the program, and reads what SRT says."""

import re
import shutil
import subprocess

from sdstream.errors import Unavailable
from sdstream.redact import redact
from sdstream.system.finding import Finding

NO_SRT = "Protocol not found"
"""What a program without SRT says."""
TOO_OLD = "Option 'format_opts' not found"
"""What a program before FFmpeg 5 says to SRT in."""
_ERROR = re.compile(r"error|fail|reject|not found|invalid|refused|timed? ?out|passphrase", re.IGNORECASE)
_WRONG_PASSPHRASE = re.compile(r"passphrase|BADSECRET|UNSECURE", re.IGNORECASE)


def program() -> str:
    """Return the path of the ffmpeg program. Raises Unavailable without the program."""
    found = shutil.which("ffmpeg")
    if found is None:
        raise Unavailable("SRT needs the ffmpeg program, which is not installed: sudo apt install ffmpeg")
    return found


def errors_in(said: str, url: str, peer: str, advice: str) -> str:
    """Return the last errors that the program said about `url`, without secrets, and what to do.

    `peer` is the other end in words, and `advice` what to do if nothing better is known.
    """
    lines = [line.strip() for line in re.split(r"[\r\n]+", said) if _ERROR.search(line)]
    told = redact("; ".join(lines[-2:]) or "no answer in time", url)
    if _WRONG_PASSPHRASE.search(told):
        return f"{told}; the {peer} has another passphrase, or none"
    if NO_SRT in told:
        return f"{told}; this ffmpeg program has no SRT: sudo apt install ffmpeg"
    if TOO_OLD in told:
        return f"{told}; SRT in needs FFmpeg 5 or later"
    if re.search(r"resolve|Name or service", told, re.IGNORECASE):
        return f"{told}; check the spelling of the name, and the network of this machine"
    return f"{told}; {advice}"


def check() -> Finding:
    """Look for the ffmpeg program, and for SRT in the program, for `sdstream doctor`."""
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
