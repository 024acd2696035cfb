"""TLS without sockets: one peer's TLS as bytes in and bytes out, and the contexts that begin it.

It stands on `ssl.MemoryBIO` and not on the event loop's own TLS, because neither asyncio nor uvloop sends the alert of
a failed handshake or tells its reason, and an idle connection of theirs costs up to ten times the memory.
"""

from __future__ import annotations

import contextlib
import ssl
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mailhost.errors import MailhostError
from mailhost.network.hello import asked_name

RECORD: Final = 16384  # octets of the largest TLS record
_PIECE: Final = (
    4096  # a memory BIO keeps room for the largest piece it ever held, in each of ten thousand idle sessions
)
RECORD_TYPES: Final = range(0x14, 0x18)  # the first byte of each TLS record, and of no line of text; a hello is 0x16
_VERSIONS: Final = {b"\x03\x00": "SSLv3", b"\x03\x01": "TLSv1", b"\x03\x02": "TLSv1.1", b"\x03\x03": "TLSv1.2"}


class CannotUseCertificate(MailhostError):
    """The certificate or its key cannot be used; the words name the file."""


class TlsFailed(ConnectionError):
    """TLS did not come up, or broke; the words are the reason as OpenSSL names it, such as UNSUPPORTED_PROTOCOL."""


@dataclass(frozen=True, slots=True)
class TlsInfo:
    """What was agreed on: the protocol version, the cipher and the name the client asked for (SNI)."""

    version: str
    cipher: str
    server_name: str | None


Choose = Callable[[str, bool], ssl.SSLContext | None]
"""Given the name that a client asks for ("" for none) and whether it offers `acme-tls/1`: whose certificate it is
shown; None leaves it to the context that the handshake began with."""

_MAX_HELLO: Final = 16384
_PROOF: Final = b"\x0aacme-tls/1"  # as it stands in a ClientHello (RFC 7301 §3.1, RFC 8737 §4)


class _NamedObject(ssl.SSLObject):
    """An SSLObject that remembers the name its client asked for, and the hello in which it did."""

    asked_name: str | None = None
    hello: bytes = b""


class TlsLayer:
    """One connection's TLS; whoever calls sends on what `pending_output` or the calls return."""

    __slots__ = ("_hello", "_incoming", "_object", "_outgoing")

    def __init__(self, context: ssl.SSLContext, server_name: str | None = None, *, outbound: bool = False) -> None:
        """`outbound` makes us the client, who checks the peer's certificate for `server_name`."""
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._object = context.wrap_bio(
            self._incoming, self._outgoing, server_side=not outbound, server_hostname=server_name
        )
        self._hello = b""

    def handshake(self, data: bytes | memoryview) -> TlsInfo | None:
        """Take the peer's bytes one step on; what was agreed on once it is done. Raises TlsFailed.

        In each case there may be output to send: after a failure it is the alert.
        """
        if data:
            self._hello = self._hello or bytes(data[:11])
            if isinstance(self._object, _NamedObject) and len(self._object.hello) < _MAX_HELLO:
                self._object.hello += data
            self._incoming.write(data)
        try:
            self._object.do_handshake()
        except ssl.SSLWantReadError:
            return None
        except ssl.SSLCertVerificationError as error:
            raise TlsFailed(error.verify_message) from error
        except ssl.SSLError as error:
            raise TlsFailed(error.reason or type(error).__name__) from error
        self._hello = b""
        cipher = self._object.cipher()
        name = self._object.server_hostname
        if isinstance(self._object, _NamedObject):
            name, self._object.hello = self._object.asked_name, b""
        return TlsInfo(sys.intern(self._object.version() or ""), sys.intern(cipher[0] if cipher else ""), name)

    @property
    def heard_nothing(self) -> bool:
        """Whether the peer has not sent a byte of its handshake."""
        return not self._hello

    @property
    def offer(self) -> tuple[str | None, str]:
        """Of a ClientHello whose handshake did not end: its version field, "TLSv1.2" standing for newer ones, too; and
        the name that it asks for, or ""."""
        hello = self._object.hello if isinstance(self._object, _NamedObject) else b""
        return _VERSIONS.get(self._hello[9:11]), asked_name(hello)

    def decrypt(self, data: bytes | memoryview, into: bytearray) -> bool:
        """Append the plain text of the peer's bytes; False once it said that it sends no more. Raises TlsFailed."""
        incoming = self._incoming
        try:
            for start in range(0, len(data), _PIECE) or (0,):  # nothing new: what came along with the handshake waits
                incoming.write(data[start : start + _PIECE])
                with contextlib.suppress(ssl.SSLWantReadError):
                    while incoming.pending:  # a read takes one whole record, so nothing stays behind inside OpenSSL
                        plain = self._object.read(RECORD)
                        if not plain:
                            return False
                        into += plain
        except ssl.SSLError as error:
            raise TlsFailed(error.reason or type(error).__name__) from error
        return True

    def encrypt(self, data: bytes | memoryview) -> bytes:
        """`data` for the wire."""
        records = []
        for start in range(0, len(data), _PIECE):
            self._object.write(data[start : start + _PIECE])
            records.append(self._outgoing.read())
        return b"".join(records)

    def pending_output(self) -> bytes:
        """What OpenSSL has to say by itself: handshakes, alerts, answers to a key update."""
        return self._outgoing.read() if self._outgoing.pending else b""

    def farewell(self) -> bytes:
        """Our close_notify."""
        with contextlib.suppress(ssl.SSLError):  # the peer's own is not here yet, or will never be
            self._object.unwrap()
        return self._outgoing.read()


def server_context(certificate: Path, key: Path, choose: Choose | None = None) -> ssl.SSLContext:
    """The context of our listeners: TLS 1.2 or newer, no renegotiation, no tickets. Raises CannotUseCertificate.

    `choose` is asked once for each handshake which certificate to show.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION | ssl.OP_CIPHER_SERVER_PREFERENCE
    context.num_tickets = 0  # mail clients hold their connections; two tickets make each handshake a seventh dearer
    context.sslobject_class = _NamedObject

    def note_server_name(tls: ssl.SSLObject | ssl.SSLSocket, name: str | None, _context: ssl.SSLContext) -> None:
        """Every name is welcome, and remembered."""
        if not isinstance(tls, _NamedObject):
            return
        tls.asked_name = name
        chosen = choose((name or "").lower(), _PROOF in tls.hello) if choose is not None else None
        if chosen is not None:
            tls.context = chosen

    context.sni_callback = note_server_name
    load_certificate(context, certificate, key)
    return context


def load_certificate(context: ssl.SSLContext, certificate: Path, key: Path) -> None:
    """Give the context this certificate, for the connections to come. Raises CannotUseCertificate, changing nothing."""
    try:
        # Tried first: a certificate whose key is of another, as while both files are being replaced, would stay loaded.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key)
        context.load_cert_chain(certificate, key)
    except ssl.SSLError as error:
        files = " and ".join(dict.fromkeys((str(certificate), str(key))))
        words = f"There is no certificate with its key in {files}: {error.reason or error}."
        raise CannotUseCertificate(words) from error
    except OSError as error:
        files = " or ".join(dict.fromkeys((str(certificate), str(key))))
        raise CannotUseCertificate(f"{files} cannot be read: {error.strerror}.") from error


def client_context(extra_authorities: Path | None = None) -> ssl.SSLContext:
    """The context for connections we make: the peer must prove its name to the system's authorities, or to these."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if extra_authorities is not None:
        context.load_verify_locations(extra_authorities)
    return context
