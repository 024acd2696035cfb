"""The certificates of a first start: an authority of our own and, signed by it, one certificate for our names.

A client that is given the authority's certificate can check ours; nobody has to click a warning away.
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from mailhost.durable import sync

_AUTHORITY_DAYS: Final = 3650
_LEAF_DAYS: Final = 397  # what clients of Apple and others accept at most
_RENEWAL_DAYS: Final = 30  # a leaf with less left is renewed at the start
_CLOCK_SKEW: Final = timedelta(days=1)  # a client whose clock is late shall not see a certificate of the future
LOCAL_NAMES: Final = ("localhost", "127.0.0.1", "::1")
_SERVICE_NAMES: Final = ("imap", "pop", "smtp", "mail", "autoconfig", "autodiscover", "ua-auto-config")


@dataclass(frozen=True, slots=True)
class CertificateFiles:
    """Where they are: the authority's certificate to give away, our own with its key."""

    authority: Path
    certificate: Path
    key: Path


def names_of(domains: Sequence[str]) -> list[str]:
    """What the certificate of a host for these domains must name."""
    names = [name for domain in domains for name in (domain, *(f"{service}.{domain}" for service in _SERVICE_NAMES))]
    return [*names, *LOCAL_NAMES]


@lru_cache(maxsize=64)
def is_named_in(chain: bytes, host: str) -> bool:
    """Whether the first certificate of a PEM chain names a host, itself or by a star for its first label (RFC 9525)."""
    try:
        leaf = x509.load_pem_x509_certificate(chain)
        held = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (ValueError, x509.ExtensionNotFound):
        return False
    names = {name.lower() for name in held.get_values_for_type(x509.DNSName)}
    return host in names or f"*.{host.partition('.')[2]}" in names


def certificate_files(folder: Path) -> CertificateFiles:
    """Where the files of our authority and its certificate are, in `folder`."""
    return CertificateFiles(folder / "ca.pem", folder / "server.pem", folder / "server-key.pem")


def ensure_certificates(folder: Path, names: Sequence[str], now: datetime) -> tuple[CertificateFiles, bool]:
    """The files in `folder`, made where they are missing and renewed when they run out or lack a name.

    The second value says whether the certificate is new.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    files = certificate_files(folder)
    authority_key_file = folder / "ca-key.pem"
    if not (files.authority.exists() and authority_key_file.exists()):
        _make_authority(files.authority, authority_key_file, now)
    if files.key.exists() and _is_good(files, names, now):
        return files, False
    authority = x509.load_pem_x509_certificate(files.authority.read_bytes())
    authority_key = serialization.load_pem_private_key(authority_key_file.read_bytes(), None)
    assert isinstance(authority_key, ec.EllipticCurvePrivateKey)
    key = ec.generate_private_key(ec.SECP256R1())
    leaf = _sign_leaf(names, key.public_key(), authority, authority_key, now)
    write_private(files.key, key_text(key))
    _write(files.certificate, leaf.public_bytes(serialization.Encoding.PEM))
    return files, True


def _is_good(files: CertificateFiles, names: Sequence[str], now: datetime) -> bool:
    try:
        leaf = x509.load_pem_x509_certificate(files.certificate.read_bytes())
        authority = x509.load_pem_x509_certificate(files.authority.read_bytes())
        held = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (OSError, ValueError, x509.ExtensionNotFound):
        return False
    return (
        leaf.not_valid_after_utc - now > timedelta(days=_RENEWAL_DAYS)
        and leaf.issuer == authority.subject
        and all(name in held for name in map(_general_name, names))
    )


def _make_authority(certificate_file: Path, key_file: Path, now: datetime) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    serial = x509.random_serial_number()
    name = x509.Name(  # a name of its own, so that a client which knows an older one of ours does not mix them up
        [x509.NameAttribute(NameOID.COMMON_NAME, f"Mailhost local authority {serial % 16**8:08x}")]
    )
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(serial)
        .not_valid_before(now - _CLOCK_SKEW)
        .not_valid_after(now + timedelta(days=_AUTHORITY_DAYS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(signs_certificates=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    write_private(key_file, key_text(key))
    _write(certificate_file, certificate.public_bytes(serialization.Encoding.PEM))


def _sign_leaf(
    names: Sequence[str],
    key: ec.EllipticCurvePublicKey,
    authority: x509.Certificate,
    authority_key: ec.EllipticCurvePrivateKey,
    now: datetime,
) -> x509.Certificate:
    issuer = authority.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0][:64])]))
        .issuer_name(authority.subject)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _CLOCK_SKEW)
        .not_valid_after(min(now + timedelta(days=_LEAF_DAYS) - _CLOCK_SKEW, authority.not_valid_after_utc))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName([_general_name(name) for name in names]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(issuer), critical=False)
        .sign(authority_key, hashes.SHA256())
    )


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def key_text(key: ec.EllipticCurvePrivateKey) -> bytes:
    """The key as PEM, not encrypted: the file's mode protects it."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _write(path: Path, data: bytes) -> None:
    _write_with_mode(path, data, 0o644)


def write_private(path: Path, data: bytes) -> None:
    """Replace the file whole and durably; nobody but our user can ever read it."""
    _write_with_mode(path, data, 0o600)


def _write_with_mode(path: Path, data: bytes, mode: int) -> None:
    """Replace the file whole and durably; it never exists with wider permissions or half of its content."""
    new = path.with_name(path.name + ".new")
    new.unlink(missing_ok=True)
    with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
    sync(path.parent)
