"""Finds the authorities that TLS servers are checked with: the FFmpeg in PyAV's wheels looks in Fedora's place only."""

import importlib.util
import ssl
from pathlib import Path

_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Ubuntu, Arch
    "/etc/pki/tls/certs/ca-bundle.crt",  # Fedora, RHEL
    "/etc/ssl/ca-bundle.pem",  # openSUSE
    "/etc/ssl/cert.pem",  # Alpine, macOS
)


def default_ca_file() -> Path | None:
    """Return a PEM file with the system's authorities, else certifi's, else None."""
    ours = ssl.get_default_verify_paths().cafile
    for name in (*([ours] if ours else []), *_BUNDLES):
        if Path(name).is_file():
            return Path(name)
    if importlib.util.find_spec("certifi"):
        import certifi

        return Path(certifi.where())
    return None
