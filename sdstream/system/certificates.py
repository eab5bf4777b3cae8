"""Finds the certificate authorities for TLS: the FFmpeg in PyAV's wheels looks at the path of Fedora only."""

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
    """Return the PEM file of the system's authorities, else the file of certifi, else None."""
    preferred = ssl.get_default_verify_paths().cafile
    for name in (*([preferred] if preferred else []), *_BUNDLES):
        if Path(name).is_file():
            return Path(name)
    if importlib.util.find_spec("certifi"):
        import certifi

        return Path(certifi.where())
    return None
