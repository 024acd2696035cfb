"""IMAP's ENVELOPE of a header block (RFC 9051 §7.5.2), rendered once at delivery."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from mailhost.message.addresses import Address, parse_addresses
from mailhost.message.render import nstring

ENVELOPE_FIELDS: Final = frozenset(
    (b"date", b"subject", b"from", b"sender", b"reply-to", b"to", b"cc", b"bcc", b"in-reply-to", b"message-id")
)
"""The fields an ENVELOPE is made of, in lower case."""

_REMEMBERED_LENGTH: Final = 256


def render_envelope(values: Mapping[bytes, bytes]) -> bytes:
    """The ENVELOPE of the unfolded values of ENVELOPE_FIELDS, ready to be sent."""
    sender = _addresses(values.get(b"from"))
    return b"(%b %b %b %b %b %b %b %b %b %b)" % (
        nstring(values.get(b"date")),
        nstring(values.get(b"subject")),
        sender,
        _addresses(values.get(b"sender"), sender),
        _addresses(values.get(b"reply-to"), sender),
        _addresses(values.get(b"to")),
        _addresses(values.get(b"cc")),
        _addresses(values.get(b"bcc")),
        nstring(values.get(b"in-reply-to")),
        nstring(values.get(b"message-id")),
    )


def _addresses(value: bytes | None, instead: bytes = b"NIL") -> bytes:
    """The address list; where there is none, what stands `instead` (From for Sender and Reply-To)."""
    if not value:
        return instead
    # The same people write to the same people; a long list of them soon fades.
    return (_remembered(value) if len(value) <= _REMEMBERED_LENGTH else _rendered(value)) or instead


def _rendered(value: bytes) -> bytes:
    """The address list of a value, empty where it has no address."""
    addresses = parse_addresses(value)
    return b"(%b)" % b"".join(map(_address, addresses)) if addresses else b""


_remembered = lru_cache(maxsize=1024)(_rendered)


def _address(address: Address) -> bytes:
    return b"(%b %b %b %b)" % (
        nstring(address.name),
        nstring(address.route),
        nstring(address.mailbox),
        nstring(address.host),
    )
