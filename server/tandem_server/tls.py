"""The server's certificate and key: looked at before anything starts, so that what is wrong is one clear line."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Final

from tandem_server.errors import ConfigurationError

_MAKE: Final = (
    "for trying out, make both with: openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj /CN=localhost "
    "-addext subjectAltName=DNS:localhost,IP:127.0.0.1 -keyout key.pem -out certificate.pem"
)


def check_tls(certificate: Path | None, key: Path | None) -> None:
    """Raises ConfigurationError unless there are neither or both, and they belong together."""
    if certificate is None and key is None:
        return
    if certificate is None or key is None:
        missing = "tls_certificate" if certificate is None else "tls_key"
        option = f"--{missing.replace('_', '-')} (TANDEM_{missing.upper()})"
        raise ConfigurationError(f"TLS needs a certificate and its key: {option} is missing; {_MAKE}")
    for what, path in (("certificate", certificate), ("key", key)):
        try:
            path.read_bytes()
        except OSError as error:
            raise ConfigurationError(f"the TLS {what} {path} cannot be read ({error.strerror})") from None
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, password=_no_password)
    except _EncryptedKeyError:
        remedy = f"write it without one: openssl pkey -in {key} -out {key.with_suffix('.plain.pem')}"
        raise ConfigurationError(f"the TLS key {key} has a pass phrase, which nobody could type; {remedy}") from None
    except ssl.SSLError as error:
        raise ConfigurationError(_wrong(certificate, key, error)) from None


def _wrong(certificate: Path, key: Path, error: ssl.SSLError) -> str:
    if error.reason == "KEY_VALUES_MISMATCH":
        return f"the TLS key {key} does not belong to the certificate {certificate} (its own comes first in the file)"
    try:  # OpenSSL does not say which of the two it was
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(certificate)
    except ssl.SSLError:
        return f"the TLS file {certificate} holds no PEM certificate that can be read"
    return f"the TLS file {key} holds no PEM private key that can be read"


class _EncryptedKeyError(Exception):
    """OpenSSL asked for a pass phrase."""


def _no_password() -> str:
    raise _EncryptedKeyError
