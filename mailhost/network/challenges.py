"""What an authority asks us to prove, and our answers: files that the process which orders writes and all others read.

HTTP-01 (RFC 8555 §8.3) is a text under a token; TLS-ALPN-01 (RFC 8737) is a certificate that is shown to whoever
offers the protocol `acme-tls/1`, and to nobody else.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from mailhost.network.certificates import key_text, write_private

PROTOCOL: Final = "acme-tls/1"
_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]{1,256}")
_NAME: Final = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)+")
_IDENTIFIER: Final = x509.ObjectIdentifier("1.3.6.1.5.5.7.1.31")  # id-pe-acmeIdentifier
_OCTETS: Final = b"\x04\x20"  # DER: an OCTET STRING of 32 octets


class Challenges:
    """The answers that lie in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put_token(self, token: str, answer: str) -> None:
        """Answer for this token from now on. Raises ValueError for what is no token."""
        if not _TOKEN.fullmatch(token):
            raise ValueError("the authority's token is none")
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_private(self._folder / token, answer.encode())

    def put_certificate(self, name: str, answer: str, now: datetime) -> None:
        """Show the certificate that proves this name from now on."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_private(self._folder / f"{name}.pem", _proof(name, answer, now))

    def answer(self, token: str) -> str | None:
        """The text for a token, or None."""
        if not _TOKEN.fullmatch(token):
            return None
        try:
            return (self._folder / token).read_text(encoding="ascii")
        except (OSError, UnicodeDecodeError):
            return None

    def context(self, name: str) -> ssl.SSLContext | None:
        """What shows the certificate that proves the name, or None when nothing is to be proved."""
        if not _NAME.fullmatch(name):
            return None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.set_alpn_protocols([PROTOCOL])
        try:
            context.load_cert_chain(self._folder / f"{name}.pem")
        except (OSError, ssl.SSLError):
            return None
        return context

    def forget(self, names: Sequence[str] = ()) -> None:
        """Take everything back, or the certificates for these names."""
        paths = [self._folder / f"{name}.pem" for name in names] if names else list(self._folder.glob("*"))
        for path in paths:
            path.unlink(missing_ok=True)


def _proof(name: str, answer: str, now: datetime) -> bytes:
    """The key and the certificate of RFC 8737 §3: for this name alone, with the digest of the answer."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "ACME challenge")])
    digest = sha256(answer.encode()).digest()
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=7))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.UnrecognizedExtension(_IDENTIFIER, _OCTETS + digest), critical=True)
        .sign(key, hashes.SHA256())
    )
    return key_text(key) + certificate.public_bytes(serialization.Encoding.PEM)
