"""Certificates for the TLS tests: an authority, a server for `localhost`, a client, and an authority nobody used."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

CLIENT = "certified"
"""The user that the client certificate names."""
MATCHING_HOST = "localhost"
MISMATCHED_HOST = "127.0.0.1"
"""It reaches the server, and is not in its certificate: `verify-ca` passes, `verify-full` does not."""

_LIFETIME = timedelta(days=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificates:
    """PEM files in one directory; the keys are not encrypted."""

    ca: Path
    other_ca: Path
    """An authority that signed none of the others."""
    server: Path
    server_key: Path
    client: Path
    client_key: Path


@dataclass(frozen=True, slots=True)
class _Authority:
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey


def issue_certificates(directory: Path) -> Certificates:
    """Make a new set of keys and certificates."""
    directory.mkdir()
    files = Certificates(
        ca=directory / "ca.pem",
        other_ca=directory / "other-ca.pem",
        server=directory / "server.pem",
        server_key=directory / "server.key",
        client=directory / "client.pem",
        client_key=directory / "client.key",
    )
    authority = _make_authority("dbtool tests")
    _write_certificate(files.ca, authority.certificate)
    _write_certificate(files.other_ca, _make_authority("somebody else").certificate)
    _issue(authority, MATCHING_HOST, files.server, files.server_key, names=[x509.DNSName(MATCHING_HOST)])
    _issue(authority, CLIENT, files.client, files.client_key)
    return files


def _make_authority(title: str) -> _Authority:
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name(title)
    builder = _builder(name, name, key.public_key())
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    return _Authority(builder.sign(key, hashes.SHA256()), key)


def _issue(
    authority: _Authority, title: str, certificate: Path, key_file: Path, *, names: Sequence[x509.GeneralName] = ()
) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    builder = _builder(_name(title), authority.certificate.subject, key.public_key())
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    _write_certificate(certificate, builder.sign(authority.key, hashes.SHA256()))
    key_file.touch(mode=0o600)
    key_file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )


def _name(title: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, title)])


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        # Clocks of machines that share a directory differ.
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + _LIFETIME)
    )


def _write_certificate(path: Path, certificate: x509.Certificate) -> None:
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
