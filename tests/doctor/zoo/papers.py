"""Certificates for the zoo, good and bad, made when a test runs: an authority, an intermediate, leaves."""

from __future__ import annotations

import ipaddress
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID, NameOID

NOW = datetime.now(UTC)
DAY = timedelta(days=1)


@dataclass(frozen=True)
class Paper:
    """A certificate and its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def key_pem(self) -> bytes:
        return self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )


def issue(
    names: Sequence[str],
    signer: Paper | None,
    *,
    is_authority: bool = False,
    begins: datetime = NOW - DAY,
    ends: datetime = NOW + 90 * DAY,
    subject: str = "",
) -> Paper:
    """A certificate; without a signer it signs itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject or names[0])])
    issuer = signer.certificate.subject if signer else name
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(ends)
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    if signer is not None:
        held = signer.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
        place = x509.AccessDescription(
            AuthorityInformationAccessOID.CA_ISSUERS, x509.UniformResourceIdentifier("http://ca.example.test/i.der")
        )
        builder = builder.add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(held), critical=False
        ).add_extension(x509.AuthorityInformationAccess([place]), critical=False)
    if not is_authority:
        builder = builder.add_extension(
            x509.SubjectAlternativeName([_general(each) for each in names]), critical=False
        ).add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    return Paper(builder.sign((signer or Paper(None, key)).key, hashes.SHA256()), key)


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


@cache
def authority() -> Paper:
    """The one that the doctor's world trusts."""
    return issue([], None, is_authority=True, subject="Zoo root")


@cache
def trust() -> ssl.SSLContext:
    """What the doctor's world trusts: the zoo's root alone."""
    context = ssl.create_default_context(cadata=authority().pem.decode())
    context.minimum_version = ssl.TLSVersion.TLSv1_2  # as the doctor's own; Python 3.11.2 of Debian sets none
    return context


@cache
def stranger() -> Paper:
    """One that nobody trusts."""
    return issue([], None, is_authority=True, subject="Somebody's root")


@cache
def intermediate() -> Paper:
    return issue([], authority(), is_authority=True, subject="Zoo intermediate")


NAMES = (
    "imap.example.test", "pop.example.test", "smtp.example.test", "mail.example.test", "autoconfig.example.test",
    "autodiscover.example.test", "ua-auto-config.example.test", "mta-sts.example.test", "example.test", "192.0.2.10",
)  # fmt: skip


@cache
def good() -> Paper:
    return issue(NAMES, intermediate())


def context(folder: Path, leaf: Paper, *chain: Paper) -> ssl.SSLContext:
    """A server's context that sends these certificates."""
    file = folder / f"{leaf.certificate.serial_number:x}-{len(chain)}.pem"
    file.write_bytes(leaf.key_pem + leaf.pem + b"".join(each.pem for each in chain))
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(file)
    return made


def good_context(folder: Path) -> ssl.SSLContext:
    """The whole chain, for every name of the healthy domain."""
    return context(folder, good(), intermediate())
