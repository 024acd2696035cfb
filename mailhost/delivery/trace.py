"""The trace fields a message gets from us, one prefix a recipient in front of content that all of them share."""

import re
from email.utils import formatdate
from functools import lru_cache
from typing import Final

from mailhost.delivery.model import Origin
from mailhost.protocols.smtp.addresses import Address

_UNSAFE: Final = re.compile(r"[^A-Za-z0-9.:_\[\]-]")


@lru_cache(maxsize=4)
def date_text(now: int) -> str:
    """A moment as header fields write it (RFC 5322 §3.3), in UTC."""
    return formatdate(now).removesuffix("-0000") + "+0000"


def received(origin: Origin, host: str, recipient: Address | None, now: int) -> str:
    """The Received field of this hop (RFC 5321 §4.4); `recipient` is named only where nobody else reads it."""
    tls = f" ({origin.tls})" if origin.tls else ""
    to = f"\r\n\tfor <{recipient}>" if recipient else ""
    hello = _UNSAFE.sub("?", origin.hello)
    return (
        f"Received: from {hello} ([{origin.peer}])\r\n"
        f"\tby {host} (Mailhost) with {origin.protocol}{tls} id {origin.transaction_id}{to};\r\n"
        f"\t{date_text(now)}\r\n"
    )


def delivery_prefix(origin: Origin, host: str, recipient: Address, now: int) -> bytes:
    """What stands in front of a message in its recipient's mailbox."""
    return (
        f"Return-Path: <{origin.sender or ''}>\r\nDelivered-To: {recipient}\r\n{received(origin, host, recipient, now)}"
    ).encode()
