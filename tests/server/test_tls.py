"""A certificate and a key: what is wrong with them is said before anything starts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from tandem_server.errors import ConfigurationError
from tandem_server.tls import check_tls


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


Pair = Callable[[str], tuple[Path, Path]]


@pytest.fixture
def pair(authority: trustme.CA, tmp_path: Path) -> Pair:
    """Files of a certificate and its key."""

    def made(name: str) -> tuple[Path, Path]:
        issued = authority.issue_cert("localhost")
        certificate, key = tmp_path / f"{name}.pem", tmp_path / f"{name}.key"
        certificate.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
        key.write_bytes(issued.private_key_pem.bytes())
        return certificate, key

    return made


def complaint(certificate: Path | None, key: Path | None) -> str:
    with pytest.raises(ConfigurationError) as error:
        check_tls(certificate, key)
    return str(error.value)


def test_neither_and_a_pair_are_good(pair: Pair) -> None:
    check_tls(None, None)
    check_tls(*pair("one"))


def test_one_without_the_other_says_which_is_missing_and_how_to_make_both(pair: Pair) -> None:
    certificate, key = pair("one")
    assert "--tls-key (TANDEM_TLS_KEY) is missing" in complaint(certificate, None)
    assert "--tls-certificate (TANDEM_TLS_CERTIFICATE) is missing" in complaint(None, key)
    assert "openssl req" in complaint(None, key)


def test_a_file_that_is_not_there_is_named(pair: Pair, tmp_path: Path) -> None:
    certificate, key = pair("one")
    assert "certificate" in complaint(tmp_path / "none.pem", key)
    assert f"{tmp_path / 'none.key'} cannot be read (No such file" in complaint(certificate, tmp_path / "none.key")
    assert "Is a directory" in complaint(certificate, tmp_path)


def test_a_key_of_another_certificate_is_a_mismatch(pair: Pair) -> None:
    (certificate, key), (_, other) = pair("one"), pair("two")
    assert f"{other} does not belong to the certificate {certificate}" in complaint(certificate, other)
    assert "holds no PEM certificate" in complaint(key, key)


def test_a_file_that_holds_something_else_is_named(pair: Pair, tmp_path: Path) -> None:
    certificate, key = pair("one")
    junk = tmp_path / "junk.pem"
    junk.write_text("nothing of use")
    assert f"{junk} holds no PEM certificate" in complaint(junk, key)
    assert f"{junk} holds no PEM private key" in complaint(certificate, junk)
    assert f"{certificate} holds no PEM private key" in complaint(certificate, certificate)


def test_a_key_with_a_pass_phrase_is_refused_and_nobody_is_asked_for_it(pair: Pair, tmp_path: Path) -> None:
    certificate, key = pair("one")
    locked = tmp_path / "locked.key"
    private = load_pem_private_key(key.read_bytes(), None)
    locked.write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret")))
    assert f"openssl pkey -in {locked}" in complaint(certificate, locked)
