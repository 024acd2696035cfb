"""Configuration profiles for iPhone, iPad and Mac: opened once, and Mail is set up.

Apple's programs ask no server for settings; a profile is the one way to spare their users the typing.
"""

from __future__ import annotations

import plistlib
import uuid
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import pkcs7

from mailhost.autoconfig.settings import ClientSettings, Encryption, Protocol, Server
from mailhost.errors import MailhostError

MEDIA_TYPE: Final = "application/x-apple-aspen-config"
_NAMESPACE: Final = uuid.UUID(
    "8a4c3d0e-0c3b-5d0f-9d2b-6b7f6c0f2a51"
)  # ours, so that our profiles replace their own kind
_TYPES: Final = {Protocol.IMAP: "EmailTypeIMAP", Protocol.POP: "EmailTypePOP"}


class CannotMakeProfile(MailhostError):
    """There is no profile to be had; the message says why."""


def profile(
    settings: ClientSettings, address: str, *, name: str = "", password: str = "", authority: bytes = b""
) -> bytes:
    """The profile of an address, not yet signed.

    `name` is what recipients see. With an app password in it nothing is asked; without one the device asks for it.
    `authority` is the PEM certificate of our own authority, to be trusted along; empty for a public one. The
    identifiers depend on the address alone, so that a second profile takes the place of the first.
    Raises CannotMakeProfile.
    """
    incoming = settings.best(Protocol.IMAP) or settings.best(Protocol.POP)
    outgoing = settings.best(Protocol.SMTP)
    if incoming is None or outgoing is None:
        raise CannotMakeProfile("Mail cannot be both read and sent with programs here; ask the administrator.")
    payloads = [_mail(settings, incoming, outgoing, address, name or address, password)]
    if authority:
        payloads.append(_authority(settings, authority))
    whole = {
        "PayloadType": "Configuration",
        "PayloadVersion": 1,
        "PayloadDisplayName": address,
        "PayloadDescription": f"Mail for {address}",
        "PayloadOrganization": settings.name,
        "PayloadContent": payloads,
        **_identity(settings, "profile", address),
    }
    return plistlib.dumps(whole, sort_keys=False)


def _mail(
    settings: ClientSettings, incoming: Server, outgoing: Server, address: str, name: str, password: str
) -> dict[str, object]:
    found: dict[str, object] = {
        "PayloadType": "com.apple.mail.managed",
        "PayloadVersion": 1,
        "PayloadDisplayName": address,
        "EmailAccountType": _TYPES[incoming.protocol],
        "EmailAccountName": name,
        "EmailAccountDescription": address,
        "EmailAddress": address,
        "IncomingMailServerAuthentication": "EmailAuthPassword",
        "IncomingMailServerHostName": incoming.host,
        "IncomingMailServerPortNumber": incoming.port,
        "IncomingMailServerUseSSL": incoming.encryption is Encryption.TLS,
        "IncomingMailServerUsername": address,
        "OutgoingMailServerAuthentication": "EmailAuthPassword",
        "OutgoingMailServerHostName": outgoing.host,
        "OutgoingMailServerPortNumber": outgoing.port,
        "OutgoingMailServerUseSSL": outgoing.encryption is Encryption.TLS,
        "OutgoingMailServerUsername": address,
        "OutgoingPasswordSameAsIncomingPassword": True,
        **_identity(settings, "mail", address),
    }
    if password:
        found["IncomingPassword"] = password
    return found


def _authority(settings: ClientSettings, authority: bytes) -> dict[str, object]:
    certificate = x509.load_pem_x509_certificate(authority)
    fingerprint = certificate.fingerprint(hashes.SHA256()).hex()
    return {
        "PayloadType": "com.apple.security.root",
        "PayloadVersion": 1,
        "PayloadDisplayName": f"Certificate authority of {settings.name}",
        "PayloadCertificateFileName": "mailhost-ca.cer",
        "PayloadContent": certificate.public_bytes(serialization.Encoding.DER),
        **_identity(settings, "authority", fingerprint),
    }


def _identity(settings: ClientSettings, kind: str, what: str) -> dict[str, object]:
    number = str(uuid.uuid5(_NAMESPACE, f"{kind}:{what.lower()}")).upper()
    turned = ".".join(reversed(settings.domain.split(".")))
    return {"PayloadIdentifier": f"{turned}.mailhost.{kind}.{number}", "PayloadUUID": number}


def sign(unsigned: bytes, chain: bytes, key: bytes) -> bytes:
    """The profile in a CMS signature (DER) made with the certificate that our doors show: devices call it "verified".

    `chain` and `key` are PEM: our certificate, those above it, and its private key. Raises CannotMakeProfile.
    """
    try:
        certificate, *above = x509.load_pem_x509_certificates(chain)
        private = serialization.load_pem_private_key(key, None)
    except ValueError as error:
        raise CannotMakeProfile("The server's certificate cannot be used to sign with.") from error
    if not isinstance(private, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        raise CannotMakeProfile("Profiles are signed with RSA and elliptic-curve keys; the server has another kind.")
    builder = pkcs7.PKCS7SignatureBuilder().set_data(unsigned).add_signer(certificate, private, hashes.SHA256())
    for each in above:
        builder = builder.add_certificate(each)
    return builder.sign(serialization.Encoding.DER, [pkcs7.PKCS7Options.Binary])
