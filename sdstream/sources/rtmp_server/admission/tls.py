"""TLS for publishers (RTMPS)."""

import ssl

from sdstream.config.sources import RtmpSourceSettings
from sdstream.errors import Forbidden, Unavailable

_MAKE = "docs/rtmp.md has the command that makes a certificate"


def server_tls(settings: RtmpSourceSettings) -> ssl.SSLContext | None:
    """Return TLS with the certificate of the settings, TLS 1.2 or later; None without a certificate.

    Raises Unavailable or Forbidden if the certificate or the key cannot be used.
    """
    certificate, key = settings.tls_certificate, settings.tls_key
    if certificate is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        # the callback keeps OpenSSL from asking for a passphrase at the terminal
        context.load_cert_chain(certificate, key, password=lambda: "")
    except PermissionError as error:
        raise Forbidden(f"source.tls_certificate: may not read {certificate} or {key or certificate}") from error
    except OSError as error:  # ssl.SSLError is an OSError
        raise Unavailable(
            f"source.tls_certificate: {certificate} with {key or 'no source.tls_key'} is no certificate with its key, "
            f"in PEM and without a passphrase: {error.strerror or error}; {_MAKE}"
        ) from error
    return context
